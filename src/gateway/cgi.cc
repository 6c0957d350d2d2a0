#include "gateway/cgi.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <future>
#include <string_view>

namespace leadline {
namespace {

constexpr std::size_t kDiscardBytesMax = 16U << 20U;  // Of a body that nobody read; then the writer is left to itself.
constexpr int kDiscardWaitMs = 1'000;

// A client that has gone away is no error: the event was stored or refused all the same.
void write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

// A web server that is still writing a body when the program ends takes that for a failure, and the answer is lost.
void discard_input() {
  std::array<char, 65536> piece;
  for (std::size_t discarded = 0; discarded < kDiscardBytesMax;) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, kDiscardWaitMs) != 1) return;
    const ssize_t count = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (count <= 0) return;
    discarded += static_cast<std::size_t>(count);
  }
}

class CgiExchange final : public Exchange {
 public:
  // RFC 3875, section 4.2: no more is read than CONTENT_LENGTH says; where it says nothing, there is no body.
  [[nodiscard]] BodyRead read_body(std::uint64_t bytes_max) override {
    const std::uint64_t length = request.content_length.value_or(0);
    if (length > bytes_max) return BodyRead::kTooLong;
    request.body.resize(static_cast<std::size_t>(length));
    std::size_t filled = 0;
    while (filled < request.body.size()) {
      const ssize_t count = ::read(STDIN_FILENO, request.body.data() + filled, request.body.size() - filled);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return BodyRead::kCutShort;
      filled += static_cast<std::size_t>(count);
    }
    return BodyRead::kWhole;
  }

  void send(const Response& response) override {
    answer_cgi(response);
    // The web server takes the end of the output for the end of the answer: the client need not wait for our exit.
    ::close(STDOUT_FILENO);
    answered_.set_value();
  }

  void wait() { answered_.get_future().wait(); }

 private:
  std::promise<void> answered_;
};

}  // namespace

bool is_cgi(const Variables& environment) {
  return environment("GATEWAY_INTERFACE") != nullptr || environment("REQUEST_METHOD") != nullptr;
}

void serve_cgi(const Variables& environment, const std::function<void(Exchange*)>& serve) {
  CgiExchange exchange;
  exchange.request = read_request(environment);
  serve(&exchange);
  exchange.wait();
  discard_input();
}

void answer_cgi(const Response& response) { write_all(cgi_head(response) + response.body); }

}  // namespace leadline
