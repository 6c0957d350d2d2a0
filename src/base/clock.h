// Time, and the one text form that it has in answers and in the database.
// Time comes in as an argument (Clock), so that a test never sleeps and never sees today.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace leadline {

struct Clock {
  std::function<std::int64_t()> wall_ms;    // Milliseconds since 1970-01-01T00:00:00Z.
  std::function<std::int64_t()> steady_us;  // Microseconds since some moment; never goes back.
};

// The machine's clocks. Callable from any thread.
[[nodiscard]] Clock system_clock();

// "2026-03-05T10:00:00.000Z": RFC 3339 in UTC with milliseconds; its text order is its time order.
[[nodiscard]] std::string rfc3339(std::int64_t wall_ms);

// The moment that an RFC 3339 date-time with any offset names (RFC 3339, section 5.6), or none.
// Digits past the millisecond are cut off, and `*cut` tells whether they said anything; the leap second :60 counts as
// the second after it.
[[nodiscard]] std::optional<std::int64_t> parse_rfc3339(std::string_view text, bool* cut = nullptr);

// The first moment (UTC) of "2026-03-05", or none.
[[nodiscard]] std::optional<std::int64_t> parse_date(std::string_view text);

// What rfc3339() can write: the years 0000 to 9999.
inline constexpr std::int64_t kWallMsLeast = -62'167'219'200'000;
inline constexpr std::int64_t kWallMsMost = 253'402'300'799'999;

inline constexpr std::int64_t kDayMs = 24LL * 60 * 60 * 1000;

}  // namespace leadline
