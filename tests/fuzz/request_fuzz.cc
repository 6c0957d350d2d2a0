// What is made of a request's variables: the path, the length, the query's parameters, the times in them, an event's
// body.
#include <array>
#include <map>
#include <string>

#include "api/leads.h"
#include "api/webhook.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/query.h"
#include "input.h"

namespace {

using leadline::Parameter;

void check_request(fuzz::Input input) {
  static constexpr const char* kNames[] = {
      "REQUEST_METHOD", "REQUEST_URI",    "QUERY_STRING",       "PATH_INFO",       "SCRIPT_NAME",
      "CONTENT_LENGTH", "HTTP_X_API_KEY", "HTTP_AUTHORIZATION", "HTTP_WEBHOOK_ID", "HTTP_X_REQUEST_ID"};
  std::map<std::string, std::string> variables;
  while (!input.is_empty()) {
    const char* const name = kNames[input.byte() % std::size(kNames)];
    variables[name] = std::string(input.text()).c_str();  // Variables end at the first U+0000.
  }
  const leadline::Request request = leadline::read_request([&variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
  PROMISE(request.method == variables["REQUEST_METHOD"]);
  PROMISE(request.path.find('?') == std::string::npos || variables["REQUEST_URI"].empty());
  const std::string& length = variables["CONTENT_LENGTH"];
  const bool digits = !length.empty() && length.find_first_not_of("0123456789") == std::string::npos;
  PROMISE(request.length_valid == (length.empty() || digits));
  PROMISE(request.content_length.has_value() == digits);
  if (digits && length.size() < 19) PROMISE(*request.content_length == std::stoull(length));
}

std::string escaped(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    out += '%';
    out += kDigits[static_cast<unsigned char>(c) >> 4U];
    out += kDigits[static_cast<unsigned char>(c) & 0xFU];
  }
  return out;
}

void check_query(std::string_view query) {
  std::array<Parameter, 3> known = {{{"q", {}}, {"limit", {}}, {"a b", {}}}};
  const auto wrong = leadline::read_parameters(query, known);
  if (wrong) PROMISE(wrong->starts_with("q ") || wrong->starts_with("limit ") || wrong->starts_with("a b "));
  if (!wrong) {
    for (const Parameter& parameter : known) {
      PROMISE(parameter.value.find('\0') == std::string::npos);
      // Written anew, it is read as the same.
      std::array<Parameter, 1> again = {{{"q", {}}}};
      PROMISE(!leadline::read_parameters("x=1&q=" + escaped(parameter.value), again));
      PROMISE(again[0].value == parameter.value);
    }
  }
  std::array<Parameter, 1> twice = {{{"q", {}}}};
  PROMISE(leadline::read_parameters("q=1&" + escaped("q") + "=" + escaped(query), twice));
}

void check_times(std::string_view text) {
  if (const auto moment = leadline::parse_rfc3339(text)) {
    const std::string canonical = leadline::rfc3339(*moment);
    PROMISE(leadline::parse_rfc3339(canonical) == moment || canonical.size() != 24);
  }
  if (const auto day = leadline::parse_date(text)) PROMISE(leadline::rfc3339(*day).substr(0, 10) == text);
  if (const auto id = leadline::parse_lead_id(text)) PROMISE(std::to_string(*id) == text && *id > 0);
}

void check_event(std::string_view body) {
  std::string why;
  const auto event = leadline::parse_event(std::string(body), &why);
  PROMISE(event.has_value() == why.empty());
  if (!event) return;
  PROMISE(event->payload == body);
  PROMISE(!event->crm_lead_id.empty() && event->crm_lead_id.find('\0') == std::string::npos);
  PROMISE(!event->event_type.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_request(fuzz::Input(data, size));
  check_query(text);
  check_times(text);
  check_event(text);
  return 0;
}
