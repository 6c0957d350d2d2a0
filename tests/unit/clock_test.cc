// Times: their one text form, and what is read as a time.
#include "base/clock.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support.h"

namespace leadline {
namespace {

TEST_CASE("clock: a moment is written in UTC with milliseconds") {
  CHECK(rfc3339(kTestWallMs) == "2026-03-05T10:00:00.000Z");
  CHECK(rfc3339(0) == "1970-01-01T00:00:00.000Z");
  CHECK(rfc3339(kTestWallMs + 7) == "2026-03-05T10:00:00.007Z");
}

TEST_CASE("clock: a leap day and a century that has one are written") {
  CHECK(rfc3339(1'709'164'800'000) == "2024-02-29T00:00:00.000Z");
  CHECK(rfc3339(951'782'400'000) == "2000-02-29T00:00:00.000Z");
}

TEST_CASE("clock: a moment before 1970 is written, its milliseconds rounded down") {
  CHECK(rfc3339(-1) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("clock: the text order of moments is their time order") {
  const std::vector<std::int64_t> moments = {0, 1, 999, 1000, 59'999, 60'000, kDayMs - 1, kDayMs, kTestWallMs};
  for (std::size_t i = 1; i < moments.size(); ++i) CHECK(rfc3339(moments[i - 1]) < rfc3339(moments[i]));
}

TEST_CASE("clock: what rfc3339 writes is read back as the same moment") {
  for (std::int64_t ms = -kDayMs; ms < 4'000'000'000'000; ms += 12'345'678'901) CHECK(parse_rfc3339(rfc3339(ms)) == ms);
}

TEST_CASE("clock: an offset is taken off") {
  CHECK(parse_rfc3339("2026-03-05T12:00:00+02:00") == kTestWallMs);
  CHECK(parse_rfc3339("2026-03-05T04:30:00-05:30") == kTestWallMs);
  CHECK(parse_rfc3339("2026-03-06T00:00:00+14:00") == kTestWallMs);
  CHECK(parse_rfc3339("2026-03-05T10:00:00-00:00") == kTestWallMs);
}

TEST_CASE("clock: small letters and a blank between date and time are read") {
  CHECK(parse_rfc3339("2026-03-05t10:00:00z") == kTestWallMs);
  CHECK(parse_rfc3339("2026-03-05 10:00:00Z") == kTestWallMs);
}

TEST_CASE("clock: digits past the millisecond are cut off") {
  CHECK(parse_rfc3339("2026-03-05T10:00:00.5Z") == kTestWallMs + 500);
  CHECK(parse_rfc3339("2026-03-05T10:00:00.12Z") == kTestWallMs + 120);
  CHECK(parse_rfc3339("2026-03-05T10:00:00.0019999999999999999999Z") == kTestWallMs + 1);
}

TEST_CASE("clock: a leap second counts as the second after it") {
  CHECK(parse_rfc3339("2026-03-05T09:59:60Z") == kTestWallMs);
}

TEST_CASE("clock: what is no RFC 3339 date-time is refused") {
  for (const char* text : {"",
                           "2026-03-05",
                           "2026-03-05T10:00:00",
                           "2026-03-05T10:00Z",
                           "2026-03-05T10:00:00.Z",
                           "2026-03-05T24:00:00Z",
                           "2026-03-05T10:60:00Z",
                           "2026-03-05T10:00:61Z",
                           "2026-13-05T10:00:00Z",
                           "2026-00-05T10:00:00Z",
                           "2026-02-29T10:00:00Z",
                           "2026-04-31T10:00:00Z",
                           "2026-03-00T10:00:00Z",
                           "26-03-05T10:00:00Z",
                           "2026-3-5T10:00:00Z",
                           "2026-03-05T10:00:00+0200",
                           "2026-03-05T10:00:00+02",
                           "2026-03-05T10:00:00+24:00",
                           "2026-03-05T10:00:00+02:60",
                           "2026-03-05T10:00:00Z ",
                           " 2026-03-05T10:00:00Z",
                           "2026-03-05T10:00:00ZZ",
                           "2026-03-05_10:00:00Z",
                           "2026-03-05T10:00:00 02:00",
                           "2026-03-05T+1:00:00Z",
                           "now",
                           "1772704800"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_rfc3339(text).has_value());
  }
}

TEST_CASE("clock: a date is its first moment in UTC") {
  CHECK(parse_date("2026-03-05") == kTestWallMs - 10 * 3'600'000);
  CHECK(parse_date("1970-01-01") == 0);
}

TEST_CASE("clock: what is no date is refused") {
  for (const char* text : {"", "2026-03", "2026-02-30", "2026-03-05T", "2026-03-05 ", "2026/03/05", "05.03.2026",
                           "2100-02-29", "20260305", "-026-03-05"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_date(text).has_value());
  }
}

TEST_CASE("clock: the machine's steady clock does not go back") {
  const Clock clock = system_clock();
  const std::int64_t first = clock.steady_us();
  CHECK(clock.steady_us() >= first);
}

TEST_CASE("clock: the machine's wall clock counts milliseconds since 1970") {
  const std::int64_t year_2020_ms = 1'577'836'800'000;
  const std::int64_t year_2200_ms = 7'258'118'400'000;
  const std::int64_t now_ms = system_clock().wall_ms();
  CHECK(now_ms > year_2020_ms);
  CHECK(now_ms < year_2200_ms);
}

}  // namespace
}  // namespace leadline
