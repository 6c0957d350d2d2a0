// A closed loop of clients for tests/bench/run: each keeps one HTTP/1.1 connection, sends a request, waits for the
// whole answer, and sends the next. Every answer is timed exactly, and its status and body are compared with what they
// must be.
//
// Why not wrk alone: it adds samples that nobody observed to its percentiles (a correction for coordinated omission,
// which a closed loop does not need), and its script cannot tell which connection an answer came over. So wrk counts
// requests per second beside this program, and this program judges answers and times them. It costs less of the machine
// than wrk does, which makes the comparison with the ceiling the stricter one.
//
//   load PORT CLIENTS SECONDS FILE
//
// FILE holds requests and what has to come back, one after the other: a line "STATUS REQUEST_BYTES BODY_BYTES", then
// the request, then the body. Prints one JSON object. Exits 0 also where answers were wrong: they are counted.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kThreadsMax = 2;
constexpr std::size_t kReadBytes = 256U << 10U;
constexpr auto kLastAnswers = std::chrono::seconds(15);  // No answer of the service takes longer.
constexpr int kLookAgainMs = 5;

struct Exchange {
  std::string request;
  std::string status;  // Three digits, as they stand in the answer.
  std::string body;
};

// What one thread saw.
struct Tally {
  std::vector<std::int64_t> latencies_ns;  // Of all good answers, those after the end of the time too.
  std::uint64_t in_time = 0;               // Good answers before the end of the time.
  std::uint64_t wrong = 0;                 // Another status, another body, or a connection that ended.
  std::uint64_t client_least = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t client_most = 0;
  std::string first_wrong;
};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "load: %s\n", why.c_str());
  std::exit(1);  // NOLINT(concurrency-mt-unsafe): the other threads only wait for answers
}

std::vector<Exchange> read_exchanges(const char* file) {
  std::ifstream in(file, std::ios::binary);
  std::vector<Exchange> exchanges;
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    Exchange exchange;
    std::size_t request_bytes = 0;
    std::size_t body_bytes = 0;
    if (!(words >> exchange.status >> request_bytes >> body_bytes)) die("a bad line: " + line);
    exchange.request.resize(request_bytes);
    exchange.body.resize(body_bytes);
    in.read(exchange.request.data(), static_cast<std::streamsize>(request_bytes));
    in.read(exchange.body.data(), static_cast<std::streamsize>(body_bytes));
    if (!in) die("the file ends too early");
    exchanges.push_back(std::move(exchange));
  }
  if (exchanges.empty()) die("no requests");
  return exchanges;
}

// The answer at the front of `bytes`, if it is whole.
struct Answer {
  std::string_view status;
  std::string_view body;
};

std::optional<Answer> find_answer(std::string_view bytes) {
  static constexpr std::string_view kEnd = "\r\n\r\n";
  static constexpr std::string_view kLength = "\r\nContent-Length: ";
  const std::size_t end = bytes.find(kEnd);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view head = bytes.substr(0, end);
  const std::size_t length_at = head.find(kLength);
  if (length_at == std::string_view::npos) die("an answer without Content-Length");
  std::size_t length = 0;
  std::from_chars(head.data() + length_at + kLength.size(), head.data() + head.size(), length);
  if (bytes.size() < end + kEnd.size() + length) return std::nullopt;
  return Answer{head.substr(head.find(' ') + 1, 3), bytes.substr(end + kEnd.size(), length)};
}

int connect_to(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("cannot connect");
  return descriptor;
}

// One thread's clients.
class Crowd {
 public:
  Crowd(const std::vector<Exchange>& exchanges, std::atomic<std::size_t>* next, Clock::time_point end)
      : exchanges_(exchanges), next_(next), end_(end) {}

  void add(std::uint16_t port) {
    Client client;
    client.descriptor = connect_to(port);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = clients_.size();
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, client.descriptor, &event);
    clients_.push_back(std::move(client));
  }

  Tally run() {
    tally_.latencies_ns.reserve(1U << 20U);
    for (Client& client : clients_) send_next(&client);
    while (busy_ > 0 && Clock::now() < end_ + kLastAnswers) {
      std::array<epoll_event, 64> events;
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kLookAgainMs);
      for (int i = 0; i < count; ++i) receive(&clients_[events[static_cast<std::size_t>(i)].data.u64]);
    }
    tally_.wrong += busy_;  // What never came.
    for (const Client& client : clients_) {
      ::close(client.descriptor);
      tally_.client_least = std::min(tally_.client_least, client.answers);
      tally_.client_most = std::max(tally_.client_most, client.answers);
    }
    ::close(epoll_);
    return std::move(tally_);
  }

 private:
  struct Client {
    int descriptor = -1;
    const Exchange* exchange = nullptr;
    Clock::time_point sent;
    std::string part;  // What has come of an answer that is not whole yet.
    std::uint64_t answers = 0;
  };

  void send_next(Client* client) {
    client->exchange = &exchanges_[next_->fetch_add(1, std::memory_order_relaxed) % exchanges_.size()];
    client->sent = Clock::now();
    ++busy_;
    const std::string& request = client->exchange->request;
    // The connection is idle, so that a request fits into its buffer.
    const ssize_t sent = ::send(client->descriptor, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request.size())) hang_up(client, "a request that could not be sent");
  }

  void receive(Client* client) {
    const ssize_t count = ::recv(client->descriptor, buffer_.get(), kReadBytes, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return hang_up(client, "a connection that ended");
    std::string_view bytes(buffer_.get(), static_cast<std::size_t>(count));
    if (!client->part.empty()) bytes = client->part.append(bytes);
    const std::optional<Answer> answer = find_answer(bytes);
    if (!answer) {
      if (client->part.empty()) client->part = bytes;
      return;
    }
    take(*answer, client);
    client->part.clear();
    --busy_;
    if (Clock::now() < end_) send_next(client);
  }

  void take(const Answer& answer, Client* client) {
    const Clock::time_point now = Clock::now();
    if (answer.status != client->exchange->status || answer.body != client->exchange->body) {
      return note_wrong(std::string(answer.status) + ' ' + std::string(answer.body.substr(0, 200)));
    }
    ++client->answers;
    tally_.in_time += now < end_ ? 1U : 0U;
    tally_.latencies_ns.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(now - client->sent).count());
  }

  void note_wrong(const std::string& what) {
    if (tally_.wrong++ == 0) tally_.first_wrong = what;
  }

  // This client is out: a benchmark in which connections break has failed anyway.
  void hang_up(Client* client, const char* why) {
    note_wrong(why);
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, client->descriptor, nullptr);
    --busy_;
  }

  const std::vector<Exchange>& exchanges_;
  std::atomic<std::size_t>* const next_;
  const Clock::time_point end_;
  const int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  const std::unique_ptr<char[]> buffer_ = std::make_unique<char[]>(kReadBytes);
  std::vector<Client> clients_;
  std::uint64_t busy_ = 0;
  Tally tally_;
};

Tally add_up(std::vector<Tally> tallies) {
  Tally sum = std::move(tallies.front());
  for (std::size_t i = 1; i < tallies.size(); ++i) {
    const Tally& other = tallies[i];
    sum.latencies_ns.insert(sum.latencies_ns.end(), other.latencies_ns.begin(), other.latencies_ns.end());
    sum.in_time += other.in_time;
    sum.wrong += other.wrong;
    sum.client_least = std::min(sum.client_least, other.client_least);
    sum.client_most = std::max(sum.client_most, other.client_most);
    if (sum.first_wrong.empty()) sum.first_wrong = other.first_wrong;
  }
  std::sort(sum.latencies_ns.begin(), sum.latencies_ns.end());
  return sum;
}

// The least latency that at least `share` of the answers did not exceed.
double percentile_ms(const std::vector<std::int64_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<std::size_t>(static_cast<double>(sorted.size()) * share);
  return static_cast<double>(sorted[std::min(rank, sorted.size() - 1)]) / 1e6;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void print_json(const Tally& tally, double seconds) {
  std::string wrong;
  for (const char c : tally.first_wrong) wrong += c == '"' || c == '\\' || c < ' ' ? '\'' : c;
  const std::vector<std::int64_t>& latencies = tally.latencies_ns;
  std::printf("{\"answers\":%zu,\"rate\":%.1f,\"wrong\":%llu,\"first_wrong\":\"%s\",", latencies.size(),
              static_cast<double>(tally.in_time) / seconds, static_cast<unsigned long long>(tally.wrong),
              wrong.c_str());
  std::printf("\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"p999_ms\":%.4f,\"max_ms\":%.4f,", percentile_ms(latencies, 0.5),
              percentile_ms(latencies, 0.99), percentile_ms(latencies, 0.999), percentile_ms(latencies, 1));
  std::printf("\"client_least\":%llu,\"client_most\":%llu,\"cpu_s\":%.3f}\n",
              static_cast<unsigned long long>(tally.client_least), static_cast<unsigned long long>(tally.client_most),
              cpu_seconds());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) die("load PORT CLIENTS SECONDS FILE");
  const auto port = static_cast<std::uint16_t>(std::stoul(argv[1]));
  const std::size_t clients = std::stoul(argv[2]);
  const double seconds = std::stod(argv[3]);
  const std::vector<Exchange> exchanges = read_exchanges(argv[4]);
  std::atomic<std::size_t> next = 0;
  const std::size_t threads = std::min(clients, kThreadsMax);
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::vector<std::unique_ptr<Crowd>> crowds;
  for (std::size_t i = 0; i < threads; ++i) crowds.push_back(std::make_unique<Crowd>(exchanges, &next, end));
  for (std::size_t i = 0; i < clients; ++i) crowds[i % threads]->add(port);
  std::vector<Tally> tallies(threads);
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back([&tally = tallies[i], &crowd = *crowds[i]] { tally = crowd.run(); });
  }
  for (std::thread& thread : running) thread.join();
  print_json(add_up(std::move(tallies)), seconds);
  return 0;
}
