#include "gateway/listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/config.h"

namespace leadline {
namespace {

constexpr mode_t kSocketMode = 0660;  // The web server comes in through the group.

int fail(int descriptor, const std::string& doing, std::string* why) {
  *why = doing + ": " + std::strerror(errno);
  if (descriptor >= 0) ::close(descriptor);
  return -1;
}

// Makes room for the socket file. False, with `*why` set, where the place is taken.
bool clear_path(const sockaddr_un& name, std::string* why) {
  struct stat information {};
  if (::lstat(name.sun_path, &information) != 0) return true;  // Nothing there; what else is wrong, bind() will tell.
  if (!S_ISSOCK(information.st_mode)) {
    *why = std::string(name.sun_path) + " exists and is no socket";
    return false;
  }
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const bool alive = ::connect(probe, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 || errno == EAGAIN;
  ::close(probe);
  if (alive) {
    *why = "another process listens on " + std::string(name.sun_path);
    return false;
  }
  ::unlink(name.sun_path);
  return true;
}

int open_unix_listener(const std::string& path, std::string* why) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) {
    *why = "the socket's path is longer than " + std::to_string(sizeof name.sun_path - 1) + " bytes";
    return -1;
  }
  std::memcpy(name.sun_path, path.data(), path.size());
  if (!clear_path(name, why)) return -1;
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return fail(listener, "socket", why);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
    return fail(listener, "binding " + path, why);
  }
  // Nobody gets in before listen().
  if (::chmod(path.c_str(), kSocketMode) != 0) return fail(listener, "chmod " + path, why);
  if (::listen(listener, kListenBacklog) != 0) return fail(listener, "listening on " + path, why);
  return listener;
}

int open_tcp_listener(const ListenAddress& address, std::string* why) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
  if (code != 0) {
    *why = address.host + ": " + ::gai_strerror(code);
    return -1;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> names(found, &freeaddrinfo);
  const int listener = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return fail(listener, "socket", why);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener, found->ai_addr, found->ai_addrlen) != 0) {
    return fail(listener, "binding " + address.host + ':' + address.port, why);
  }
  if (::listen(listener, kListenBacklog) != 0) return fail(listener, "listening", why);
  return listener;
}

}  // namespace

std::optional<ListenAddress> parse_listen_address(const std::string& text, std::string* why) {
  ListenAddress address;
  if (text.starts_with("unix:") && text.size() > 5) {
    address.path = text.substr(5);
    return address;
  }
  const std::size_t colon = text.rfind(':');
  if (!text.starts_with("unix:") && colon != std::string::npos && colon > 0 && colon + 1 < text.size()) {
    address.host = text.substr(0, colon);
    address.port = text.substr(colon + 1);
    if (address.host.front() == '[' && address.host.back() == ']') {
      address.host = address.host.substr(1, address.host.size() - 2);
    }
    const bool number = address.port.find_first_not_of("0123456789") == std::string::npos;
    if (number && address.port.size() <= 5 && std::stoi(address.port) <= 65535) return address;
  }
  *why = "must be unix:PATH or HOST:PORT";
  return std::nullopt;
}

int open_listener(const ListenAddress& address, std::string* why) {
  return address.path.empty() ? open_tcp_listener(address, why) : open_unix_listener(address.path, why);
}

bool is_listening_socket(int descriptor) {
  int listening = 0;
  socklen_t size = sizeof listening;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

}  // namespace leadline
