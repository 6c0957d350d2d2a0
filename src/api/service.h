// An exchange in, answered sooner or later: the request's id, the table of routes, the secret, the method, the body's
// length, HEAD; and the one place where a StoreError becomes an answer. Knows no gateway.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "api/handler.h"
#include "api/slow_lane.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/http.h"
#include "base/log.h"
#include "store/store.h"

namespace leadline {

// Fresh request ids: 128 random bits in hexadecimal, drawn once, and counted on from there. From any thread.
class RandomIds {
 public:
  RandomIds();
  [[nodiscard]] std::string next();

 private:
  std::uint64_t prefix_;
  std::atomic<std::uint64_t> count_;
};

// What a test replaces, so that it never sees today. Callable from any thread.
struct TimeAndChance {
  Clock clock;
  std::function<std::string()> next_id;
};

class Service {
 public:
  using ReadHandler = Response (*)(const Context& context, const Request& request);

  // What it is given by pointer or reference must outlive it.
  Service(const Config& config, Store* store, const Log& log, TimeAndChance ambient);

  // Answers the exchange, now or from the store's answering thread. Never waits for the disk to write. From any thread.
  void serve(Exchange* exchange);

 private:
  // The checks in the contract's order; a request that passes them all goes to its handler.
  void route(Exchange* exchange);
  void read(Exchange* exchange, ReadHandler handler) const;
  void answer(Exchange* exchange, Response response) const;
  void log_request(const Request& request, const Response& response) const;

  const Config& config_;
  Store* const store_;
  const Log& log_;
  const Clock clock_;
  const std::function<std::string()> next_id_;
  SlowLane slow_lane_{kSearchesWaitingMax};  // Last, so that what it still runs finds the rest alive.
};

// For the service, and for a program that can't start one: gives the request a fresh id where the caller's is not good,
// and the response what every answer has (type, length, no caching, the request's id; no body for HEAD).
void ensure_request_id(const std::function<std::string()>& next_id, Request* request);
void complete_response(const Request& request, Response* response);

// Each route's method and path (":id" stands for one segment), for whoever describes them.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> routes();

}  // namespace leadline
