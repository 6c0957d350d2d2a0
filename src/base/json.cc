#include "base/json.h"

#include <cjson/cJSON.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <new>

#include "base/check.h"

namespace leadline {
namespace {

// The length of the well-formed UTF-8 sequence at the front of `text`, or 0 (Unicode 15, table 3-7: no overlong form,
// no encoded surrogate, nothing past U+10FFFF).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
  };
  const auto continues = [byte](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned char least = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned char most = lead == 0xED ? 0x9F : 0xBF;
    return byte(1) >= least && byte(1) <= most && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned char least = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char most = lead == 0xF4 ? 0x8F : 0xBF;
    return byte(1) >= least && byte(1) <= most && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// How many bytes at the front of `text` stand for themselves in a string: ASCII that needs no escape.
std::size_t plain_length(std::string_view text) {
  const auto is_plain = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
  };
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_plain) - text.begin());
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The four hexadecimal digits at `at`, or -1.
int hex4(std::string_view text, std::size_t at) {
  if (text.size() < at + 4) return -1;
  unsigned value = 0;
  const char* const end = text.data() + at + 4;
  const auto [stop, error] = std::from_chars(text.data() + at, end, value, 16);
  return error == std::errc() && stop == end ? static_cast<int>(value) : -1;
}

// Walks over one text. Every take_* either moves past what it names or says what is wrong and where; the first
// complaint ends the walk.
class Scanner {
 public:
  Scanner(std::string_view text, std::span<JsonMember> wanted) : text_(text), wanted_(wanted) {}

  std::optional<JsonError> scan() {
    if (text_.empty()) return JsonError{0, "the text is empty"};
    if (text_.starts_with("\xEF\xBB\xBF")) return JsonError{0, "a byte order mark is not allowed"};
    if (take_values()) {
      skip_blanks();
      if (at_ < text_.size()) fail("more text after the value");
    }
    return error_;
  }

 private:
  // One value with all that it holds: a loop over an explicit stack of open brackets, so that depth costs no C++ stack.
  bool take_values() {
    do {
      skip_blanks();
      const bool closes_at_once = depth_ > 0 && fresh_ && peek() == (in_object() ? '}' : ']');
      if (!closes_at_once) {
        if (in_object() && !take_name()) return false;
        const std::size_t begin = at_;
        if (!take_value()) return false;
        if (fresh_) continue;  // The value opened: its first element comes next.
        if (depth_ == 1) note_member(begin);
      }
      if (!take_ends()) return false;
    } while (depth_ > 0);
    return true;
  }

  // After an element: a comma, or the brackets that close here.
  bool take_ends() {
    while (depth_ > 0) {
      skip_blanks();
      if (peek() == ',' && !fresh_) {
        ++at_;
        return true;
      }
      if (peek() != (in_object() ? '}' : ']')) {
        return fail(in_object() ? "expected ',' or '}'" : "expected ',' or ']'");
      }
      ++at_;
      fresh_ = false;
      --depth_;
      if (depth_ == 1) note_member(member_begin_);
    }
    return true;
  }

  // A scalar whole, or the opening of an object or array (then fresh_ is set).
  bool take_value() {
    fresh_ = false;
    switch (peek()) {
      case '{':
      case '[':
        return open();
      case '"':
        return take_string();
      case 't':
        return take_word("true");
      case 'f':
        return take_word("false");
      case 'n':
        return take_word("null");
      default:
        return take_number();
    }
  }

  bool open() {
    if (depth_ == kJsonDepthMax) return fail("nested deeper than 512");
    if (depth_ == 1) member_begin_ = at_;
    is_object_[depth_++] = text_[at_++] == '{';
    fresh_ = true;
    return true;
  }

  bool take_name() {
    if (peek() != '"') return fail("expected a member's name");
    const std::size_t begin = at_;
    if (!take_string()) return false;
    if (depth_ == 1) name_ = text_.substr(begin, at_ - begin);
    skip_blanks();
    if (peek() != ':') return fail("expected ':'");
    ++at_;
    skip_blanks();
    return true;
  }

  bool take_string() {
    ++at_;  // The opening quote.
    for (;;) {
      at_ += plain_length(text_.substr(at_));
      if (at_ >= text_.size()) return fail("the string has no end");
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c < 0x20) return fail("a control character in a string must be escaped");
      if (c == '\\') {
        if (!take_escape()) return false;
      } else {
        const std::size_t length = utf8_length(text_.substr(at_));
        if (length == 0) return fail("not valid UTF-8");
        at_ += length;
      }
    }
  }

  bool take_escape() {
    const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c == 'u') {
      if (hex4(text_, at_ + 2) < 0) return fail("\\u needs four hexadecimal digits");
      at_ += 6;
      return true;
    }
    if (std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos || c == '\0') {
      return fail("unknown escape");
    }
    at_ += 2;
    return true;
  }

  bool take_number() {
    const std::size_t begin = at_;
    if (peek() == '-') ++at_;
    if (!is_digit(peek())) return fail(at_ == begin ? "expected a value" : "a number needs a digit here");
    if (peek() == '0') {
      ++at_;
      if (is_digit(peek())) return fail("a number can't begin with 0 and another digit");
    } else {
      skip_digits();
    }
    if (peek() == '.') {
      ++at_;
      if (!is_digit(peek())) return fail("a number needs a digit here");
      skip_digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!is_digit(peek())) return fail("a number needs a digit here");
      skip_digits();
    }
    return true;
  }

  bool take_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return fail("expected a value");
    at_ += word.size();
    return true;
  }

  void note_member(std::size_t begin) {
    if (wanted_.empty() || !is_object_[0]) return;
    const std::string_view bare = name_.substr(1, name_.size() - 2);
    const bool escaped = bare.find('\\') != std::string_view::npos;
    const JsonText decoded = escaped ? decode_json_string(name_) : JsonText();
    if (decoded.has_nul) return;  // Nobody wants such a name.
    for (JsonMember& member : wanted_) {
      if (member.name == (escaped ? std::string_view(decoded.text) : bare)) {
        member.value = text_.substr(begin, at_ - begin);
      }
    }
  }

  bool fail(const char* what) {
    const bool ended = at_ >= text_.size();
    error_ = JsonError{at_, ended ? "the text ends too early" : what};
    return false;
  }

  [[nodiscard]] bool in_object() const { return depth_ > 0 && is_object_[depth_ - 1]; }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_digits() {
    while (is_digit(peek())) ++at_;
  }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }

  const std::string_view text_;
  const std::span<JsonMember> wanted_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::array<bool, kJsonDepthMax> is_object_{};
  bool fresh_ = false;            // The innermost bracket has just been opened.
  std::string_view name_;         // The top-level member being read.
  std::size_t member_begin_ = 0;  // Where its value began, when that is an object or array.
  std::optional<JsonError> error_;
};

bool is_high_surrogate(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

}  // namespace

std::optional<JsonError> scan_json(std::string_view text, std::span<JsonMember> wanted) {
  return Scanner(text, wanted).scan();
}

std::optional<std::string> read_json_object(std::string_view text, std::span<JsonMember> wanted) {
  if (const std::optional<JsonError> error = scan_json(text, wanted)) {
    return "invalid JSON at byte " + std::to_string(error->byte) + ": " + error->what;
  }
  return is_json_object(text) ? std::nullopt : std::optional<std::string>("the body must be a JSON object");
}

bool is_json_object(std::string_view value) {
  const std::size_t first = value.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && value[first] == '{';
}

bool is_json_string(std::string_view value) { return !value.empty() && value.front() == '"'; }

// cJSON decodes, but cuts a text at U+0000 and refuses a lone surrogate. So the escapes are looked through first: a
// lone surrogate's source becomes U+FFFD's. Without an escape there is nothing to decode.
JsonText decode_json_string(std::string_view source) {
  JsonText decoded;
  if (source.find('\\') == std::string_view::npos) {
    decoded.text = source.substr(1, source.size() - 2);
    return decoded;
  }
  std::string mended(source);
  for (std::size_t at = mended.find('\\'); at != std::string::npos; at = mended.find('\\', at)) {
    const int unit = mended[at + 1] == 'u' ? hex4(mended, at + 2) : -1;
    if (unit < 0) {
      at += 2;
      continue;
    }
    if (unit == 0) decoded.has_nul = true;
    const bool paired =
        is_high_surrogate(unit) && mended.compare(at + 6, 2, "\\u") == 0 && is_low_surrogate(hex4(mended, at + 8));
    if (!paired && (is_high_surrogate(unit) || is_low_surrogate(unit))) {
      decoded.has_surrogate = true;
      mended.replace(at, 6, "\\ufffd");
    }
    at += paired ? 12 : 6;
  }
  const std::unique_ptr<cJSON, decltype(&cJSON_Delete)> value(cJSON_ParseWithLength(mended.data(), mended.size()),
                                                              &cJSON_Delete);
  if (value == nullptr) throw std::bad_alloc();  // The text is known to be good: what failed was memory.
  CHECK(cJSON_IsString(value.get()));
  decoded.text = value->valuestring;
  return decoded;
}

std::string optional_json_text(std::string_view value) {
  if (!is_json_string(value)) return {};
  JsonText decoded = decode_json_string(value);
  return decoded.has_nul ? std::string() : std::move(decoded.text);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void JsonWriter::separate() {
  if (comma_) out_ += ',';
  comma_ = true;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  append_quoted(name);
  out_ += ':';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) {
  separate();
  append_quoted(value);
  return *this;
}

JsonWriter& JsonWriter::text_or_null(std::string_view value) { return value.empty() ? null() : text(value); }

JsonWriter& JsonWriter::number(std::int64_t value) { return source(std::to_string(value)); }

JsonWriter& JsonWriter::boolean(bool value) { return source(value ? "true" : "false"); }

JsonWriter& JsonWriter::null() { return source("null"); }

JsonWriter& JsonWriter::source(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

void JsonWriter::append_quoted(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out_ += '"';
  while (!text.empty()) {
    const std::size_t plain = plain_length(text);
    out_ += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto c = static_cast<unsigned char>(text.front());
    std::size_t length = 1;
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += text.front();
    } else if (c < 0x20) {
      out_ += "\\u00";
      out_ += kHex[c >> 4U];
      out_ += kHex[c & 0xFU];
    } else if (length = utf8_length(text); length > 0) {
      out_ += text.substr(0, length);
    } else {
      out_ += "\xEF\xBF\xBD";  // U+FFFD
      length = 1;
    }
    text.remove_prefix(length);
  }
  out_ += '"';
}

}  // namespace leadline
