// The log: one JSON object a line, whole lines in each write(2), so that those of several threads and processes do not
// mix. Its callers see to it that no secret and no payload goes in.
#pragma once

#include <array>
#include <functional>
#include <mutex>
#include <string>
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
  ~Log() { flush(); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // {"time":…,"level":…, and what `fields` writes into the open object. The line goes out with the next flush(): a
  // thread that wrote some calls it before it waits for more work, so that the lines of requests in a burst go out
  // together.
  void write(LogLevel level, const std::function<void(JsonWriter*)>& fields) const;
  void flush() const;

  // {"time":…,"level":…,"message":…}, at once.
  void message(LogLevel level, std::string_view message) const;

 private:
  const LogLevel least_;
  const int descriptor_;
  const Clock clock_;
  mutable std::mutex lines_mutex_;
  mutable std::string lines_;       // Not yet written.
  mutable std::mutex write_mutex_;  // Taken before lines_mutex_.
};

}  // namespace leadline
