// Looks at the bytes that wait in a FastCGI connection, without taking them: whether a request has arrived so far that
// reading it will not block. libfcgi reads blocking, so a peer that sends a byte a second would hold a thread; with
// this look before, only whole requests reach a thread. Rules: the FastCGI specification 1.0, sections 3.3 and 5.1
// to 5.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leadline {

enum class Arrival {
  kNothing,  // No byte yet.
  kPartly,   // Some of a request; look again later.
  kHead,     // All parameters, and as much of the body as is worth waiting for without reading it.
  kWhole,    // All of it, the body's end included.
  kClosed,   // The peer has closed, or the connection broke.
  kBroken,   // What came is no FastCGI request, or its parameters are too long.
};

// Judges the bytes that a connection holds. `full` says that no more would fit.
[[nodiscard]] Arrival judge_arrival(std::string_view bytes, bool full);

// Looks at a socket; never blocks and takes nothing. Uses up to kPeekBytesMax of `*buffer`.
inline constexpr std::size_t kPeekBytesMax = 96U << 10U;  // More than the parameters may be.
[[nodiscard]] Arrival look_at(int descriptor, char* buffer);

// Takes what a socket holds and forgets it; never blocks. False where the peer has closed. Uses `*buffer` likewise.
[[nodiscard]] bool discard_arrived(int descriptor, char* buffer);

}  // namespace leadline
