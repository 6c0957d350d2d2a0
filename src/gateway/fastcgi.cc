#include "gateway/fastcgi.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/process.h"
#include "gateway/arrival.h"
#include "gateway/fastcgi_link.h"

namespace leadline {
namespace {

constexpr int kLookAgainMs = 5;                 // Between two looks at requests that have arrived in part.
constexpr int kStopLookMs = 10;                 // Between two looks at what is still in flight after SIGTERM.
constexpr int kFreshGraceMs = 200;              // After SIGTERM, for the first request of a connection just accepted.
constexpr std::size_t kOtherDescriptors = 256;  // The database's, the log's, epoll's…
constexpr int kAcceptsAtOnce = 32;              // Then the other events have a turn.
constexpr std::size_t kEventsAtOnce = 4;        // Of a front thread: few, since each waits for those before it.
constexpr int kSocketBytes = 256 << 10;         // A TCP peer may send so much ahead: more than kPeekBytesMax.
constexpr std::int64_t kLingerUs = 2'000'000;   // For the rest of a body that is not wanted.
constexpr std::size_t kUnsentBytesMax = 64U << 20U;  // Of answers that peers have not taken; then others must go.

// The descriptors that epoll watches besides connections, whose ids count from kFirstLink.
constexpr std::uint64_t kListener = 0;
constexpr std::uint64_t kEnd = 1;
constexpr std::uint64_t kFirstLink = 2;

// A connection, as the server sees it. Busy, it belongs to the thread that serves or answers it; else to the server.
struct Link {
  enum class State {
    kParked,     // In epoll, until something arrives.
    kWaiting,    // A request has arrived in part.
    kSending,    // In epoll, until the peer can take more of its answer.
    kLingering,  // Answered before its body had come; what still comes is discarded, then the connection is closed.
    kBusy,
  };

  std::unique_ptr<FastcgiLink> exchange;
  State state = State::kParked;
  std::int64_t since_us = 0;  // When it got into that state.
  bool missed = false;        // epoll told of it when it was not parked yet.
};

class Server {
 public:
  Server(FastcgiOptions options, const Log& log) : options_(std::move(options)), log_(log), clock_(system_clock()) {
    FastcgiLink::initialize();
    CHECK(::listen(options_.listener, kListenBacklog) == 0);
    ::signal(SIGPIPE, SIG_IGN);  // After libfcgi, which has handlers of its own.
    raise_descriptor_limit(kConnectionsMax + kOtherDescriptors);
    ::fcntl(options_.listener, F_SETFL, ::fcntl(options_.listener, F_GETFL) | O_NONBLOCK);
    CHECK(epoll_ >= 0 && wake_ >= 0 && end_ >= 0);
    arm(EPOLL_CTL_ADD, options_.listener, kListener, EPOLLIN | EPOLLONESHOT);
    arm(EPOLL_CTL_ADD, end_, kEnd, EPOLLIN);
  }

  ~Server() {
    for (const int descriptor : {epoll_, wake_, end_}) ::close(descriptor);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  bool run() {
    std::vector<std::thread> fronts;
    fronts.reserve(static_cast<std::size_t>(options_.threads));
    for (int i = 0; i < options_.threads; ++i) fronts.emplace_back([this] { serve_events(); });
    watch();
    const std::uint64_t one = 1;
    CHECK(::write(end_, &one, sizeof one) == sizeof one);  // Never read: every front thread sees it.
    if (!abandon_rest()) {
      // A thread may be stuck where nothing can call it back; it must not keep the process.
      for (std::thread& front : fronts) front.detach();
      return false;
    }
    for (std::thread& front : fronts) front.join();
    return true;
  }

 private:
  // A front thread's life. A body that is still coming may block its reader: so that comes last, and one at a time.
  void serve_events() {
    const auto buffer = std::make_unique<char[]>(kPeekBytesMax);
    std::array<epoll_event, kEventsAtOnce> events{};
    for (bool ended = false; !ended;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      FastcgiLink* coming = nullptr;
      for (int i = 0; i < count; ++i) {
        const std::uint64_t id = events.at(static_cast<std::size_t>(i)).data.u64;
        if (id == kEnd) {
          ended = true;
        } else if (id == kListener) {
          accept_some();
        } else if (FastcgiLink* const link = serve_link(id, buffer.get()); link != nullptr && coming == nullptr) {
          coming = link;
        } else if (link != nullptr) {
          settle(link, Link::State::kWaiting);
        }
      }
      if (count > 0) log_.flush();
      if (coming != nullptr) serve_coming(coming);
    }
  }

  // Serves what has arrived. Returns the connection where it has a body that is still coming, else null.
  FastcgiLink* serve_link(std::uint64_t id, char* buffer) {
    const auto [link, state] = take(id);
    if (link == nullptr) return nullptr;
    if (state == Link::State::kSending) {
      after_answer(link, link->flush());
      return nullptr;
    }
    switch (look_at(link->descriptor(), buffer)) {
      case Arrival::kNothing:
        settle(link, Link::State::kParked);
        break;
      case Arrival::kPartly:
        settle(link, Link::State::kWaiting);
        break;
      case Arrival::kClosed:
      case Arrival::kBroken:
        ::close(link->descriptor());
        forget(id);
        break;
      case Arrival::kHead:
        return link;
      case Arrival::kWhole:
        serve(link, Arrival::kWhole);
    }
    return nullptr;
  }

  // Only half of the threads may be at a body that is still coming.
  void serve_coming(FastcgiLink* link) {
    if (++blocking_ > std::max(1, options_.threads / 2)) {
      settle(link, Link::State::kWaiting);
    } else {
      serve(link, Arrival::kHead);
      log_.flush();
    }
    --blocking_;
  }

  void serve(FastcgiLink* link, Arrival arrival) {
    if (link->begin(arrival)) {
      options_.serve(link);
    } else {
      forget(link->id());
    }
  }

  struct Taken {
    FastcgiLink* exchange = nullptr;
    Link::State state = Link::State::kBusy;
  };

  // Makes the connection the calling thread's, and says what it was before; null where it is gone or somebody else's.
  Taken take(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = links_.find(id);
    if (found == links_.end()) return {};
    Link& link = found->second;
    if (link.state == Link::State::kBusy) link.missed = true;
    if (link.state != Link::State::kParked && link.state != Link::State::kSending) return {};
    const Taken taken{link.exchange.get(), link.state};
    leave(&link);
    link.state = Link::State::kBusy;
    return taken;
  }

  // Gives a connection back to the server. For one that is parked, epoll is told outside of the lock, which every
  // request takes; so another thread may hear of it too early.
  void settle(const FastcgiLink* exchange, Link::State state) {
    const std::uint64_t id = exchange->id();
    const int descriptor = exchange->descriptor();
    const bool parks = state == Link::State::kParked;
    if (parks) arm(EPOLL_CTL_MOD, descriptor, id, EPOLLIN | EPOLLONESHOT);
    const std::lock_guard lock(mutex_);
    Link& link = links_.at(id);
    link.state = state;
    link.since_us = clock_.steady_us();
    const bool missed = std::exchange(link.missed, false);
    if (parks) {
      // What has arrived can still be read; what has not, never will (the peer's next write fails).
      if (stopping_ && exchange->has_served()) ::shutdown(descriptor, SHUT_RD);
      if (missed) arm(EPOLL_CTL_MOD, descriptor, id, EPOLLIN | EPOLLONESHOT);
      return;
    }
    ++limited_;
    if (state == Link::State::kSending) {
      const bool crowded = unsent_bytes_ > kUnsentBytesMax;
      unsent_bytes_ += exchange->answer_bytes();
      arm(EPOLL_CTL_MOD, descriptor, id, EPOLLOUT | EPOLLONESHOT);
      if (crowded) close_at_rest(id);
    }
    wake();
  }

  // What is counted of a connection's state, before that changes. Under mutex_.
  void leave(const Link* link) {
    if (link->state != Link::State::kParked) --limited_;
    if (link->state == Link::State::kSending) unsent_bytes_ -= link->exchange->answer_bytes();
  }

  // The connection has been closed.
  void forget(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    links_.erase(id);
  }

  void after_answer(const FastcgiLink* link, FastcgiLink::After after) {
    switch (after) {
      case FastcgiLink::After::kKept:
        return settle(link, Link::State::kParked);
      case FastcgiLink::After::kUnsent:
        return settle(link, Link::State::kSending);
      case FastcgiLink::After::kUnread:
        // Not closed at once: that could destroy the answer on its way to a peer that is still writing.
        return settle(link, Link::State::kLingering);
      case FastcgiLink::After::kDone:
        ::close(link->descriptor());
        return forget(link->id());
    }
  }

  void accept_some() {
    const std::lock_guard lock(accept_mutex_);
    if (options_.listener < 0) return;
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      if (!accept_one()) break;
    }
    arm(EPOLL_CTL_MOD, options_.listener, kListener, EPOLLIN | EPOLLONESHOT);
  }

  // False where nobody waits, or no descriptor is left.
  bool accept_one() {
    const int descriptor = ::accept4(options_.listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) {
      const bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      return exhausted ? close_longest_idle() : errno == EINTR || errno == ECONNABORTED;
    }
    set_up(descriptor);
    bool full = false;
    {
      const std::lock_guard lock(mutex_);
      const std::uint64_t id = next_id_++;
      Link& link = links_[id];
      link.exchange = std::make_unique<FastcgiLink>(id, descriptor, on_answered_);
      link.since_us = clock_.steady_us();
      full = links_.size() > kConnectionsMax;
      arm(EPOLL_CTL_ADD, descriptor, id, EPOLLIN | EPOLLONESHOT);
    }
    if (full) close_longest_idle();
    return true;
  }

  // On a Unix socket the last two have no effect.
  static void set_up(int descriptor) {
    const timeval timeout{kIoTimeoutSeconds, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &kSocketBytes, sizeof kSocketBytes);
  }

  // Makes room for a new connection: a web server opens another when it finds a kept one closed.
  bool close_longest_idle() {
    const std::lock_guard lock(mutex_);
    const Link* oldest = nullptr;
    for (const auto& [id, link] : links_) {
      if (link.state == Link::State::kBusy) continue;
      if (oldest == nullptr || link.since_us < oldest->since_us) oldest = &link;
    }
    if (oldest == nullptr) return false;
    close_at_rest(oldest->exchange->id());
    return true;
  }

  // Closes a connection that is not busy. Under mutex_.
  void close_at_rest(std::uint64_t id) {
    const auto found = links_.find(id);
    CHECK(found != links_.end() && found->second.state != Link::State::kBusy);
    leave(&found->second);
    ::close(found->second.exchange->descriptor());
    links_.erase(found);
  }

  // The main thread's life: signals, and connections that may be given up.
  void watch() {
    const sigset_t signals = stop_signals();
    const int signal_descriptor = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    CHECK(signal_descriptor >= 0);
    const auto buffer = std::make_unique<char[]>(kPeekBytesMax);
    for (;;) {
      std::array<pollfd, 2> polled = {{{signal_descriptor, POLLIN, 0}, {wake_, POLLIN, 0}}};
      ::poll(polled.data(), polled.size(), stopping_ ? kStopLookMs : any_limited() ? kLookAgainMs : -1);
      signalfd_siginfo signal{};
      if (::read(signal_descriptor, &signal, sizeof signal) == sizeof signal) {
        if (stopping_) ::_exit(128 + static_cast<int>(signal.ssi_signo));
        begin_stop();
      }
      std::uint64_t woken = 0;
      static_cast<void>(!::read(wake_, &woken, sizeof woken));
      look_again(buffer.get());
      if (stopping_ && is_drained()) break;
    }
    ::close(signal_descriptor);
  }

  bool any_limited() {
    const std::lock_guard lock(mutex_);
    return limited_ > 0;
  }

  // Requests that were there in part: those that are whole now go to a front thread, those that take too long are
  // closed. And the lingering: what came is discarded, until it ends or takes too long. And answers that nobody takes.
  void look_again(char* buffer) {
    const std::lock_guard lock(mutex_);
    if (limited_ == 0) return;
    const std::int64_t now_us = clock_.steady_us();
    std::vector<std::uint64_t> over;
    for (auto& [id, link] : links_) {
      const std::int64_t passed_us = now_us - link.since_us;
      if (link.state == Link::State::kSending) {
        if (passed_us > kIoTimeoutSeconds * 1'000'000LL) over.push_back(id);
      } else if (link.state == Link::State::kLingering) {
        const bool ended = !discard_arrived(link.exchange->descriptor(), buffer);
        if (ended || passed_us > kLingerUs) over.push_back(id);
      } else if (link.state == Link::State::kWaiting) {
        if (look_at(link.exchange->descriptor(), buffer) != Arrival::kPartly) {
          leave(&link);
          link.state = Link::State::kParked;
          arm(EPOLL_CTL_MOD, link.exchange->descriptor(), id, EPOLLIN | EPOLLONESHOT);
        } else if (passed_us > kArrivalSeconds * 1'000'000LL) {
          over.push_back(id);
        }
      }
    }
    for (const std::uint64_t id : over) close_at_rest(id);
  }

  // Every connection that the kernel has accepted for us is served; then the door is closed.
  void begin_stop() {
    log_.message(LogLevel::kInfo, "stopping: answering what is in flight");
    stop_began_us_ = clock_.steady_us();
    options_.on_stop();
    if (!options_.socket_path.empty()) ::unlink(options_.socket_path.c_str());
    {
      const std::lock_guard lock(accept_mutex_);
      while (accept_one()) {
      }
      ::close(options_.listener);
      options_.listener = -1;
    }
    stopping_ = true;
    hang_up_idle(false);
  }

  // Tells epoll's parked connections that nothing more will come: they turn readable, and a front thread serves what
  // has arrived or closes them. Those that have not had a request yet may be kept for a moment.
  void hang_up_idle(bool fresh_too) {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, link] : links_) {
      const bool idle = link.state == Link::State::kParked && (fresh_too || link.exchange->has_served());
      if (idle) ::shutdown(link.exchange->descriptor(), SHUT_RD);
    }
  }

  bool is_drained() {
    const std::int64_t passed_us = clock_.steady_us() - stop_began_us_;
    if (passed_us > kFreshGraceMs * 1000LL) hang_up_idle(true);
    if (passed_us > kDrainSeconds * 1'000'000LL) return true;
    const std::lock_guard lock(mutex_);
    return links_.empty();
  }

  // At the end of the drain: connections whose request never became whole are closed. False where a request that did is
  // still unanswered.
  bool abandon_rest() {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> at_rest;
    for (const auto& [id, link] : links_) {
      if (link.state != Link::State::kBusy) at_rest.push_back(id);
    }
    for (const std::uint64_t id : at_rest) close_at_rest(id);
    return links_.empty();
  }

  void arm(int operation, int descriptor, std::uint64_t id, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    CHECK(::epoll_ctl(epoll_, operation, descriptor, &event) == 0);
  }

  void wake() const {
    const std::uint64_t one = 1;
    CHECK(::write(wake_, &one, sizeof one) == sizeof one);
  }

  FastcgiOptions options_;
  const FastcgiLink::OnAnswered on_answered_ = [this](FastcgiLink* link, FastcgiLink::After after) {
    after_answer(link, after);
  };
  const Log& log_;
  const Clock clock_;
  const int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  const int wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int end_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::atomic<bool> stopping_ = false;
  std::atomic<int> blocking_ = 0;  // Front threads at a body that is still coming.
  std::int64_t stop_began_us_ = 0;

  std::mutex accept_mutex_;  // Taken before mutex_.
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Link> links_;
  std::uint64_t next_id_ = kFirstLink;
  std::size_t limited_ = 0;       // Links that are given up after a while: kWaiting, kSending, kLingering.
  std::size_t unsent_bytes_ = 0;  // Of links in kSending.
};

}  // namespace

bool serve_fastcgi(FastcgiOptions options, const Log& log) { return Server(std::move(options), log).run(); }

}  // namespace leadline
