#include "base/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace leadline {

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
  return signals;
}

void block_stop_signals() {
  const sigset_t signals = stop_signals();
  CHECK(::pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
}

void raise_descriptor_limit(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t possible = std::min<rlim_t>(limit.rlim_max, wanted);
  if (limit.rlim_cur >= possible) return;
  limit.rlim_cur = possible;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// On Linux a thread has a niceness of its own (setpriority(2), "C library/kernel differences").
void lower_thread_priority(int niceness) { ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness); }

}  // namespace leadline
