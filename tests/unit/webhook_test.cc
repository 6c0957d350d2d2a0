// What is an event, by the contract's rules for a body.
#include "api/webhook.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support.h"

namespace leadline {
namespace {

Event event_of(const std::string& body) {
  std::string why;
  std::optional<Event> event = parse_event(body, &why);
  REQUIRE_MESSAGE(event.has_value(), why);
  return *event;
}

std::string refusal_of(const std::string& body) {
  std::string why;
  return parse_event(body, &why) ? "(none)" : why;
}

TEST_CASE("webhook: an event is read out of a body") {
  const Event event = event_of(R"({"crm_lead_id":"crm-1","event_type":"status_changed","status":"qualified"})");
  CHECK(event.crm_lead_id == "crm-1");
  CHECK(event.event_type == "status_changed");
  CHECK(event.status == "qualified");
}

TEST_CASE("webhook: the payload is the body, byte for byte") {
  for (const std::string& body :
       {std::string("{\"crm_lead_id\":\"x\"}"),
        std::string("\r\n {\"n\":9007199254740993,\"crm_lead_id\" : \"x\"}\t\n"),
        std::string(R"({"a":1,"crm_lead_id":"y","a":2.50,"crm_lead_id":"x","z":"\u0000\ud800\/"})")}) {
    CHECK(event_of(body).payload == body);
    CHECK(event_of(body).crm_lead_id == "x");
  }
}

TEST_CASE("webhook: members that nobody asked for may be anything") {
  CHECK(event_of(R"({"x":null,"crm_lead_id":"a","y":[{"crm_lead_id":5}],"z":1e999})").crm_lead_id == "a");
}

TEST_CASE("webhook: a body that is no JSON is refused with the byte") {
  CHECK(refusal_of("") == "invalid JSON at byte 0: the text is empty");
  CHECK(refusal_of(R"({"crm_lead_id":"a",})") == "invalid JSON at byte 19: expected a member's name");
  CHECK(refusal_of(R"({"crm_lead_id":"a"} x)") == "invalid JSON at byte 20: more text after the value");
  CHECK(refusal_of("\xEF\xBB\xBF{\"crm_lead_id\":\"a\"}") ==
        "invalid JSON at byte 0: a byte order mark is not allowed");
  CHECK(refusal_of("{\"crm_lead_id\":\"\xFF\"}") == "invalid JSON at byte 16: not valid UTF-8");
}

TEST_CASE("webhook: what is wrong anywhere in the body refuses it, also after a good id") {
  CHECK(refusal_of(R"({"crm_lead_id":"a","x":01})").starts_with("invalid JSON at byte 24"));
  CHECK(refusal_of("{\"crm_lead_id\":\"a\"}\n{\"crm_lead_id\":\"b\"}").starts_with("invalid JSON at byte 20"));
}

TEST_CASE("webhook: a body may be nested 512 deep and no deeper") {
  const auto nested = [](std::size_t depth) {
    return "{\"crm_lead_id\":\"a\",\"x\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + '}';
  };
  CHECK(event_of(nested(512)).crm_lead_id == "a");
  CHECK(refusal_of(nested(513)).find("nested deeper than 512") != std::string::npos);
}

TEST_CASE("webhook: a body that is no object is refused") {
  for (const char* body : {"[]", "[{\"crm_lead_id\":\"a\"}]", "\"crm_lead_id\"", "1", "null", "true"}) {
    CAPTURE(body);
    CHECK(refusal_of(body) == "the body must be a JSON object");
  }
}

TEST_CASE("webhook: a missing crm_lead_id is refused, also where its name is written otherwise or deeper down") {
  for (const char* body : {"{}", R"({"CRM_LEAD_ID":"a"})", R"({"crm_lead_id ":"a"})", R"({"crmLeadId":"a"})",
                           R"({"data":{"crm_lead_id":"a"}})", R"({"x":"crm_lead_id"})"}) {
    CAPTURE(body);
    CHECK(refusal_of(body) == "crm_lead_id is required");
  }
}

TEST_CASE("webhook: a crm_lead_id that is no string is refused") {
  for (const char* value : {"null", "1", "12345678901234567890", "true", "{}", "[\"a\"]"}) {
    CAPTURE(value);
    CHECK(refusal_of(std::string(R"({"crm_lead_id":)") + value + "}") == "crm_lead_id must be a string");
  }
}

TEST_CASE("webhook: an empty crm_lead_id is refused") {
  CHECK(refusal_of(R"({"crm_lead_id":""})") == "crm_lead_id must not be empty");
}

TEST_CASE("webhook: a crm_lead_id that holds U+0000 is refused, wherever it stands") {
  for (const char* value : {R"("\u0000")", R"("a\u0000")", R"("\u0000a")", R"("a\u0000b")"}) {
    CAPTURE(value);
    CHECK(refusal_of(std::string(R"({"crm_lead_id":)") + value + "}") == "crm_lead_id must not hold U+0000");
  }
}

TEST_CASE("webhook: a crm_lead_id that holds a lone surrogate is refused") {
  for (const char* value : {R"("\ud800")", R"("a\udfff")", R"("\ude00\ud83d")", R"("\ud83d\u0041")"}) {
    CAPTURE(value);
    CHECK(refusal_of(std::string(R"({"crm_lead_id":)") + value + "}") == "crm_lead_id must not hold a lone surrogate");
  }
}

TEST_CASE("webhook: a crm_lead_id is decoded, and not trimmed or shortened") {
  CHECK(event_of(R"({"crm_lead_id":"\u00e9\ud83d\ude00\n\"\\\/"})").crm_lead_id == "\xC3\xA9\xF0\x9F\x98\x80\n\"\\/");
  CHECK(event_of(R"({"crm_lead_id":"  a "})").crm_lead_id == "  a ");
  CHECK(event_of(R"({"crm_lead_id":" "})").crm_lead_id == " ");
  const std::string long_id(100'000, 'x');
  CHECK(event_of("{\"crm_lead_id\":\"" + long_id + "\"}").crm_lead_id == long_id);
}

TEST_CASE("webhook: of two crm_lead_ids the last one counts, for good and for bad") {
  CHECK(event_of(R"({"crm_lead_id":1,"crm_lead_id":"b"})").crm_lead_id == "b");
  CHECK(event_of(R"({"crm_lead_id":"a","\u0063rm_lead_id":"b"})").crm_lead_id == "b");
  CHECK(refusal_of(R"({"crm_lead_id":"a","crm_lead_id":""})") == "crm_lead_id must not be empty");
  CHECK(refusal_of(R"({"crm_lead_id":"a","crm_lead_id":null})") == "crm_lead_id must be a string");
}

TEST_CASE("webhook: a name that goes on after U+0000 is not crm_lead_id") {
  CHECK(refusal_of(R"({"crm_lead_id\u0000":"a"})") == "crm_lead_id is required");
  CHECK(event_of(R"({"crm_lead_id":"a","crm_lead_id\u0000x":"b"})").crm_lead_id == "a");
}

TEST_CASE("webhook: the event_type is 'updated' where it is absent, empty, no string or holds U+0000") {
  CHECK(event_of(R"({"crm_lead_id":"a"})").event_type == "updated");
  for (const char* value : {R"("")", "null", "1", "true", "[]", "{\"a\":\"b\"}", R"("a\u0000b")"}) {
    CAPTURE(value);
    CHECK(event_of(std::string(R"({"crm_lead_id":"a","event_type":)") + value + "}").event_type == "updated");
  }
}

TEST_CASE("webhook: of two event_types the last one counts") {
  CHECK(event_of(R"({"event_type":"x","crm_lead_id":"a","event_type":"y"})").event_type == "y");
  CHECK(event_of(R"({"event_type":"x","crm_lead_id":"a","event_type":7})").event_type == "updated");
}

TEST_CASE("webhook: a lone surrogate in event_type is read as U+FFFD") {
  CHECK(event_of(R"({"crm_lead_id":"a","event_type":"x\ud800y"})").event_type == "x\xEF\xBF\xBDy");
}

TEST_CASE("webhook: an event_type of blanks is kept as it is") {
  CHECK(event_of(R"({"crm_lead_id":"a","event_type":" "})").event_type == " ");
}

TEST_CASE("webhook: the status is empty where the payload has no text for it, and never a reason to refuse") {
  CHECK(event_of(R"({"crm_lead_id":"a"})").status.empty());
  for (const char* value : {R"("")", "null", "3", "{}", R"("a\u0000b")"}) {
    CAPTURE(value);
    CHECK(event_of(std::string(R"({"crm_lead_id":"a","status":)") + value + "}").status.empty());
  }
}

TEST_CASE("webhook: a refusal does not repeat the body") {
  CHECK(refusal_of(R"({"crm_lead_id":"private" private})").find("private") == std::string::npos);
}

}  // namespace
}  // namespace leadline
