// JSON (RFC 8259): a strict scanner that judges a text and finds top-level members, a decoder for the strings that we
// read, and one append-only writer. Texts are never re-printed: what is kept or passed on is their own bytes.
// Everything here is pure and may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace leadline {

inline constexpr std::size_t kJsonDepthMax = 512;  // The outermost value is 1.

struct JsonError {
  std::size_t byte;  // Counted from 0.
  const char* what;
};

// A top-level member that the caller wants. `value` is its source text, empty where the object has no such member.
// Where a name is given twice, the last one counts; names are compared as decoded text, case and all.
struct JsonMember {
  std::string_view name;
  std::string_view value;
};

// Judges `text`: exactly one value, valid UTF-8, no BOM, at most kJsonDepthMax deep. Fills `wanted` where the value is
// an object; the views point into `text`. Returns what is wrong first, or nothing.
[[nodiscard]] std::optional<JsonError> scan_json(std::string_view text, std::span<JsonMember> wanted = {});

// The same for a text that must be an object. Returns what is wrong as a client should read it: "invalid JSON at byte
// 17: …".
[[nodiscard]] std::optional<std::string> read_json_object(std::string_view text, std::span<JsonMember> wanted);

// What a valid value is, by its first byte.
[[nodiscard]] bool is_json_object(std::string_view value);
[[nodiscard]] bool is_json_string(std::string_view value);

struct JsonText {
  std::string text;            // UTF-8; a lone surrogate has become U+FFFD. Cut short where has_nul.
  bool has_nul = false;        // Held \u0000.
  bool has_surrogate = false;  // Held a lone surrogate.
};

// Decodes a string's source text (quotes included), which scan_json has accepted.
[[nodiscard]] JsonText decode_json_string(std::string_view source);

// A field that may be anything, as text: what is no string, is empty or holds U+0000 counts as absent and gives "".
[[nodiscard]] std::string optional_json_text(std::string_view value);

[[nodiscard]] bool is_utf8(std::string_view text);

// Writes JSON left to right. Text that is not UTF-8 is mended with U+FFFD, so that what comes out is always valid.
class JsonWriter {
 public:
  JsonWriter() { out_.reserve(kBytesExpected); }

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& text(std::string_view value);
  JsonWriter& text_or_null(std::string_view value);  // null where empty
  JsonWriter& number(std::int64_t value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  JsonWriter& source(std::string_view json);  // Spliced in as it is: must be valid JSON.

  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();
  void append_quoted(std::string_view text);

  static constexpr std::size_t kBytesExpected = 384;  // Room for a log line or a short answer.

  std::string out_;
  bool comma_ = false;  // The next value or key needs a comma before it.
};

}  // namespace leadline
