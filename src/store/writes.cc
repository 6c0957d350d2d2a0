#include "store/writes.h"

#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/config.h"

namespace leadline {
namespace {

// Old rows are pruned once in so many new ones, at most so many at a time.
constexpr std::int64_t kPruneEvery = 1'000;
constexpr std::int64_t kPruneAtOnce = 2 * kPruneEvery;

Value text_or_null(std::string_view text) { return text.empty() ? Value() : Value(text); }

// The id that an INSERT … RETURNING Id gives.
std::int64_t inserted_id(Rows rows) {
  const std::int64_t id = rows.next() ? rows.integer(0) : 0;
  while (rows.next()) {
  }
  return id;
}

// The first of the queries that finds something decides.
std::optional<std::int64_t> find_first(Connection& connection, std::initializer_list<std::string_view> queries,
                                       std::string_view parameter) {
  for (const std::string_view query : queries) {
    Rows rows = connection.run(query, {parameter});
    if (rows.next()) return rows.integer(0);
  }
  return std::nullopt;
}

// A lead's own crm_lead_id comes first; several leads: the newest.
constexpr std::string_view kFindLead = "SELECT Id FROM Leads WHERE CrmLeadId = $1 ORDER BY Id DESC LIMIT 1";
// Else the most recent submission with it decides, even where that names no lead.
constexpr std::string_view kFindLeadOfSubmission =
    "SELECT Leads.Id FROM (SELECT LeadId FROM LeadSubmissions WHERE CrmLeadId = $1 "
    "ORDER BY SubmittedAt DESC, Id DESC LIMIT 1) AS Latest JOIN Leads ON Leads.Id = Latest.LeadId";

std::optional<std::int64_t> find_lead(Connection& connection, std::string_view crm_lead_id) {
  return find_first(connection, {kFindLead, kFindLeadOfSubmission}, crm_lead_id);
}

// The status goes into an index: one too long for that is left to be read from the payload.
Value indexed_status(const Event& event) {
  return event.status.size() > kIndexedStatusBytesMax ? Value() : Value(event.status);
}

constexpr std::string_view kInsertActivity =
    "INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, EventType, PayloadJson, Status, ReceivedAt, Counted) "
    "VALUES ($1, $2, $3, $4, $5, $6, 1)";

// A lead's CrmStatus follows the newest event that has one, whatever order events come in. Of two received at the same
// instant the one just inserted is the newer.
constexpr std::string_view kSetCrmStatus =
    "UPDATE Leads SET CrmStatus = $1 WHERE Id = $2 AND CrmStatus <> $1 AND NOT EXISTS (SELECT 1 FROM LeadCrmActivity "
    "WHERE LeadId = $2 AND Status <> '' AND ReceivedAt > $3)";

// What a trigger does for the events of others is done here for ours, which are many.
void insert_activity(Connection& connection, std::int64_t lead_id, const Event& event, EventTotals* totals) {
  const Value status = indexed_status(event);
  connection.execute(kInsertActivity,
                     {lead_id, event.crm_lead_id, event.event_type, event.payload, status, event.received_at});
  totals->count(event.received_at);
  if (status != Value() && !event.status.empty()) {
    connection.execute(kSetCrmStatus, {event.status, lead_id, event.received_at});
  }
}

constexpr std::string_view kPruneOld =
    "DELETE FROM UnmatchedCrmEvents WHERE Id IN "
    "(SELECT Id FROM UnmatchedCrmEvents WHERE ReceivedAt < $1 ORDER BY ReceivedAt LIMIT $2)";
// Past the newest so many. Counting them walks the index, which is why it is done rarely.
constexpr std::string_view kPruneMany =
    "DELETE FROM UnmatchedCrmEvents WHERE Id <= "
    "(SELECT Id FROM UnmatchedCrmEvents ORDER BY Id DESC LIMIT 1 OFFSET $1)";

void prune_held(Connection& connection, std::int64_t now_ms) {
  connection.execute(kPruneOld, {rfc3339(now_ms - kHeldDaysMax * kDayMs), kPruneAtOnce});
  connection.execute(kPruneMany, {kHeldRowsMax});
}

constexpr std::string_view kInsertHeld =
    "INSERT INTO UnmatchedCrmEvents (CrmLeadId, EventType, PayloadJson, Status, ReceivedAt) "
    "VALUES ($1, $2, $3, $4, $5) RETURNING Id";

void insert_held(Connection& connection, const Event& event, std::int64_t now_ms) {
  const std::int64_t id = inserted_id(connection.run(
      kInsertHeld, {event.crm_lead_id, event.event_type, event.payload, indexed_status(event), event.received_at}));
  if (id % kPruneEvery == 0) prune_held(connection, now_ms);
}

constexpr std::string_view kFindKey = "SELECT LeadId FROM WebhookKeys WHERE Key = $1 AND ReceivedAt >= $2";

// What the event that brought the key first was answered with; none where the key is new or has expired.
std::optional<Appended> find_key(Connection& connection, const Event& event, std::int64_t now_ms) {
  const std::string oldest = rfc3339(now_ms - kKeyDaysMax * kDayMs);
  Rows rows = connection.run(kFindKey, {event.key, oldest});
  if (!rows.next()) return std::nullopt;
  Appended first;
  first.duplicate = true;
  first.matched = !rows.is_null(0);
  first.lead_id = rows.integer(0);
  return first;
}

constexpr std::string_view kInsertKey =
    "INSERT INTO WebhookKeys (Key, LeadId, ReceivedAt) VALUES ($1, $2, $3) "
    "ON CONFLICT (Key) DO UPDATE SET LeadId = excluded.LeadId, ReceivedAt = excluded.ReceivedAt RETURNING Id";
// Ids rise with time, so that the oldest are at the table's beginning.
constexpr std::string_view kPruneKeys =
    "DELETE FROM WebhookKeys WHERE Id <= (SELECT MIN(Id) FROM WebhookKeys) + $1 AND ReceivedAt < $2";

void insert_key(Connection& connection, const Event& event, const Appended& appended, std::int64_t now_ms) {
  const Value lead_id = appended.matched ? Value(appended.lead_id) : Value();
  const std::int64_t id = inserted_id(connection.run(kInsertKey, {event.key, lead_id, event.received_at}));
  if (id % kPruneEvery == 0) {
    connection.execute(kPruneKeys, {kPruneAtOnce, rfc3339(now_ms - kKeyDaysMax * kDayMs)});
  }
}

// The expressions are the indexes' own: trimmed of ASCII white space, as tidy_new_lead does it.
constexpr std::string_view kFindByEmail =
    "SELECT Id FROM Leads WHERE Email IS NOT NULL AND lower(trim(Email, char(9, 10, 11, 12, 13, 32))) = $1 "
    "AND COALESCE(trim(Project, char(9, 10, 11, 12, 13, 32)), '') = $2 ORDER BY Id DESC LIMIT 1";
constexpr std::string_view kFindByPhone =
    "SELECT Id FROM Leads WHERE Phone IS NOT NULL AND trim(Phone, char(9, 10, 11, 12, 13, 32)) = $1 "
    "AND COALESCE(trim(Project, char(9, 10, 11, 12, 13, 32)), '') = $2 ORDER BY Id DESC LIMIT 1";

std::string ascii_lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::optional<std::int64_t> find_person(Connection& connection, const NewLead& lead) {
  if (!lead.email.empty()) {
    const std::string email = ascii_lower(lead.email);
    Rows rows = connection.run(kFindByEmail, {email, lead.project});
    if (rows.next()) return rows.integer(0);
  }
  if (lead.phone.empty()) return std::nullopt;
  Rows rows = connection.run(kFindByPhone, {lead.phone, lead.project});
  return rows.next() ? std::optional(rows.integer(0)) : std::nullopt;
}

constexpr std::string_view kInsertLead =
    "INSERT INTO Leads (CrmLeadId, Name, Email, Phone, Project, Source, CreatedAt, UpdatedAt) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING Id";

std::int64_t insert_lead(Connection& connection, const NewLead& lead) {
  return inserted_id(connection.run(
      kInsertLead, {text_or_null(lead.crm_lead_id), text_or_null(lead.name), text_or_null(lead.email),
                    text_or_null(lead.phone), text_or_null(lead.project), text_or_null(lead.source), lead.created_at}));
}

constexpr std::string_view kInsertSubmission =
    "INSERT INTO LeadSubmissions (LeadId, CrmLeadId, Form, PageUrl, PayloadJson, SubmittedAt) "
    "VALUES ($1, $2, $3, $4, $5, $6) RETURNING Id";

std::int64_t insert_submission(Connection& connection, std::int64_t lead_id, const NewLead& lead) {
  return inserted_id(
      connection.run(kInsertSubmission, {lead_id, text_or_null(lead.crm_lead_id), text_or_null(lead.form),
                                         text_or_null(lead.page_url), text_or_null(lead.payload), lead.created_at}));
}

constexpr std::string_view kSetCrmLeadId = "UPDATE Leads SET CrmLeadId = $1, UpdatedAt = $2 WHERE Id = $3";
constexpr std::string_view kSetStatus = "UPDATE Leads SET Status = $1, UpdatedAt = $2 WHERE Id = $3";
constexpr std::string_view kProbe =
    "INSERT INTO Probe (Id, ProbedAt) VALUES (1, $1) ON CONFLICT (Id) DO UPDATE SET ProbedAt = excluded.ProbedAt";

}  // namespace

// The lookup is in the insert's transaction: a lead added a moment ago is seen, one removed a moment ago is not, and no
// event can slip past the triggers that adopt held ones.
void EventTotals::write(Connection& connection) const {
  static constexpr std::string_view kAddEvents =
      "INSERT INTO DailyTotals (Day, Events) VALUES ($1, $2) "
      "ON CONFLICT (Day) DO UPDATE SET Events = DailyTotals.Events + excluded.Events";
  for (const auto& [day, events] : days_) connection.execute(kAddEvents, {day, events});
}

Appended append_event(Connection& connection, const Event& event, std::int64_t now_ms, EventTotals* totals) {
  if (!event.key.empty()) {
    if (std::optional<Appended> first = find_key(connection, event, now_ms)) return *std::move(first);
  }
  const std::optional<std::int64_t> lead_id = find_lead(connection, event.crm_lead_id);
  Appended appended;
  appended.matched = lead_id.has_value();
  appended.lead_id = lead_id.value_or(0);
  if (lead_id) {
    insert_activity(connection, *lead_id, event, totals);
  } else {
    insert_held(connection, event, now_ms);
    appended.held_crm_lead_id = event.crm_lead_id;
  }
  if (!event.key.empty()) insert_key(connection, event, appended, now_ms);
  return appended;
}

TakenIn take_in_lead(Connection& connection, const NewLead& lead) {
  const std::optional<std::int64_t> known = find_person(connection, lead);
  TakenIn taken;
  taken.created = !known;
  taken.lead_id = known ? *known : insert_lead(connection, lead);
  taken.submission_id = insert_submission(connection, taken.lead_id, lead);
  return taken;
}

Changed change_lead(Connection& connection, const LeadChange& change) {
  if (change.crm_lead_id) {
    connection.execute(kSetCrmLeadId, {text_or_null(*change.crm_lead_id), change.updated_at, change.lead_id});
  }
  if (change.status) connection.execute(kSetStatus, {*change.status, change.updated_at, change.lead_id});
  Changed changed;
  changed.lead = read_lead(connection, change.lead_id);
  return changed;
}

Probed probe(Connection& connection, const std::string& now) {
  connection.execute(kProbe, {now});
  return {};
}

}  // namespace leadline
