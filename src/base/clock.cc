#include "base/clock.h"

#include <array>
#include <chrono>

namespace leadline {
namespace {

using std::chrono::duration_cast;

// Takes `digits` digits off the front of `text`.
std::optional<int> take_number(std::string_view* text, std::size_t digits) {
  if (text->size() < digits) return std::nullopt;
  int number = 0;
  for (const char c : text->substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  text->remove_prefix(digits);
  return number;
}

bool take(std::string_view* text, std::string_view any_of) {
  if (text->empty() || any_of.find(text->front()) == std::string_view::npos) return false;
  text->remove_prefix(1);
  return true;
}

std::optional<std::int64_t> take_date(std::string_view* text) {
  const auto year = take_number(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * kDayMs;
}

std::optional<std::int64_t> take_time(std::string_view* text, bool* cut) {
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take(text, ":")) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59 || !take(text, ":")) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second || *second > 60) return std::nullopt;
  int ms = 0;
  if (take(text, ".")) {
    int scale = 100;
    std::optional<int> digit = take_number(text, 1);
    if (!digit) return std::nullopt;
    for (; digit; digit = take_number(text, 1), scale /= 10) {
      ms += *digit * scale;
      if (scale == 0 && *digit != 0) *cut = true;
    }
  }
  return ((*hour * 60LL + *minute) * 60 + *second) * 1000 + ms;
}

// "Z" or "+02:00", as the milliseconds to take off.
std::optional<std::int64_t> take_offset(std::string_view* text) {
  if (take(text, "Zz")) return 0;
  const bool behind = !text->empty() && text->front() == '-';
  if (!take(text, "+-")) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take(text, ":")) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  const std::int64_t offset = (*hour * 60LL + *minute) * 60'000;
  return behind ? -offset : offset;
}

// Overwrites `digits` digits of `text` from `at` on. The C library's printf takes ten times as long.
void put_number(std::int64_t number, std::size_t at, std::size_t digits, std::string* text) {
  for (std::size_t i = at + digits; i-- > at; number /= 10) (*text)[i] = static_cast<char>('0' + number % 10);
}

}  // namespace

Clock system_clock() {
  return Clock{
      [] {
        return static_cast<std::int64_t>(
            duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
      },
      [] {
        return static_cast<std::int64_t>(
            duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
      }};
}

std::string rfc3339(std::int64_t wall_ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> moment{std::chrono::milliseconds(wall_ms)};
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date(day);
  const std::int64_t ms = (moment - day).count();
  std::string text = "0000-00-00T00:00:00.000Z";
  put_number(static_cast<int>(date.year()), 0, 4, &text);
  put_number(static_cast<unsigned>(date.month()), 5, 2, &text);
  put_number(static_cast<unsigned>(date.day()), 8, 2, &text);
  put_number(ms / 3'600'000, 11, 2, &text);
  put_number(ms / 60'000 % 60, 14, 2, &text);
  put_number(ms / 1000 % 60, 17, 2, &text);
  put_number(ms % 1000, 20, 3, &text);
  return text;
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text, bool* cut) {
  bool unasked = false;
  bool* const was_cut = cut == nullptr ? &unasked : cut;
  const auto date = take_date(&text);
  if (!date || !take(&text, "Tt ")) return std::nullopt;
  const auto time = take_time(&text, was_cut);
  if (!time) return std::nullopt;
  const auto offset = take_offset(&text);
  if (!offset || !text.empty()) return std::nullopt;
  return *date + *time - *offset;
}

std::optional<std::int64_t> parse_date(std::string_view text) {
  const auto date = take_date(&text);
  return text.empty() ? date : std::nullopt;
}

}  // namespace leadline
