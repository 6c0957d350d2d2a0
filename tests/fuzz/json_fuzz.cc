// The JSON scanner, the decoder and the writer. cJSON is half an oracle: what we accept it must accept, but for lone
// surrogates and numbers longer than its buffer. And what the grammar generates, we accept.
#include <cjson/cJSON.h>

#include <array>
#include <memory>

#include "base/json.h"
#include "input.h"

namespace {

using leadline::JsonMember;
using leadline::scan_json;

bool cjson_accepts(std::string_view text) {
  const char* end = nullptr;
  const std::unique_ptr<cJSON, decltype(&cJSON_Delete)> value(
      cJSON_ParseWithLengthOpts(text.data(), text.size(), &end, 0), &cJSON_Delete);
  if (value == nullptr) return false;
  return std::string_view(end, static_cast<std::size_t>(text.data() + text.size() - end))
             .find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// What cJSON is known to refuse though the grammar allows it.
bool is_beyond_cjson(std::string_view text) {
  constexpr std::size_t kNumberBytes = 60;
  std::size_t run = 0;
  for (const char c : text) {
    run = std::string_view("0123456789+-.eE").find(c) == std::string_view::npos ? 0 : run + 1;
    if (run >= kNumberBytes) return true;
  }
  return text.find("\\u") != std::string_view::npos;
}

void check_accepted(std::string_view text) {
  PROMISE(leadline::is_utf8(text));
  if (!is_beyond_cjson(text)) PROMISE(cjson_accepts(text));
  std::array<JsonMember, 2> members = {{{"a", {}}, {"status", {}}}};
  PROMISE(!scan_json(text, members));
  for (const JsonMember& member : members) {
    if (member.value.empty()) continue;
    PROMISE(member.value.data() >= text.data() && member.value.end() <= text.end());
    PROMISE(!scan_json(member.value));
    const std::string decoded = leadline::optional_json_text(member.value);
    PROMISE(leadline::is_utf8(decoded));
    PROMISE(decoded.empty() || leadline::is_json_string(member.value));
  }
  leadline::JsonWriter writer;
  writer.begin_array().source(text).number(1).end_array();
  // One level more than the text had may be one too many.
  const auto wrong = scan_json(writer.take());
  PROMISE(!wrong || std::string_view(wrong->what).find("deeper") != std::string_view::npos);
}

// Any bytes, written as a text: valid JSON, and the same text again where it was one.
void check_written(std::string_view bytes) {
  leadline::JsonWriter writer;
  writer.begin_object().key(bytes).text(bytes).end_object();
  PROMISE(!scan_json(writer.take()));
  writer.text(bytes);
  leadline::JsonWriter alone;
  alone.text(bytes);
  const std::string source = alone.take();
  PROMISE(!scan_json(source));
  const leadline::JsonText decoded = leadline::decode_json_string(source);
  if (leadline::is_utf8(bytes) && bytes.find('\0') == std::string_view::npos) PROMISE(decoded.text == bytes);
}

// A value by the grammar, led by the input's bytes.
void generate(fuzz::Input* input, int depth, std::string* out) {
  static constexpr std::string_view kBlanks[] = {"", "", "", " ", "\t", "\n", "\r\n"};
  static constexpr std::string_view kScalars[] = {
      "null",
      "true",
      "false",
      "0",
      "-0",
      "1e5",
      "-1.5E-3",
      "\"\"",
      "1.0e+9",
      "12345678901234567890",
      "\"\\ud800\"",
      "\"\\u0000\"",
      "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
      "\"\xF0\x9F\x98\x80\"",
      "\"\x7F\"",
      "\"\\uD83D\\uDE00\"",
      "0.00000000000000000000000000000000000000000000000000000000000000001"};
  const auto blank = [&] { *out += kBlanks[input->byte() % std::size(kBlanks)]; };
  const int kind = input->is_empty() || depth >= 500 ? 2 : input->byte() % 4;
  blank();
  if (kind == 0 || kind == 1) {
    *out += kind == 0 ? '{' : '[';
    blank();
    for (int i = 0, count = input->byte() % 4; i < count; ++i) {
      if (i > 0) *out += ',';
      blank();
      if (kind == 0) {
        *out += i == 0 ? "\"a\"" : "\"\\u0061\"";
        blank();
        *out += ':';
      }
      generate(input, depth + 1, out);
      blank();
    }
    *out += kind == 0 ? '}' : ']';
  } else {
    *out += kScalars[input->byte() % std::size(kScalars)];
  }
  blank();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto wrong = scan_json(text);
  if (wrong) PROMISE(wrong->byte <= text.size());
  if (!wrong) check_accepted(text);
  check_written(text);
  fuzz::Input input(data, size);
  std::string generated;
  generate(&input, 0, &generated);
  PROMISE(!scan_json(generated));
  // A comma, a control byte or an unfinished text more is one too many.
  PROMISE(scan_json(generated + ","));
  PROMISE(scan_json("[" + generated));
  PROMISE(scan_json("\"" + std::string(1, static_cast<char>(size % 32)) + "\""));
  return 0;
}
