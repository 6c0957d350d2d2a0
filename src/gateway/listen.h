// Listening sockets: made from an address, or found on descriptor 0 where a process manager left one.
#pragma once

#include <optional>
#include <string>

namespace leadline {

// "unix:PATH" or "HOST:PORT" (an IPv6 host in brackets).
struct ListenAddress {
  std::string path;  // Of a Unix socket; else empty.
  std::string host;
  std::string port;
};

// None where the text is no address; `*why` then says which rule it breaks.
[[nodiscard]] std::optional<ListenAddress> parse_listen_address(const std::string& text, std::string* why);

// A listening, non-blocking socket, or -1 with `*why` set. A Unix socket gets mode 0660. A socket file that nobody
// listens on is replaced; one that is alive, or a file that is no socket, is left alone and refused.
[[nodiscard]] int open_listener(const ListenAddress& address, std::string* why);

// Whether `descriptor` is a listening socket (getsockopt(2), SO_ACCEPTCONN).
[[nodiscard]] bool is_listening_socket(int descriptor);

}  // namespace leadline
