#include "gateway/arrival.h"

#include <sys/socket.h>

#include <cerrno>

#include "base/config.h"

namespace leadline {
namespace {

// Of fastcgi.h, which calls them FCGI_*: kept here, so that one file alone includes libfcgi.
constexpr std::size_t kHeaderBytes = 8;
// A request of no more than this is waited for until it is whole; a longer body is read as it comes.
constexpr std::size_t kBytesAwaited = 32U << 10U;
// The same for records: a Unix socket holds about 70 writes, however small, and takes no more until they are read.
constexpr int kRecordsAwaited = 32;
constexpr unsigned kVersion = 1;
constexpr unsigned kBeginRequest = 1;
constexpr unsigned kParams = 4;
constexpr unsigned kStdin = 5;

}  // namespace

Arrival judge_arrival(std::string_view bytes, bool full) {
  if (bytes.empty()) return Arrival::kNothing;
  const auto byte = [bytes](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[at])); };
  bool begun = false;
  unsigned request_id = 0;
  bool params_ended = false;
  std::size_t params_bytes = 0;
  std::size_t at = 0;
  int records = 0;
  while (at + kHeaderBytes <= bytes.size()) {
    const unsigned type = byte(at + 1);
    const std::size_t content = byte(at + 4) << 8U | byte(at + 5);
    const unsigned id = byte(at + 2) << 8U | byte(at + 3);
    if (byte(at) != kVersion || begun != (type != kBeginRequest)) return Arrival::kBroken;
    // One request at a time, and no records but its own: libfcgi passes others over, and would wait for what follows.
    if (begun && (id != request_id || (type != kParams && type != kStdin))) return Arrival::kBroken;
    begun = true;
    ++records;
    request_id = id;
    if (type == kParams) params_bytes += content;
    if (params_bytes > kParamsBytesMax) return Arrival::kBroken;
    at += kHeaderBytes + content + byte(at + 6);
    if (at > bytes.size()) break;  // Its content is still to come.
    if (type == kParams && content == 0) params_ended = true;
    if (type == kStdin && content == 0) return params_ended ? Arrival::kWhole : Arrival::kBroken;
  }
  if (params_ended && (bytes.size() >= kBytesAwaited || records >= kRecordsAwaited)) return Arrival::kHead;
  return full ? Arrival::kBroken : Arrival::kPartly;
}

Arrival look_at(int descriptor, char* buffer) {
  const ssize_t count = ::recv(descriptor, buffer, kPeekBytesMax, MSG_PEEK | MSG_DONTWAIT);
  if (count == 0) return Arrival::kClosed;
  if (count < 0) return errno == EAGAIN || errno == EINTR ? Arrival::kNothing : Arrival::kClosed;
  return judge_arrival({buffer, static_cast<std::size_t>(count)}, static_cast<std::size_t>(count) == kPeekBytesMax);
}

bool discard_arrived(int descriptor, char* buffer) {
  ssize_t count = 0;
  do {
    count = ::recv(descriptor, buffer, kPeekBytesMax, MSG_DONTWAIT);
  } while (count > 0);
  return count < 0 && (errno == EAGAIN || errno == EINTR);
}

}  // namespace leadline
