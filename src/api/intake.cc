#include "api/intake.h"

#include <array>
#include <utility>

#include "api/leads.h"
#include "api/refusals.h"
#include "base/json.h"

namespace leadline {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";

void trim(std::string* text) {
  text->erase(0, std::min(text->size(), text->find_first_not_of(kBlanks)));
  text->erase(text->find_last_not_of(kBlanks) + 1);
}

// The text fields by their names, in the order in which they are judged.
struct TextField {
  std::string_view name;
  std::string NewLead::*text;
};
constexpr std::array kTextFields = {
    TextField{"name", &NewLead::name},         TextField{"email", &NewLead::email},
    TextField{"phone", &NewLead::phone},       TextField{"project", &NewLead::project},
    TextField{"source", &NewLead::source},     TextField{"form", &NewLead::form},
    TextField{"page_url", &NewLead::page_url}, TextField{"crm_lead_id", &NewLead::crm_lead_id},
};

// Reads a string, or null where that is allowed. Returns what is wrong, naming the field.
std::optional<std::string> read_text(const JsonMember& member, std::string* text) {
  const std::string name(member.name);
  if (member.value.empty() || member.value == "null") return std::nullopt;
  if (!is_json_string(member.value)) return name + " must be a string";
  JsonText decoded = decode_json_string(member.value);
  if (decoded.has_nul) return name + " must not hold U+0000";
  if (decoded.has_surrogate) return name + " must not hold a lone surrogate";
  *text = std::move(decoded.text);
  return std::nullopt;
}

// Reads a change out of a body. Returns what is wrong, naming the field.
std::optional<std::string> read_change(std::string_view body, LeadChange* change) {
  std::array<JsonMember, 2> members = {{{"crm_lead_id", {}}, {"status", {}}}};
  if (std::optional<std::string> why = read_json_object(body, members)) return why;
  const auto& [crm_lead_id, status] = members;
  if (crm_lead_id.value.empty() && status.value.empty()) return "crm_lead_id or status is required";
  if (!crm_lead_id.value.empty()) {
    std::string text;
    if (std::optional<std::string> why = read_text(crm_lead_id, &text)) return why;
    if (text.empty() && crm_lead_id.value != "null") return "crm_lead_id must not be empty; null takes it away";
    change->crm_lead_id = std::move(text);
  }
  if (!status.value.empty()) {
    std::string text;
    if (status.value == "null") return "status must be a string";
    if (std::optional<std::string> why = read_text(status, &text)) return why;
    if (text.empty()) return "status must not be empty";
    change->status = std::move(text);
  }
  return std::nullopt;
}

Response answer_to(const TakenIn& taken) {
  if (taken.outcome != Outcome::kCommitted) return refuse_outcome(taken.outcome);
  JsonWriter json;
  json.begin_object().key("ok").boolean(true).key("lead_id").number(taken.lead_id);
  json.key("submission_id").number(taken.submission_id).key("created").boolean(taken.created).end_object();
  Response response;
  response.status = taken.created ? 201 : 200;
  response.body = json.take();
  response.stored = true;
  response.lead_id = taken.lead_id;
  return response;
}

Response answer_to(const Changed& changed) {
  if (changed.outcome != Outcome::kCommitted) return refuse_outcome(changed.outcome);
  if (!changed.lead) return refuse_unknown_lead();
  JsonWriter json;
  json.begin_object().key("lead");
  write_lead(*changed.lead, &json);
  Response response;
  response.body = json.end_object().take();
  response.lead_id = changed.lead->id;
  return response;
}

}  // namespace

std::string NewLead::*new_lead_field(std::string_view name) {
  for (const TextField& field : kTextFields) {
    if (field.name == name) return field.text;
  }
  return nullptr;
}

std::optional<std::string> tidy_new_lead(NewLead* lead) {
  for (const TextField& field : kTextFields) {
    std::string& text = lead->*field.text;
    if (field.text != &NewLead::crm_lead_id) trim(&text);  // That one is matched byte for byte.
    if (!is_utf8(text)) return std::string(field.name) + " must be valid UTF-8";
    if (text.find('\0') != std::string::npos) return std::string(field.name) + " must not hold U+0000";
  }
  if (lead->email.empty() && lead->phone.empty()) return "email or phone is required";
  return std::nullopt;
}

std::optional<NewLead> parse_new_lead(std::string_view json, std::string* why) {
  std::array<JsonMember, kTextFields.size() + 1> members;
  for (std::size_t i = 0; i < kTextFields.size(); ++i) members[i].name = kTextFields[i].name;
  JsonMember& payload = members.back();
  payload.name = "payload";
  std::optional<std::string> wrong = read_json_object(json, members);
  NewLead lead;
  for (std::size_t i = 0; i < kTextFields.size() && !wrong; ++i) {
    wrong = read_text(members[i], &(lead.*kTextFields[i].text));
  }
  if (payload.value != "null") lead.payload = payload.value;
  if (!wrong) wrong = tidy_new_lead(&lead);
  if (!wrong) return lead;
  *why = *std::move(wrong);
  return std::nullopt;
}

void post_lead(const Context& context, Request* request, const Reply& reply) {
  std::string why;
  std::optional<NewLead> lead = parse_new_lead(request->body, &why);
  if (!lead) return reply(refusal(400, why));
  lead->created_at = rfc3339(context.clock.wall_ms());
  const bool taken = context.store->take_in(*std::move(lead), [reply](const TakenIn& in) { reply(answer_to(in)); });
  if (!taken) reply(refuse_full_queue());
}

void patch_lead(const Context& context, Request* request, const Reply& reply) {
  const std::optional<std::int64_t> id = parse_lead_id(request->id);
  if (!id) return reply(refuse_unknown_lead());
  LeadChange change;
  change.lead_id = *id;
  if (const auto why = read_change(request->body, &change)) return reply(refusal(400, *why));
  change.updated_at = rfc3339(context.clock.wall_ms());
  const bool taken = context.store->change(std::move(change), [reply](const Changed& now) { reply(answer_to(now)); });
  if (!taken) reply(refuse_full_queue());
}

}  // namespace leadline
