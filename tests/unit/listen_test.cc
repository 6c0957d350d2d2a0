// Listening sockets: their addresses, and what may and may not be replaced.
#include "gateway/listen.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "support.h"

namespace leadline {
namespace {

namespace fs = std::filesystem;

// A descriptor that is closed in the end; `why` says what was wrong with opening it.
struct Opened {
  std::string why;
  int descriptor;

  explicit Opened(const ListenAddress& address) : descriptor(open_listener(address, &why)) {}
  ~Opened() {
    if (descriptor >= 0) ::close(descriptor);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
};

ListenAddress unix_address(const std::string& path) { return {path, "", ""}; }

int connect_to(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (::connect(client, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return client;
  ::close(client);
  return -1;
}

TEST_CASE("listen: addresses are read") {
  std::string why;
  CHECK(parse_listen_address("unix:/run/leadline.sock", &why)->path == "/run/leadline.sock");
  CHECK(parse_listen_address("unix:a:80", &why)->path == "a:80");
  const std::optional<ListenAddress> tcp = parse_listen_address("127.0.0.1:9000", &why);
  REQUIRE(tcp.has_value());
  CHECK(tcp->path.empty());
  CHECK(tcp->host == "127.0.0.1");
  CHECK(tcp->port == "9000");
}

TEST_CASE("listen: an IPv6 host stands in brackets") {
  std::string why;
  const std::optional<ListenAddress> address = parse_listen_address("[::1]:9000", &why);
  REQUIRE(address.has_value());
  CHECK(address->host == "::1");
  CHECK(address->port == "9000");
}

TEST_CASE("listen: what is no address is refused with the rule") {
  for (const char* text :
       {"", ":", "unix:", "9000", "localhost", "localhost:", ":9000", "localhost:http", "localhost:65536",
        "localhost:-1", "localhost:99999999999999999999", "localhost: 80", "/run/x"}) {
    CAPTURE(text);
    std::string why;
    CHECK_FALSE(parse_listen_address(text, &why).has_value());
    CHECK(why == "must be unix:PATH or HOST:PORT");
  }
}

TEST_CASE("listen: a Unix socket listens, with mode 0660 whatever the umask, which stays") {
  const TempDir dir;
  const std::string path = dir.file("s");
  for (const mode_t mask : {0U, 022U, 077U}) {
    const mode_t before = ::umask(mask);
    const Opened listener(unix_address(path));
    CHECK(::umask(before) == mask);
    REQUIRE_MESSAGE(listener.descriptor >= 0, listener.why);
    CHECK(is_listening_socket(listener.descriptor));
    CHECK((fs::status(path).permissions() & fs::perms::all) == static_cast<fs::perms>(0660));
    fs::remove(path);
  }
}

TEST_CASE("listen: a Unix socket can be connected to") {
  const TempDir dir;
  const Opened listener(unix_address(dir.file("s")));
  const int client = connect_to(dir.file("s"));
  CHECK(client >= 0);
  ::close(client);
}

TEST_CASE("listen: a listener does not block and is not inherited") {
  const TempDir dir;
  const Opened listener(unix_address(dir.file("s")));
  CHECK((::fcntl(listener.descriptor, F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(listener.descriptor, F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("listen: a stale socket file is replaced") {
  const TempDir dir;
  { const Opened dead(unix_address(dir.file("s"))); }
  REQUIRE(fs::is_socket(dir.file("s")));
  const Opened listener(unix_address(dir.file("s")));
  REQUIRE_MESSAGE(listener.descriptor >= 0, listener.why);
  const int client = connect_to(dir.file("s"));
  CHECK(client >= 0);
  ::close(client);
}

TEST_CASE("listen: a live socket is refused and left alone") {
  const TempDir dir;
  const Opened live(unix_address(dir.file("s")));
  const Opened second(unix_address(dir.file("s")));
  CHECK(second.descriptor == -1);
  CHECK(second.why == "another process listens on " + dir.file("s"));
  const int client = connect_to(dir.file("s"));
  CHECK(client >= 0);
  ::close(client);
}

TEST_CASE("listen: a live socket whose queue is full is refused at once") {
  const TempDir dir;
  const std::string path = dir.file("s");
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  const int live = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(live, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  REQUIRE(::listen(live, 0) == 0);
  std::vector<int> waiting;
  for (int client = connect_to(path); client >= 0; client = connect_to(path)) waiting.push_back(client);

  std::future<int> second = std::async(std::launch::async, [&path] { return Opened(unix_address(path)).descriptor; });
  const bool at_once = second.wait_for(std::chrono::seconds(1)) == std::future_status::ready;
  ::shutdown(live, SHUT_RDWR);  // Lets go whoever waits in the queue.
  ::close(live);
  CHECK(at_once);
  if (at_once) CHECK(second.get() == -1);
  for (const int client : waiting) ::close(client);
}

TEST_CASE("listen: a file that is no socket is refused and left alone") {
  const TempDir dir;
  std::ofstream(dir.file("s")) << "precious";
  const Opened listener(unix_address(dir.file("s")));
  CHECK(listener.descriptor == -1);
  CHECK(listener.why == dir.file("s") + " exists and is no socket");
  CHECK(file_text(dir.file("s")) == "precious");
}

TEST_CASE("listen: a symbolic link is not followed to a file that is then removed") {
  const TempDir dir;
  { const Opened dead(unix_address(dir.file("real"))); }
  fs::create_symlink(dir.file("real"), dir.file("s"));
  const Opened listener(unix_address(dir.file("s")));
  CHECK(listener.descriptor == -1);
  CHECK(fs::exists(dir.file("real")));
}

TEST_CASE("listen: a directory that is not there is refused with its path") {
  const TempDir dir;
  const Opened listener(unix_address(dir.file("none/s")));
  CHECK(listener.descriptor == -1);
  CHECK(listener.why.find(dir.file("none/s")) != std::string::npos);
}

TEST_CASE("listen: a path longer than a socket's may be is refused, one of just that length is taken") {
  const TempDir dir;
  const std::string base = dir.file("");
  const Opened longest(unix_address(base + std::string(107 - base.size(), 's')));
  CHECK_MESSAGE(longest.descriptor >= 0, longest.why);
  const Opened longer(unix_address(base + std::string(108 - base.size(), 's')));
  CHECK(longer.descriptor == -1);
  CHECK(longer.why == "the socket's path is longer than 107 bytes");
}

std::string port_of(int listener) {
  sockaddr_in name{};
  socklen_t size = sizeof name;
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&name), &size) == 0);
  return std::to_string(ntohs(name.sin_port));
}

TEST_CASE("listen: a TCP address listens") {
  const Opened listener(ListenAddress{"", "127.0.0.1", "0"});
  REQUIRE_MESSAGE(listener.descriptor >= 0, listener.why);
  CHECK(is_listening_socket(listener.descriptor));
}

TEST_CASE("listen: a TCP port that is taken is refused with the address") {
  const Opened first(ListenAddress{"", "127.0.0.1", "0"});
  const std::string port = port_of(first.descriptor);
  const Opened second(ListenAddress{"", "127.0.0.1", port});
  CHECK(second.descriptor == -1);
  CHECK(second.why.starts_with("binding 127.0.0.1:" + port));
}

TEST_CASE("listen: a host that is none is refused by its name") {
  const Opened listener(ListenAddress{"", "256.1.1.1.invalid", "80"});
  CHECK(listener.descriptor == -1);
  CHECK(listener.why.starts_with("256.1.1.1.invalid: "));
}

TEST_CASE("listen: only a listening socket is taken for one") {
  const TempDir dir;
  CHECK_FALSE(is_listening_socket(-1));
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  CHECK_FALSE(is_listening_socket(ends[0]));
  for (const int end : ends) ::close(end);
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  CHECK_FALSE(is_listening_socket(ends[0]));
  for (const int end : ends) ::close(end);
}

}  // namespace
}  // namespace leadline
