#include "api/leads.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "api/cursor.h"
#include "api/refusals.h"
#include "base/config.h"
#include "base/json.h"
#include "base/query.h"

namespace leadline {
namespace {

Response ok(JsonWriter* json) {
  Response response;
  response.body = json->take();
  return response;
}

// A whole number from 1 to `most`; where it is not given, `fallback`. None where it is something else.
std::optional<std::size_t> read_limit(const Parameter& parameter, std::size_t fallback, std::size_t most) {
  const std::string& text = parameter.value;
  if (text.empty()) return fallback;
  std::size_t limit = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || stop != text.data() + text.size() || limit < 1 || limit > most) return std::nullopt;
  return limit;
}

// What an answer depends on besides the database.
std::string page_name(const Request& request) { return request.path + '?' + request.query; }

struct PageLimits {
  std::size_t fallback, most;
};

// Reads a page's two parameters. `scope` is what its cursors are tied to. Returns what is wrong, if anything.
std::optional<std::string> read_page_request(std::span<const Parameter, 2> limit_and_cursor, const PageLimits& limits,
                                             std::string_view scope, PageRequest* page) {
  const Parameter& limit = limit_and_cursor[0];
  const Parameter& cursor = limit_and_cursor[1];
  const std::optional<std::size_t> rows = read_limit(limit, limits.fallback, limits.most);
  if (!rows) return std::string(limit.name) + " must be a whole number from 1 to " + std::to_string(limits.most);
  page->limit = *rows;
  if (cursor.value.empty()) return std::nullopt;
  page->after = read_cursor(cursor.value, scope);
  if (!page->after) return std::string(cursor.name) + " must be one that this list gave, with the same filters";
  return std::nullopt;
}

// A date-time, or a date: then its first moment, or its last.
std::optional<std::string> read_time(Parameter* parameter, bool last_moment) {
  if (parameter->value.empty()) return std::nullopt;
  bool cut = false;
  std::optional<std::int64_t> moment = parse_rfc3339(parameter->value, &cut);
  if (moment && cut && !last_moment) ++*moment;  // Rows have milliseconds: the first that is not before it.
  if (!moment) {
    moment = parse_date(parameter->value);
    if (moment && last_moment) *moment += kDayMs - 1;
  }
  if (!moment) return std::string(parameter->name) + " must be a date or an RFC 3339 date-time";
  parameter->value = rfc3339(std::clamp(*moment, kWallMsLeast, kWallMsMost));
  return std::nullopt;
}

void write_payload(std::string_view payload, bool is_judged, JsonWriter* json) {
  if (payload.empty()) {
    json->null();
  } else if (is_judged || !scan_json(payload)) {
    json->source(payload);
  } else {
    json->text(payload);  // Another program wrote it, and it is no JSON.
  }
}

void write_event(const StoredEvent& event, JsonWriter* json) {
  json->begin_object().key("id").number(event.id).key("crm_lead_id").text_or_null(event.crm_lead_id);
  json->key("event_type").text_or_null(event.event_type).key("payload");
  write_payload(event.payload, event.payload_is_judged, json);
  json->key("received_at").text_or_null(event.received_at).end_object();
}

void write_events(const Page<StoredEvent>& page, JsonWriter* json) {
  json->begin_array();
  for (const StoredEvent& event : page.items) write_event(event, json);
  json->end_array();
}

void write_submissions(const std::vector<Submission>& submissions, JsonWriter* json) {
  json->begin_array();
  for (const Submission& submission : submissions) {
    json->begin_object().key("id").number(submission.id).key("crm_lead_id").text_or_null(submission.crm_lead_id);
    json->key("form").text_or_null(submission.form).key("page_url").text_or_null(submission.page_url).key("payload");
    write_payload(submission.payload, false, json);
    json->key("submitted_at").text_or_null(submission.submitted_at).end_object();
  }
  json->end_array();
}

void write_next(std::string_view key, const std::optional<Position>& next, std::string_view scope, JsonWriter* json) {
  json->key(key).text_or_null(next ? write_cursor(*next, scope) : std::string());
}

void write_lead_members(const Lead& lead, JsonWriter* json) {
  json->key("id").number(lead.id);
  for (const auto& [key, text] :
       std::initializer_list<std::pair<std::string_view, const std::string&>>{{"crm_lead_id", lead.crm_lead_id},
                                                                              {"name", lead.name},
                                                                              {"email", lead.email},
                                                                              {"phone", lead.phone},
                                                                              {"project", lead.project},
                                                                              {"source", lead.source},
                                                                              {"status", lead.status},
                                                                              {"crm_status", lead.crm_status},
                                                                              {"created_at", lead.created_at},
                                                                              {"updated_at", lead.updated_at}}) {
    json->key(key).text_or_null(text);
  }
}

Response list_values(std::string_view key, const std::vector<std::string>& values) {
  JsonWriter json;
  json.begin_object().key(key).begin_array();
  for (const std::string& value : values) json.text(value);
  json.end_array().end_object();
  return ok(&json);
}

// list_leads' parameters, in the order in which they are read.
enum : std::size_t { kLimit, kCursor, kQ, kProject, kSource, kStatus, kFrom, kTo, kListParameters };

std::array<Parameter, kListParameters> list_parameters() {
  return {{{"limit", {}},
           {"cursor", {}},
           {"q", {}},
           {"project", {}},
           {"source", {}},
           {"status", {}},
           {"from", {}},
           {"to", {}}}};
}

// Every filter's name and value, so that a cursor fits the filters that it was made with alone.
std::string scope_of(std::span<const Parameter> filters, std::string_view list) {
  std::string scope(list);
  for (const Parameter& filter : filters) {
    scope += '\0';
    scope += filter.name;
    scope += '=';
    scope += filter.value;
  }
  return scope;
}

}  // namespace

void write_lead(const Lead& lead, JsonWriter* json) {
  json->begin_object();
  write_lead_members(lead, json);
  json->end_object();
}

std::optional<std::int64_t> parse_lead_id(std::string_view text) {
  std::int64_t id = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool plain = !text.empty() && text.front() >= '1' && text.front() <= '9';
  if (!plain || error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return id;
}

Response get_lead(const Context& context, const Request& request) {
  const std::optional<std::int64_t> id = parse_lead_id(request.id);
  if (!id) return refuse_unknown_lead();
  std::array<Parameter, 2> parameters = {{{"activity_limit", {}}, {"activity_cursor", {}}}};
  const std::string scope = "activity of " + request.id;
  PageRequest page;
  std::optional<std::string> why = read_parameters(request.query, parameters);
  if (!why) why = read_page_request(parameters, {kActivityPageDefault, kActivityPageMax}, scope, &page);
  if (why) return refusal(400, *why);
  std::optional<std::string> body =
      context.store->read_page(page_name(request), [&](Connection& connection) -> std::optional<std::string> {
        const auto history = read_history(connection, *id, page);
        if (!history) return std::nullopt;
        JsonWriter json;
        json.begin_object().key("lead");
        write_lead(history->lead, &json);
        json.key("submissions");
        write_submissions(history->submissions, &json);
        json.key("crm_activity");
        write_events(history->activity, &json);
        write_next("crm_activity_next", history->activity.next, scope, &json);
        return json.end_object().take();
      });
  if (!body) return refuse_unknown_lead();
  Response response;
  response.body = *std::move(body);
  response.lead_id = *id;
  return response;
}

Response list_leads(const Context& context, const Request& request) {
  std::array<Parameter, kListParameters> parameters = list_parameters();
  PageRequest page;
  std::optional<std::string> why = read_parameters(request.query, parameters);
  if (!why && parameters[kQ].value.size() > kSearchBytesMax) {
    why = "q must not be longer than " + std::to_string(kSearchBytesMax) + " bytes";
  }
  if (!why) why = read_time(&parameters[kFrom], false);
  if (!why) why = read_time(&parameters[kTo], true);
  const std::string scope = scope_of(std::span(parameters).subspan(kQ), "leads");
  if (!why) why = read_page_request(std::span(parameters).first<2>(), {kListPageDefault, kListPageMax}, scope, &page);
  if (why) return refusal(400, *why);
  const LeadFilter filter{parameters[kQ].value,      parameters[kProject].value, parameters[kSource].value,
                          parameters[kStatus].value, parameters[kFrom].value,    parameters[kTo].value};
  const auto render = [&](Connection& connection) -> std::optional<std::string> {
    const Page<ListedLead> leads = read_leads(connection, filter, page);
    JsonWriter json;
    json.begin_object().key("leads").begin_array();
    for (const ListedLead& listed : leads.items) {
      json.begin_object();
      write_lead_members(listed.lead, &json);
      json.key("crm_event_count").number(listed.crm_event_count);
      json.key("last_activity_at").text_or_null(listed.last_activity_at).end_object();
    }
    json.end_array();
    write_next("next_cursor", leads.next, scope, &json);
    return json.end_object().take();
  };
  Response response;
  if (filter.q.empty()) {
    response.body = *context.store->read_page(page_name(request), render);
  } else {
    response.body = *context.store->read(render, context.clock.steady_us() + kSearchSeconds * 1'000'000LL);
  }
  return response;
}

Response list_projects(const Context& context, const Request& /*request*/) {
  return list_values("projects", context.store->read(read_projects));
}

Response list_sources(const Context& context, const Request& /*request*/) {
  return list_values("sources", context.store->read(read_sources));
}

Response list_unmatched(const Context& context, const Request& request) {
  std::array<Parameter, 3> parameters = {{{"limit", {}}, {"cursor", {}}, {"crm_lead_id", {}}}};
  PageRequest page;
  std::optional<std::string> why = read_parameters(request.query, parameters);
  const std::string scope = scope_of(std::span(parameters).subspan(2), "unmatched");
  if (!why) why = read_page_request(std::span(parameters).first<2>(), {kListPageDefault, kListPageMax}, scope, &page);
  if (why) return refusal(400, *why);
  const auto held =
      context.store->read([&](Connection& connection) { return read_held(connection, parameters[2].value, page); });

  JsonWriter json;
  json.begin_object().key("unmatched");
  write_events(held, &json);
  write_next("next_cursor", held.next, scope, &json);
  json.end_object();
  return ok(&json);
}

Response get_summary(const Context& context, const Request& request) {
  std::array<Parameter, 1> parameters = {{{"days", {}}}};
  if (const auto why = read_parameters(request.query, parameters)) return refusal(400, *why);
  const std::optional<std::size_t> days = read_limit(parameters[0], kSummaryDaysDefault, kSummaryDaysMax);
  if (!days) return refusal(400, "days must be a whole number from 1 to " + std::to_string(kSummaryDaysMax));
  const std::int64_t now_ms = context.clock.wall_ms();
  const auto day_before = [now_ms](std::size_t count) {
    return rfc3339(now_ms - static_cast<std::int64_t>(count) * kDayMs).substr(0, 10);
  };
  const Summary summary =
      context.store->read([&](Connection& connection) { return read_summary(connection, day_before(*days - 1)); });
  std::map<std::string, DailyTotal> by_day;
  for (const DailyTotal& total : summary.days) by_day[total.day] = total;

  JsonWriter json;
  json.begin_object().key("days").begin_array();
  for (std::size_t before = *days; before-- > 0;) {
    const std::string day = day_before(before);
    const DailyTotal& total = by_day[day];  // Zeros where nothing happened.
    json.begin_object().key("date").text(day).key("leads").number(total.leads);
    json.key("events").number(total.events).end_object();
  }
  json.end_array().key("crm_statuses").begin_array();
  for (const StatusTotal& total : summary.crm_statuses) {
    json.begin_object().key("status").text_or_null(total.crm_status).key("leads").number(total.leads).end_object();
  }
  json.end_array().end_object();
  return ok(&json);
}

bool is_search(const Request& request) {
  std::array<Parameter, 1> parameters = {{{"q", {}}}};
  return !read_parameters(request.query, parameters) && !parameters[0].value.empty();
}

}  // namespace leadline
