// FastCGI bytes as they come in, judged at every split.
#include "gateway/arrival.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "base/config.h"
#include "support.h"

namespace leadline {
namespace {

using namespace std::string_literals;

// A record (FastCGI 1.0, section 3.3), its content as announced.
std::string record(unsigned type, const std::string& content, unsigned padding = 0) {
  const auto byte = [](std::size_t value) { return static_cast<char>(value & 0xFF); };
  std::string bytes = {byte(1),       byte(type), byte(0), byte(1), byte(content.size() >> 8), byte(content.size()),
                       byte(padding), byte(0)};
  return bytes + content + std::string(padding, '\0');
}

std::string begin() { return record(1, "\0\1\1\0\0\0\0\0"s); }
std::string params(const std::string& content = "\x0E\4REQUEST_METHODPOST"s) { return record(4, content, 5); }
std::string params_end() { return record(4, ""); }
std::string body(const std::string& content) { return record(5, content, 3); }
std::string body_end() { return record(5, ""); }

std::string head() { return begin() + params() + params_end(); }

Arrival judge(const std::string& bytes) { return judge_arrival(bytes, false); }

TEST_CASE("arrival: no byte is nothing") { CHECK(judge("") == Arrival::kNothing); }

TEST_CASE("arrival: a request is partly there at every split, and whole at its last byte") {
  const std::vector<std::string> requests = {
      head() + body_end(),
      head() + body("{\"a\":1}") + body_end(),
      head() + body(std::string(300, 'x')) + body("y") + record(5, "", 7),
      begin() + params(std::string(5'000, 'x')) + params("") + body_end(),
  };
  for (const std::string& request : requests) {
    REQUIRE(judge(request) == Arrival::kWhole);
    for (std::size_t length = 1; length < request.size(); ++length) {
      if (judge(request.substr(0, length)) != Arrival::kPartly) FAIL_CHECK("not partly there at byte " << length);
    }
  }
}

TEST_CASE("arrival: padding belongs to a record") {
  const std::string request = begin() + record(4, "x", 255) + record(4, "", 9) + record(5, "", 4);
  CHECK(judge(request) == Arrival::kWhole);
  CHECK(judge(request.substr(0, request.size() - 1)) == Arrival::kPartly);
}

TEST_CASE("arrival: what follows a whole request does not matter yet") {
  CHECK(judge(head() + body_end() + "anything") == Arrival::kWhole);
}

TEST_CASE("arrival: an aborted request is broken: nobody waits for an answer") {
  CHECK(judge(begin() + record(2, "")) == Arrival::kBroken);
  CHECK(judge(head() + body("half") + record(2, "")) == Arrival::kBroken);
}

TEST_CASE("arrival: what is no FastCGI is broken as soon as a header is there") {
  CHECK(judge("GET / HTTP/1.1\r\n") == Arrival::kBroken);
  CHECK(judge("\x16\x03\x01\x02\0\1\0\1\xFC"s) == Arrival::kBroken);
  CHECK(judge(std::string(8, '\0')) == Arrival::kBroken);
}

TEST_CASE("arrival: another version in any record is broken") {
  std::string second = params();
  second[0] = 2;
  CHECK(judge(begin() + second) == Arrival::kBroken);
}

TEST_CASE("arrival: a request that does not begin with its beginning is broken") {
  CHECK(judge(params()) == Arrival::kBroken);
  CHECK(judge(body_end()) == Arrival::kBroken);
}

TEST_CASE("arrival: a second beginning inside a request is broken") {
  CHECK(judge(begin() + begin()) == Arrival::kBroken);
  CHECK(judge(head() + begin()) == Arrival::kBroken);
}

TEST_CASE("arrival: a body that ends before the parameters do is broken") {
  CHECK(judge(begin() + body_end()) == Arrival::kBroken);
  CHECK(judge(begin() + params() + body_end()) == Arrival::kBroken);
}

TEST_CASE("arrival: parameters up to the limit are taken, in one record or several") {
  const std::string half(kParamsBytesMax / 2, 'x');
  CHECK(judge(begin() + params(half) + params(half) + params_end() + body_end()) == Arrival::kWhole);
}

TEST_CASE("arrival: parameters past the limit are broken as soon as they are announced") {
  const std::string half(kParamsBytesMax / 2, 'x');
  const std::string header = params("x").substr(0, 8);
  CHECK(judge(begin() + params(half) + params(half) + header) == Arrival::kBroken);
}

TEST_CASE("arrival: a long body is not waited for once the parameters are there") {
  CHECK(judge(head() + body(std::string(40'000, 'x'))) == Arrival::kHead);
  CHECK(judge(head() + body(std::string(65'535, 'x')).substr(0, 50'000)) == Arrival::kHead);
}

TEST_CASE("arrival: a short body in many records is not waited for, since a Unix socket holds so many writes only") {
  std::string pieces = head();
  for (int i = 0; i < 28; ++i) pieces += body("x");
  CHECK(judge(pieces) == Arrival::kPartly);
  CHECK(judge(pieces + body("x")) == Arrival::kHead);
}

TEST_CASE("arrival: many bytes of parameters alone are still waited for") {
  CHECK(judge(begin() + params(std::string(40'000, 'x'))) == Arrival::kPartly);
}

TEST_CASE("arrival: a short body is waited for") { CHECK(judge(head() + body("{}")) == Arrival::kPartly); }

TEST_CASE("arrival: where no more would fit, parameters without an end are broken") {
  CHECK(judge_arrival(begin() + params(), true) == Arrival::kBroken);
}

TEST_CASE("arrival: where no more would fit, a whole head is enough") {
  CHECK(judge_arrival(head() + body(std::string(40'000, 'x')), true) == Arrival::kHead);
}

// A pair of connected sockets and a buffer to look into one of them.
struct Wire {
  int here = -1;
  int there = -1;
  std::vector<char> buffer = std::vector<char>(kPeekBytesMax);

  Wire() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    here = ends[0];
    there = ends[1];
  }
  ~Wire() {
    ::close(here);
    if (there >= 0) ::close(there);
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void send(const std::string& bytes) const {
    REQUIRE(::send(there, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  void close_there() {
    ::close(there);
    there = -1;
  }
  Arrival look() { return look_at(here, buffer.data()); }
};

TEST_CASE("arrival: an idle connection holds nothing, and looking does not block") {
  Wire wire;
  CHECK(wire.look() == Arrival::kNothing);
}

TEST_CASE("arrival: looking takes nothing out of the connection") {
  Wire wire;
  const std::string request = head() + body_end();
  wire.send(request);
  CHECK(wire.look() == Arrival::kWhole);
  CHECK(wire.look() == Arrival::kWhole);
  std::string read(request.size() + 1, '\0');
  CHECK(::recv(wire.here, read.data(), read.size(), 0) == static_cast<ssize_t>(request.size()));
  CHECK(read.starts_with(request));
}

TEST_CASE("arrival: a request that comes in two pieces is partly there and then whole") {
  Wire wire;
  wire.send(head());
  CHECK(wire.look() == Arrival::kPartly);
  wire.send(body_end());
  CHECK(wire.look() == Arrival::kWhole);
}

TEST_CASE("arrival: a peer that has closed is closed") {
  Wire wire;
  wire.close_there();
  CHECK(wire.look() == Arrival::kClosed);
}

TEST_CASE("arrival: a whole request is seen, though its peer has closed already") {
  Wire wire;
  wire.send(head() + body_end());
  wire.close_there();
  CHECK(wire.look() == Arrival::kWhole);
}

TEST_CASE("arrival: a descriptor that is no socket counts as closed") {
  std::vector<char> buffer(kPeekBytesMax);
  CHECK(look_at(-1, buffer.data()) == Arrival::kClosed);
}

}  // namespace
}  // namespace leadline
