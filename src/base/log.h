// The log: one JSON object a line, one write(2) a line, so that lines of several threads and processes stay whole.
// Its callers see to it that no secret and no payload goes in.
#pragma once

#include <array>
#include <functional>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"

namespace leadline {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
// In the order of LogLevel.
inline constexpr std::array<std::string_view, 4> kLogLevelNames = {"debug", "info", "warn", "error"};

class Log {
 public:
  // Lines below `least` are dropped. `descriptor` stays the caller's. All methods may be called from any thread.
  Log(LogLevel least, int descriptor, Clock clock);

  // {"time":…,"level":…, and what `fields` writes into the open object.
  void write(LogLevel level, const std::function<void(JsonWriter*)>& fields) const;

  // {"time":…,"level":…,"message":…}
  void message(LogLevel level, std::string_view message) const;

 private:
  const LogLevel least_;
  const int descriptor_;
  const Clock clock_;
};

}  // namespace leadline
