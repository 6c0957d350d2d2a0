#include "api/webhook.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/refusals.h"
#include "base/config.h"
#include "base/json.h"

namespace leadline {
namespace {

constexpr std::string_view kDefaultEventType = "updated";

// Why `value`, the source text of crm_lead_id, is no id; nothing where it is one, which is put into `*id`.
std::string_view read_crm_lead_id(std::string_view value, std::string* id) {
  if (value.empty()) return "crm_lead_id is required";
  if (!is_json_string(value)) return "crm_lead_id must be a string";
  JsonText decoded = decode_json_string(value);
  if (decoded.has_nul) return "crm_lead_id must not hold U+0000";
  if (decoded.has_surrogate) return "crm_lead_id must not hold a lone surrogate";
  if (decoded.text.empty()) return "crm_lead_id must not be empty";
  *id = std::move(decoded.text);
  return {};
}

// An empty one is none.
bool is_good_key(std::string_view key) {
  return key.size() <= kKeyBytesMax && std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 127; });
}

Response answer_to(const Appended& appended) {
  if (appended.outcome != Outcome::kCommitted) return refuse_outcome(appended.outcome);
  Response response;
  response.stored = appended.matched;
  JsonWriter json;
  json.begin_object().key("ok").boolean(true).key("stored").boolean(appended.matched);
  if (appended.matched) {
    json.key("lead_id").number(appended.lead_id);
    response.lead_id = appended.lead_id;
  } else {
    json.key("reason").text("No matching lead or submission for crm_lead_id");
    response.unmatched_crm_lead_id = appended.held_crm_lead_id;
  }
  if (appended.duplicate) json.key("duplicate").boolean(true);
  response.body = json.end_object().take();
  return response;
}

}  // namespace

std::optional<Event> parse_event(std::string body, std::string* why) {
  std::array<JsonMember, 3> members = {{{"crm_lead_id", {}}, {"event_type", {}}, {"status", {}}}};
  if (std::optional<std::string> wrong = read_json_object(body, members)) {
    *why = *std::move(wrong);
    return std::nullopt;
  }
  Event event;
  *why = read_crm_lead_id(members[0].value, &event.crm_lead_id);
  if (!why->empty()) return std::nullopt;
  event.event_type = optional_json_text(members[1].value);
  if (event.event_type.empty()) event.event_type = kDefaultEventType;
  event.status = optional_json_text(members[2].value);
  event.payload = std::move(body);
  return event;
}

void post_crm_event(const Context& context, Request* request, const Reply& reply) {
  std::string why;
  if (!is_good_key(request->idempotency_key)) {
    return reply(refusal(400, "Idempotency-Key or webhook-id must be 1 to 255 visible ASCII characters"));
  }
  std::optional<Event> event = parse_event(std::move(request->body), &why);
  if (!event) return reply(refusal(400, why));
  event->received_at = rfc3339(context.clock.wall_ms());
  event->key = std::move(request->idempotency_key);
  const bool taken = context.store->append(*std::move(event), [reply](const Appended& appended) {
    reply(answer_to(appended));  // On the answering thread, once it is on disk.
  });
  if (!taken) reply(refuse_full_queue());
}

}  // namespace leadline
