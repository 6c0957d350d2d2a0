// Reading leads: a lead's page, the lists, the summary. Free functions on a Connection, each to be called inside a read
// transaction, so that what they return is of one moment. Texts may hold foreign bytes: JsonWriter mends them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/db.h"

namespace leadline {

// A row of Leads; an unset text is empty.
struct Lead {
  std::int64_t id = 0;
  std::string crm_lead_id, name, email, phone, project, source, status, created_at, updated_at;
  std::string crm_status;  // The newest event's that has one.
};

struct ListedLead {
  Lead lead;
  std::int64_t crm_event_count = 0;
  std::string last_activity_at;  // Empty: no event yet.
};

struct Submission {
  std::int64_t id = 0;
  std::string crm_lead_id, form, page_url, payload, submitted_at;
};

// An event that a lead has, or one that is held.
struct StoredEvent {
  std::int64_t id = 0;
  std::string crm_lead_id, event_type, payload, received_at;
  bool payload_is_judged = false;  // It is JSON: we wrote it, and nobody has changed it since.
};

// A place in a list that is ordered by time and id, newest first: the last row of the page before.
struct Position {
  std::string time;
  std::int64_t id = 0;
};

struct PageRequest {
  std::size_t limit = 0;
  std::optional<Position> after;
};

// A page of at most `limit` rows, and where to go on, if there are more.
template <class Item>
struct Page {
  std::vector<Item> items;
  std::optional<Position> next;
};

struct LeadHistory {
  Lead lead;
  std::vector<Submission> submissions;
  Page<StoredEvent> activity;
};

// Empty texts do not filter. Times are canonical (rfc3339) and inclusive.
struct LeadFilter {
  std::string q;  // A substring of name, email, phone or crm_lead_id; ASCII case does not matter.
  std::string project, source, status, from, to;
};

struct DailyTotal {
  std::string day;
  std::int64_t leads = 0;
  std::int64_t events = 0;
};

struct StatusTotal {
  std::string crm_status;  // Empty: no event with a status yet.
  std::int64_t leads = 0;
};

struct Summary {
  std::vector<DailyTotal> days;  // Those on which something happened, oldest first.
  std::vector<StatusTotal> crm_statuses;
};

[[nodiscard]] std::optional<Lead> read_lead(Connection& connection, std::int64_t id);
[[nodiscard]] std::optional<LeadHistory> read_history(Connection& connection, std::int64_t id,
                                                      const PageRequest& activity);
[[nodiscard]] Page<ListedLead> read_leads(Connection& connection, const LeadFilter& filter, const PageRequest& page);
// An empty crm_lead_id does not filter.
[[nodiscard]] Page<StoredEvent> read_held(Connection& connection, std::string_view crm_lead_id,
                                          const PageRequest& page);
// The distinct values, sorted.
[[nodiscard]] std::vector<std::string> read_projects(Connection& connection);
[[nodiscard]] std::vector<std::string> read_sources(Connection& connection);
[[nodiscard]] Summary read_summary(Connection& connection, std::string_view first_day);

}  // namespace leadline
