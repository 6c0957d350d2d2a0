// The scanner's UTF-8, the members that it finds, the strings that are decoded, and the writer.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/json.h"
#include "support.h"

namespace leadline {
namespace {

using namespace std::string_literals;

bool accepts_in_string(const std::string& bytes) { return !scan_json('"' + bytes + '"').has_value(); }

std::string bytes_of(std::initializer_list<unsigned> bytes) {
  std::string text;
  for (const unsigned byte : bytes) text += static_cast<char>(byte);
  return text;
}

std::string utf8(std::uint32_t point) {
  if (point < 0x80) return bytes_of({point});
  if (point < 0x800) return bytes_of({0xC0 | point >> 6, 0x80 | (point & 63)});
  if (point < 0x10000) return bytes_of({0xE0 | point >> 12, 0x80 | (point >> 6 & 63), 0x80 | (point & 63)});
  return bytes_of({0xF0 | point >> 18, 0x80 | (point >> 12 & 63), 0x80 | (point >> 6 & 63), 0x80 | (point & 63)});
}

// The value of `name` in `text`, which must be valid.
std::string member(const std::string& text, std::string_view name) {
  std::array<JsonMember, 1> wanted = {{{name, {}}}};
  REQUIRE_FALSE(scan_json(text, wanted).has_value());
  return std::string(wanted[0].value);
}

TEST_CASE("json: UTF-8 at the edges of each length is accepted") {
  for (const std::uint32_t point : {0x20U, 0x7FU, 0x80U, 0x7FFU, 0x800U, 0xFFFU, 0x1000U, 0xCFFFU, 0xD000U, 0xD7FFU,
                                    0xE000U, 0xFFFDU, 0xFFFFU, 0x10000U, 0x3FFFFU, 0x40000U, 0xFFFFFU, 0x10FFFFU}) {
    CAPTURE(point);
    CHECK(accepts_in_string(utf8(point)));
  }
}

TEST_CASE("json: overlong forms are refused, in two, three and four bytes") {
  for (const std::string& bytes :
       {"\xC0\x80"s, "\xC0\xAF"s, "\xC1\xBF"s, "\xE0\x80\x80"s, "\xE0\x80\xAF"s, "\xE0\x9F\xBF"s, "\xF0\x80\x80\x80"s,
        "\xF0\x80\x80\xAF"s, "\xF0\x8F\xBF\xBF"s, "\xF8\x88\x80\x80\x80"s, "\xFC\x84\x80\x80\x80\x80"s}) {
    CHECK_FALSE(accepts_in_string(bytes));
  }
}

TEST_CASE("json: surrogates encoded as bytes are refused, single and paired") {
  CHECK_FALSE(accepts_in_string("\xED\xA0\x80"));
  CHECK_FALSE(accepts_in_string("\xED\xAF\xBF"));
  CHECK_FALSE(accepts_in_string("\xED\xB0\x80"));
  CHECK_FALSE(accepts_in_string("\xED\xBF\xBF"));
  CHECK_FALSE(accepts_in_string("\xED\xA0\xBD\xED\xB8\x80"));
}

TEST_CASE("json: code points past U+10FFFF are refused") {
  CHECK_FALSE(accepts_in_string("\xF4\x90\x80\x80"));
  CHECK_FALSE(accepts_in_string("\xF5\x80\x80\x80"));
  CHECK_FALSE(accepts_in_string("\xF7\xBF\xBF\xBF"));
  CHECK_FALSE(accepts_in_string("\xFE"));
  CHECK_FALSE(accepts_in_string("\xFF"));
}

TEST_CASE("json: a continuation byte without a lead is refused") {
  for (unsigned byte = 0x80; byte <= 0xBF; ++byte) CHECK_FALSE(accepts_in_string(bytes_of({byte})));
}

TEST_CASE("json: a sequence that is cut off is refused, before the quote, before the end and before another") {
  for (const std::string& cut :
       {"\xC2"s, "\xE1"s, "\xE1\x80"s, "\xF1"s, "\xF1\x80"s, "\xF1\x80\x80"s, "\xDF"s, "\xEF\xBF"s, "\xF4\x8F\xBF"s}) {
    CHECK_FALSE(accepts_in_string(cut));
    CHECK(scan_json('"' + cut).has_value());
    CHECK_FALSE(accepts_in_string(cut + "\xC3\xA9"));
  }
}

TEST_CASE("json: every code point but the surrogates is accepted, every one of them refused") {
  std::size_t wrong = 0;
  for (std::uint32_t point = 0x80; point <= 0x10FFFF; ++point) {
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (accepts_in_string(utf8(point)) == surrogate) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("json: of all pairs of bytes beyond ASCII, only the two-byte forms are UTF-8") {
  std::size_t wrong = 0;
  for (unsigned first = 0x80; first <= 0xFF; ++first) {
    for (unsigned second = 0x80; second <= 0xFF; ++second) {
      const bool good = first >= 0xC2 && first <= 0xDF && second <= 0xBF;
      if (accepts_in_string(bytes_of({first, second})) != good) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("json: each byte of a sequence has its own range") {
  std::size_t wrong = 0;
  const std::vector<std::string> good = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  for (const std::string& sequence : good) {
    for (std::size_t i = 1; i < sequence.size(); ++i) {
      for (unsigned byte = 0x20; byte <= 0xFF; ++byte) {
        std::string changed = sequence;
        changed[i] = static_cast<char>(byte);
        const bool low_enough = i > 1 || sequence.size() < 4 || byte >= 0x90;  // After F0.
        const bool expected = byte >= 0x80 && byte <= 0xBF && low_enough;
        if (accepts_in_string(changed) != expected) ++wrong;
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("json: bad UTF-8 in a member's name is refused too") { CHECK(scan_json("{\"\xC0\x80\":1}").has_value()); }

TEST_CASE("json: a member's value is its source text, without the blanks around it") {
  const std::string text = R"({ "a" : "x\u0041" , "b" : [ 1, {"a":2} ] , "c" : -1.50e2 , "d":{} ,"e" : null })";
  CHECK(member(text, "a") == R"("x\u0041")");
  CHECK(member(text, "b") == R"([ 1, {"a":2} ])");
  CHECK(member(text, "c") == "-1.50e2");
  CHECK(member(text, "d") == "{}");
  CHECK(member(text, "e") == "null");
}

TEST_CASE("json: a member that is not there is empty") {
  CHECK(member("{\"a\":1}", "b").empty());
  CHECK(member("{}", "b").empty());
}

TEST_CASE("json: where a name is given twice the last one counts") {
  CHECK(member(R"({"a":1,"b":2,"a":3})", "a") == "3");
  CHECK(member(R"({"a":{"x":1},"a":"s"})", "a") == R"("s")");
  CHECK(member(R"({"a":"s","a":{"x":1}})", "a") == R"({"x":1})");
}

TEST_CASE("json: a name is compared as decoded text") {
  CHECK(member(R"({"\u0061\u0062":1})", "ab") == "1");
  CHECK(member(R"({"ab":1,"a\u0062":2})", "ab") == "2");
  CHECK(member(R"({"\ud83d\ude00":1})", "\xF0\x9F\x98\x80") == "1");
  CHECK(member(R"({"a\/b":1})", "a/b") == "1");
}

TEST_CASE("json: a name's case matters") { CHECK(member(R"({"A":1})", "a").empty()); }

TEST_CASE("json: a name that goes on after U+0000 is another name") {
  CHECK(member(R"({"ab\u0000c":1})", "ab").empty());
}

TEST_CASE("json: a member of an inner object is not taken for the outer one's") {
  CHECK(member(R"({"x":{"a":1},"y":[{"a":2}]})", "a").empty());
  CHECK(member(R"({"a":0,"x":{"a":1}})", "a") == "0");
}

TEST_CASE("json: the members of an array's objects are not taken") {
  CHECK(member(R"([{"a":1}])", "a").empty());
  CHECK(member(R"(["a",1])", "a").empty());
}

TEST_CASE("json: several members are found in one walk") {
  std::array<JsonMember, 2> wanted = {{{"b", {}}, {"a", {}}}};
  REQUIRE_FALSE(scan_json(R"({"a":1,"b":[2]})", wanted).has_value());
  CHECK(wanted[0].value == "[2]");
  CHECK(wanted[1].value == "1");
}

TEST_CASE("json: a string's escapes are decoded") {
  CHECK(decode_json_string(R"("\"\\\/\b\f\n\r\t")").text == "\"\\/\b\f\n\r\t");
  CHECK(decode_json_string(R"("\u0041\u00e9\u20AC\ud83d\uDE00")").text == "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(decode_json_string("\"\"").text.empty());
  CHECK(decode_json_string("\"\x7F caf\xC3\xA9\"").text == "\x7F caf\xC3\xA9");
}

TEST_CASE("json: an escaped U+0000 is noticed, wherever it stands") {
  CHECK(decode_json_string(R"("\u0000")").has_nul);
  CHECK(decode_json_string(R"("ab\u0000cd")").has_nul);
  CHECK(decode_json_string(R"("ab\\\u0000")").has_nul);
}

TEST_CASE("json: an escaped backslash before u0000 is no U+0000") {
  const JsonText decoded = decode_json_string(R"("\\u0000")");
  CHECK_FALSE(decoded.has_nul);
  CHECK(decoded.text == "\\u0000");
}

TEST_CASE("json: a lone surrogate is read as U+FFFD and noticed") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("\ud800")", "\xEF\xBF\xBD"},
      {R"("\udfff")", "\xEF\xBF\xBD"},
      {R"("a\uDBFFb")", "a\xEF\xBF\xBD"s + "b"},
      {R"("\udc00\ud800")", "\xEF\xBF\xBD\xEF\xBF\xBD"},
      {R"("\ud83d\ud83d\ude00")", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
      {R"("\ud83d\u0041")", "\xEF\xBF\xBD"s + "A"},
      {R"("\ud83d\n")", "\xEF\xBF\xBD\n"},
      {R"("\ud83d\\ude00")", "\xEF\xBF\xBD\\ude00"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.first);
    const JsonText decoded = decode_json_string(one.first);
    CHECK(decoded.text == one.second);
    CHECK(decoded.has_surrogate);
    CHECK_FALSE(decoded.has_nul);
  }
}

TEST_CASE("json: a proper pair at the edges of its range is no lone surrogate") {
  const JsonText least = decode_json_string(R"("\ud800\udc00")");
  CHECK(least.text == "\xF0\x90\x80\x80");
  CHECK_FALSE(least.has_surrogate);
  const JsonText most = decode_json_string(R"("\uDBFF\uDFFF")");
  CHECK(most.text == "\xF4\x8F\xBF\xBF");
  CHECK_FALSE(most.has_surrogate);
}

TEST_CASE("json: neighbours of the surrogates are ordinary escapes") {
  const JsonText decoded = decode_json_string(R"("\ud7ff\ue000")");
  CHECK(decoded.text == "\xED\x9F\xBF\xEE\x80\x80");
  CHECK_FALSE(decoded.has_surrogate);
}

TEST_CASE("json: a long string is decoded whole") {
  const std::string long_text(1'000'000, 'x');
  CHECK(decode_json_string('"' + long_text + '"').text == long_text);
}

TEST_CASE("json writer: objects and arrays get their commas") {
  JsonWriter json;
  json.begin_object().key("a").begin_array().number(1).number(2).begin_object().end_object().begin_array().end_array();
  json.end_array().key("b").begin_object().key("c").null().end_object().key("d").boolean(false).end_object();
  CHECK(json.take() == R"({"a":[1,2,{},[]],"b":{"c":null},"d":false})");
}

TEST_CASE("json writer: the least and the greatest number keep their digits") {
  JsonWriter json;
  json.begin_array().number(std::numeric_limits<std::int64_t>::min()).number(std::numeric_limits<std::int64_t>::max());
  CHECK(json.end_array().take() == "[-9223372036854775808,9223372036854775807]");
}

TEST_CASE("json writer: an empty text is null where that is wanted") {
  JsonWriter json;
  json.begin_array().text_or_null("").text_or_null("x").text("");
  CHECK(json.end_array().take() == R"([null,"x",""])");
}

TEST_CASE("json writer: a source is spliced in byte for byte") {
  JsonWriter json;
  json.begin_array().source(R"({ "n": 9007199254740993, "n": 1.0 })").source("0");
  CHECK(json.end_array().take() == R"([{ "n": 9007199254740993, "n": 1.0 },0])");
}

TEST_CASE("json writer: quotes, backslashes and control characters are escaped, in names too") {
  JsonWriter json;
  json.begin_object().key("a\"\\").text("\n\x1F\x7F/"s + '\0').end_object();
  CHECK(json.take() == "{\"a\\\"\\\\\":\"\\u000a\\u001f\x7F/\\u0000\"}");
}

TEST_CASE("json writer: good UTF-8 is left as it is") {
  JsonWriter json;
  json.text("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
  CHECK(json.take() == "\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
}

TEST_CASE("json writer: bytes that are no UTF-8 become U+FFFD") {
  JsonWriter json;
  json.begin_array().text("caf\xE9 noir").text("\xE2\x82").text("\xED\xA0\x80").text("\xC0\x80").text("\xC3");
  CHECK(json.end_array().take() ==
        "[\"caf\xEF\xBF\xBD noir\",\"\xEF\xBF\xBD\xEF\xBF\xBD\",\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\","
        "\"\xEF\xBF\xBD\xEF\xBF\xBD\",\"\xEF\xBF\xBD\"]");
}

TEST_CASE("json writer: whatever bytes go in, valid JSON comes out") {
  std::uint32_t random = 1;
  std::size_t wrong = 0;
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes;
    for (int i = 0; i < 40; ++i) {
      random = random * 1'664'525 + 1'013'904'223;
      bytes += static_cast<char>(random >> 24);
    }
    JsonWriter json;
    json.begin_object().key(bytes).text(bytes).end_object();
    if (scan_json(json.take())) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("json writer: a text that is written and decoded is the same text") {
  const std::string text = "a\"b\\c/\b\f\n\r\t\x01\x7F \xC3\xA9\xF0\x9F\x98\x80";
  JsonWriter json;
  json.text(text);
  CHECK(decode_json_string(json.take()).text == text);
}

}  // namespace
}  // namespace leadline
