#include "base/log.h"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

namespace leadline {
namespace {

constexpr std::size_t kBytesWaitingMax = 64U << 10U;

}  // namespace

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
  const std::string line = json.end_object().take() + '\n';
  bool full = false;
  {
    const std::lock_guard lock(lines_mutex_);
    lines_ += line;
    full = lines_.size() > kBytesWaitingMax;
  }
  if (full) flush();
}

void Log::flush() const {
  const std::lock_guard writing(write_mutex_);
  std::string lines;
  {
    const std::lock_guard lock(lines_mutex_);
    lines.swap(lines_);
  }
  // A log that can't be written (a full disk, a closed pipe) must not stop the service: the lines are lost.
  for (std::string_view rest = lines; !rest.empty();) {
    const ssize_t count = ::write(descriptor_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Log::message(LogLevel level, std::string_view message) const {
  write(level, [message](JsonWriter* json) { json->key("message").text(message); });
  flush();
}

}  // namespace leadline
