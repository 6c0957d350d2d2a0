#include "store/leads.h"

#include <array>
#include <utility>

#include "base/json.h"

namespace leadline {
namespace {

// In the order of Lead's members.
constexpr std::string_view kLeadColumns =
    "Leads.Id, Leads.CrmLeadId, Leads.Name, Leads.Email, Leads.Phone, Leads.Project, Leads.Source, Leads.Status, "
    "Leads.CreatedAt, Leads.UpdatedAt";

Lead lead_of(const Rows& rows) {
  Lead lead;
  lead.id = rows.integer(0);
  int column = 1;
  for (std::string* text : {&lead.crm_lead_id, &lead.name, &lead.email, &lead.phone, &lead.project, &lead.source,
                            &lead.status, &lead.created_at, &lead.updated_at}) {
    *text = rows.text(column++);
  }
  return lead;
}

// Both kinds of events: Id, CrmLeadId, EventType, PayloadJson, ReceivedAt, Status.
StoredEvent event_of(const Rows& rows) {
  StoredEvent event;
  event.id = rows.integer(0);
  event.crm_lead_id = rows.text(1);
  event.event_type = rows.text(2);
  event.payload = rows.text(3);
  event.received_at = rows.text(4);
  event.payload_is_judged = !rows.is_null(5);
  return event;
}

// Takes the row past the page off, which was asked for to see whether there is one.
template <class Item, class PositionOf>
Page<Item> page_of(std::vector<Item> items, std::size_t limit, PositionOf position_of) {
  Page<Item> page;
  if (items.size() > limit) {
    items.pop_back();
    page.next = position_of(items.back());
  }
  page.items = std::move(items);
  return page;
}

Page<StoredEvent> read_events(Rows rows, std::size_t limit) {
  std::vector<StoredEvent> events;
  while (rows.next()) events.push_back(event_of(rows));
  return page_of(std::move(events), limit, [](const StoredEvent& event) {
    return Position{event.received_at, event.id};
  });
}

std::int64_t rows_of(const PageRequest& page) { return static_cast<std::int64_t>(page.limit) + 1; }

// Of a payload that another program may have written.
std::string status_of(std::string_view payload) {
  std::array<JsonMember, 1> members = {{{"status", {}}}};
  return scan_json(payload, members) ? std::string() : optional_json_text(members[0].value);
}

// Status says '' where an event has none: only the newest others can decide. Where it is null, the payload does.
constexpr std::string_view kStatuses =
    "SELECT Status, Id FROM LeadCrmActivity WHERE LeadId = $1 AND (Status IS NULL OR Status <> '') "
    "ORDER BY ReceivedAt DESC, Id DESC";
constexpr std::string_view kPayload = "SELECT PayloadJson FROM LeadCrmActivity WHERE Id = $1";

std::string read_crm_status(Connection& connection, std::int64_t lead_id) {
  Rows rows = connection.run(kStatuses, {lead_id});
  while (rows.next()) {
    if (!rows.is_null(0)) return std::string(rows.text(0));
    Rows payload = connection.run(kPayload, {rows.integer(1)});
    std::string status = payload.next() ? status_of(payload.text(0)) : std::string();
    if (!status.empty()) return status;
  }
  return {};
}

constexpr std::string_view kSubmissions =
    "SELECT Id, CrmLeadId, Form, PageUrl, PayloadJson, SubmittedAt FROM LeadSubmissions WHERE LeadId = $1 "
    "ORDER BY SubmittedAt DESC, Id DESC";

std::vector<Submission> read_submissions(Connection& connection, std::int64_t lead_id) {
  std::vector<Submission> submissions;
  Rows rows = connection.run(kSubmissions, {lead_id});
  while (rows.next()) {
    Submission& submission = submissions.emplace_back();
    submission.id = rows.integer(0);
    submission.crm_lead_id = rows.text(1);
    submission.form = rows.text(2);
    submission.page_url = rows.text(3);
    submission.payload = rows.text(4);
    submission.submitted_at = rows.text(5);
  }
  return submissions;
}

constexpr std::string_view kActivity =
    "SELECT Id, CrmLeadId, EventType, PayloadJson, ReceivedAt, Status FROM LeadCrmActivity WHERE LeadId = $1 "
    "ORDER BY ReceivedAt DESC, Id DESC LIMIT $2";
constexpr std::string_view kActivityAfter =
    "SELECT Id, CrmLeadId, EventType, PayloadJson, ReceivedAt, Status FROM LeadCrmActivity WHERE LeadId = $1 "
    "AND (ReceivedAt, Id) < ($2, $3) ORDER BY ReceivedAt DESC, Id DESC LIMIT $4";

Page<StoredEvent> read_activity(Connection& connection, std::int64_t lead_id, const PageRequest& page) {
  if (!page.after) return read_events(connection.run(kActivity, {lead_id, rows_of(page)}), page.limit);
  return read_events(connection.run(kActivityAfter, {lead_id, page.after->time, page.after->id, rows_of(page)}),
                     page.limit);
}

// A query made of parts, with its parameters: "$1", "$2"… in rising order. The texts must outlive it.
class Query {
 public:
  explicit Query(std::string_view start) : sql_(start) {}

  Query& add(std::string_view part) {
    sql_ += part;
    return *this;
  }

  Query& parameter(Value value) {
    parameters_.push_back(value);
    sql_ += '$' + std::to_string(parameters_.size());
    return *this;
  }

  Query& condition(std::string_view part) {
    sql_ += has_condition_ ? " AND " : " WHERE ";
    has_condition_ = true;
    return add(part);
  }

  [[nodiscard]] Rows run(Connection& connection) const { return connection.run(sql_, parameters_); }

 private:
  std::string sql_;
  std::vector<Value> parameters_;
  bool has_condition_ = false;
};

// One filter leads through its index; the others are looked at in that index's entries. COALESCE keeps a planner
// without statistics from choosing an index that is of less use.
void add_equal_filters(const LeadFilter& filter, Query* query) {
  struct Filter {
    std::string_view value, leading, following;
  };
  const std::array<Filter, 3> filters = {{{filter.project, "Project = ", "COALESCE(Project, '') = "},
                                          {filter.source, "Source = ", "COALESCE(Source, '') = "},
                                          {filter.status, "Status = ", "COALESCE(Status, '') = "}}};
  bool has_leader = false;
  for (const Filter& one : filters) {
    if (one.value.empty()) continue;
    query->condition(has_leader ? one.following : one.leading).parameter(one.value);
    has_leader = true;
  }
}

// LIKE does not mind ASCII case in SQLite. "%", "_" and the escape itself are escaped.
std::string like_pattern(std::string_view q) {
  std::string pattern = "%";
  for (const char c : q) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + '%';
}

void add_search(const std::string& pattern, Query* query) {
  std::string_view before = "(";
  query->condition("");
  for (const std::string_view column : {"Name", "Email", "Phone", "CrmLeadId"}) {
    query->add(before).add(column).add(" LIKE ").parameter(pattern).add(" ESCAPE '\\'");
    before = " OR ";
  }
  query->add(")");
}

// The newest event's time and how many there are, both from the index alone.
constexpr std::string_view kActivityFigures = "SELECT COUNT(*), MAX(ReceivedAt) FROM LeadCrmActivity WHERE LeadId = $1";

std::vector<std::string> read_values(Rows rows) {
  std::vector<std::string> values;
  while (rows.next()) {
    if (!rows.text(0).empty()) values.emplace_back(rows.text(0));  // An empty BLOB sorts after '' too.
  }
  return values;
}

}  // namespace

std::optional<Lead> read_lead(Connection& connection, std::int64_t id) {
  static const std::string query = "SELECT " + std::string(kLeadColumns) + " FROM Leads WHERE Id = $1";
  Rows rows = connection.run(query, {id});
  if (!rows.next()) return std::nullopt;
  Lead lead = lead_of(rows);
  lead.crm_status = read_crm_status(connection, id);
  return lead;
}

std::optional<LeadHistory> read_history(Connection& connection, std::int64_t id, const PageRequest& activity) {
  std::optional<Lead> lead = read_lead(connection, id);
  if (!lead) return std::nullopt;
  return LeadHistory{*std::move(lead), read_submissions(connection, id), read_activity(connection, id, activity)};
}

Page<ListedLead> read_leads(Connection& connection, const LeadFilter& filter, const PageRequest& page) {
  const std::string pattern = like_pattern(filter.q);
  Query query("SELECT ");
  query.add(kLeadColumns).add(" FROM Leads");
  add_equal_filters(filter, &query);
  if (!filter.from.empty()) query.condition("CreatedAt >= ").parameter(filter.from);
  // A cursor is tied to its filters, and so not past `to`; with both, the engine would start at `to` and walk to the
  // cursor.
  if (!filter.to.empty() && !page.after) query.condition("CreatedAt <= ").parameter(filter.to);
  if (page.after) {
    query.condition("(CreatedAt, Id) < (").parameter(page.after->time).add(", ").parameter(page.after->id).add(")");
  }
  if (!filter.q.empty()) add_search(pattern, &query);
  query.add(" ORDER BY CreatedAt DESC, Id DESC LIMIT ").parameter(rows_of(page));

  std::vector<ListedLead> leads;
  for (Rows rows = query.run(connection); rows.next();) leads.push_back({lead_of(rows), 0, {}});
  for (ListedLead& listed : leads) {
    Rows figures = connection.run(kActivityFigures, {listed.lead.id});
    if (!figures.next()) continue;
    listed.crm_event_count = figures.integer(0);
    listed.last_activity_at = figures.text(1);
    if (listed.crm_event_count > 0) listed.lead.crm_status = read_crm_status(connection, listed.lead.id);
  }
  return page_of(std::move(leads), page.limit, [](const ListedLead& listed) {
    return Position{listed.lead.created_at, listed.lead.id};
  });
}

Page<StoredEvent> read_held(Connection& connection, std::string_view crm_lead_id, const PageRequest& page) {
  Query query("SELECT Id, CrmLeadId, EventType, PayloadJson, ReceivedAt, Status FROM UnmatchedCrmEvents");
  if (!crm_lead_id.empty()) query.condition("CrmLeadId = ").parameter(crm_lead_id);
  if (page.after) {
    query.condition("(ReceivedAt, Id) < (").parameter(page.after->time).add(", ").parameter(page.after->id).add(")");
  }
  query.add(" ORDER BY ReceivedAt DESC, Id DESC LIMIT ").parameter(rows_of(page));
  return read_events(query.run(connection), page.limit);
}

// From value to value through the index: as many steps as there are values, not rows.
std::vector<std::string> read_projects(Connection& connection) {
  static constexpr std::string_view kProjects =
      "WITH RECURSIVE Found (Value) AS (SELECT MIN(Project) FROM Leads WHERE Project > '' UNION ALL "
      "SELECT (SELECT MIN(Project) FROM Leads WHERE Project > Found.Value) FROM Found WHERE Found.Value IS NOT NULL) "
      "SELECT Value FROM Found WHERE Value IS NOT NULL";
  return read_values(connection.run(kProjects, {}));
}

std::vector<std::string> read_sources(Connection& connection) {
  static constexpr std::string_view kSources =
      "WITH RECURSIVE Found (Value) AS (SELECT MIN(Source) FROM Leads WHERE Source > '' UNION ALL "
      "SELECT (SELECT MIN(Source) FROM Leads WHERE Source > Found.Value) FROM Found WHERE Found.Value IS NOT NULL) "
      "SELECT Value FROM Found WHERE Value IS NOT NULL";
  return read_values(connection.run(kSources, {}));
}

Summary read_summary(Connection& connection, std::string_view first_day) {
  static constexpr std::string_view kDays = "SELECT Day, Leads, Events FROM DailyTotals WHERE Day >= $1 ORDER BY Day";
  static constexpr std::string_view kStatusTotals =
      "SELECT CrmStatus, Leads FROM CrmStatusTotals WHERE Leads > 0 ORDER BY Leads DESC, CrmStatus";
  Summary summary;
  for (Rows rows = connection.run(kDays, {first_day}); rows.next();) {
    summary.days.push_back({std::string(rows.text(0)), rows.integer(1), rows.integer(2)});
  }
  for (Rows rows = connection.run(kStatusTotals, {}); rows.next();) {
    summary.crm_statuses.push_back({std::string(rows.text(0)), rows.integer(1)});
  }
  return summary;
}

}  // namespace leadline
