// One FastCGI connection and the request that is on it. Alone includes libfcgi's headers (in its .cc). Knows no
// epoll: whose a connection is, and what becomes of it after an answer, is the server's (fastcgi.cc).
//
// libfcgi reads the request. The answer's records are our own: libfcgi would wait until the peer has taken them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/http.h"
#include "gateway/arrival.h"

extern "C" struct FCGX_Request;

namespace leadline {

class FastcgiLink final : public Exchange {
 public:
  // What an answer leaves behind.
  enum class After {
    kKept,    // The connection waits for its next request.
    kUnsent,  // The peer has not taken all of it yet: flush() when it can take more.
    kUnread,  // The request's body is still coming: the connection can't be kept, nor closed at once.
    kDone,    // The connection is to be closed.
  };
  using OnAnswered = std::function<void(FastcgiLink* link, After after)>;

  // To be called once before the first link is made. Leaves signal handlers of libfcgi's own behind.
  static void initialize();

  // `descriptor` is a connected, blocking socket, and closed by the server, but where begin() says so. `on_answered`
  // must outlive the link, and may destroy it.
  FastcgiLink(std::uint64_t id, int descriptor, const OnAnswered& on_answered);
  ~FastcgiLink() override;

  // Has libfcgi read a request's head, which must have arrived. False where it could not; the descriptor is closed
  // then.
  [[nodiscard]] bool begin(Arrival arrival);

  [[nodiscard]] BodyRead read_body(std::uint64_t bytes_max) override;

  // Never waits for the peer.
  void send(const Response& response) override;

  // Goes on with an answer that the peer had not taken whole. Never waits for it.
  [[nodiscard]] After flush();

  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::size_t answer_bytes() const { return answer_.size(); }
  [[nodiscard]] bool has_served() const { return has_served_; }

 private:
  bool discard_body();

  const std::uint64_t id_;
  const int descriptor_;
  const OnAnswered& on_answered_;
  const std::unique_ptr<FCGX_Request> fcgx_;
  Arrival arrival_ = Arrival::kNothing;
  bool body_taken_ = false;  // With its end mark: nothing of the request is left on the connection.
  bool has_served_ = false;
  bool keep_ = false;   // The peer asked to keep the connection.
  std::string answer_;  // In records, until the peer has taken it whole.
  std::size_t sent_bytes_ = 0;
};

}  // namespace leadline
