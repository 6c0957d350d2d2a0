#include "base/log.h"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

namespace leadline {

Log::Log(LogLevel least, int descriptor, Clock clock)
    : least_(least), descriptor_(descriptor), clock_(std::move(clock)) {}

void Log::write(LogLevel level, const std::function<void(JsonWriter*)>& fields) const {
  if (level < least_) return;
  JsonWriter json;
  json.begin_object()
      .key("time")
      .text(rfc3339(clock_.wall_ms()))
      .key("level")
      .text(kLogLevelNames.at(static_cast<std::size_t>(level)));
  fields(&json);
  json.end_object();
  const std::string line = json.take() + '\n';
  // A log that can't be written (a full disk, a closed pipe) must not stop the service: the line is lost.
  while (::write(descriptor_, line.data(), line.size()) < 0 && errno == EINTR) {
  }
}

void Log::message(LogLevel level, std::string_view message) const {
  write(level, [message](JsonWriter* json) { json->key("message").text(message); });
}

}  // namespace leadline
