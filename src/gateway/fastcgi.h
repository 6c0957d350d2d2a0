// The FastCGI process: its own accept and epoll, parked connections, front threads, a graceful stop. Knows no routes
// and no FastCGI records (fastcgi_link.h does): it hands each request to `serve` as an Exchange.
//
// libfcgi would keep a thread on an idle kept connection. Here epoll holds the idle ones; a front thread takes one when
// a request has arrived, and the connection goes back once that has been answered, by whichever thread.
#pragma once

#include <functional>
#include <string>

#include "base/http.h"
#include "base/log.h"

namespace leadline {

struct FastcgiOptions {
  int listener = 0;                      // A bound socket, listening or not; becomes the server's.
  std::string socket_path;               // Removed at the stop; empty where there is none or it is not ours.
  int threads = 1;                       // Front threads.
  std::function<void(Exchange*)> serve;  // Called on front threads. The exchange may be answered later, elsewhere.
  std::function<void()> on_stop;         // Called once when the stop begins.
};

// Serves until one of stop_signals(), which must be blocked: then takes no new connection, answers what has arrived and
// returns, after at most kDrainSeconds. A second signal ends the process at once. Returns whether everything was
// answered.
[[nodiscard]] bool serve_fastcgi(FastcgiOptions options, const Log& log);

}  // namespace leadline
