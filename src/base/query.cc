#include "base/query.h"

#include <charconv>
#include <vector>

#include "base/json.h"

namespace leadline {
namespace {

// None where a percent sign is not followed by two hexadecimal digits.
std::optional<std::string> decode(std::string_view text) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded += text[at] == '+' ? ' ' : text[at];
      continue;
    }
    unsigned byte = 0;
    const std::string_view digits = text.substr(at + 1, 2);
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (error != std::errc() || digits.size() != 2 || stop != digits.data() + 2) return std::nullopt;
    decoded += static_cast<char>(byte);
    at += 2;
  }
  return decoded;
}

// Reads one "name=value" into `known`.
std::optional<std::string> read_one(std::string_view pair, std::span<Parameter> known, std::vector<bool>* given) {
  const std::size_t equals = pair.find('=');
  const std::optional<std::string> name = decode(pair.substr(0, equals));
  if (!name) return std::nullopt;  // No name that anybody knows.
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (known[i].name != *name) continue;
    if ((*given)[i]) return *name + " must be given once";
    (*given)[i] = true;
    std::optional<std::string> value = decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    if (!value) return *name + " must have two hexadecimal digits after each %";
    if (!is_utf8(*value)) return *name + " must be valid UTF-8";
    if (value->find('\0') != std::string::npos) return *name + " must not hold U+0000";
    known[i].value = *std::move(value);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> read_parameters(std::string_view query, std::span<Parameter> known) {
  std::vector<bool> given(known.size());
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    if (std::optional<std::string> why = read_one(query.substr(0, end), known, &given)) return why;
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
  }
  return std::nullopt;
}

}  // namespace leadline
