#include "api/cursor.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>

namespace leadline {
namespace {

constexpr std::size_t kDigestDigits = 16;

// FNV-1a, 64 bits (RFC 9923): against mistakes, not against malice. A forged cursor only names another place in a list
// that the caller may read anyway.
std::string digest(std::string_view position, std::string_view scope) {
  std::uint64_t hash = 0xCBF29CE484222325;
  const auto take = [&hash](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  };
  take(position);
  take(std::string_view("\0", 1));
  take(scope);
  std::array<char, kDigestDigits + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

// The time may hold any bytes that another program wrote: two hexadecimal digits each.
std::string to_hex(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : text) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4U];
    hex += kDigits[static_cast<unsigned char>(c) & 0xFU];
  }
  return hex;
}

std::optional<std::string> from_hex(std::string_view hex) {
  std::string text;
  for (; !hex.empty(); hex.remove_prefix(2)) {
    unsigned byte = 0;
    if (hex.size() < 2) return std::nullopt;
    const auto [stop, error] = std::from_chars(hex.data(), hex.data() + 2, byte, 16);
    if (error != std::errc() || stop != hex.data() + 2) return std::nullopt;
    text += static_cast<char>(byte);
  }
  return text;
}

}  // namespace

// "<digest><id>-<time in hexadecimal>"
std::string write_cursor(const Position& position, std::string_view scope) {
  const std::string place = std::to_string(position.id) + '-' + to_hex(position.time);
  return digest(place, scope) + place;
}

std::optional<Position> read_cursor(std::string_view text, std::string_view scope) {
  if (text.size() < kDigestDigits) return std::nullopt;
  const std::string_view place = text.substr(kDigestDigits);
  if (text.substr(0, kDigestDigits) != digest(place, scope)) return std::nullopt;
  Position position;
  const char* const end = place.data() + place.size();
  const auto [stop, error] = std::from_chars(place.data(), end, position.id);
  if (error != std::errc() || stop == end || *stop != '-') return std::nullopt;
  std::optional<std::string> time = from_hex({stop + 1, static_cast<std::size_t>(end - stop - 1)});
  if (!time) return std::nullopt;
  position.time = *std::move(time);
  return position;
}

}  // namespace leadline
