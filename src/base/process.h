// What the process asks of the kernel for itself: the signals that end it, how many descriptors it may have, which of
// its threads gives way.
#pragma once

#include <csignal>
#include <cstddef>

namespace leadline {

// SIGTERM, SIGINT, and SIGUSR1, which is mod_fastcgi's word for the same.
[[nodiscard]] sigset_t stop_signals();

// Keeps these signals for a signalfd. To be called before the first thread is started: threads inherit the mask.
void block_stop_signals();

// Raises the soft limit of open descriptors as far towards `wanted` as the hard one allows.
void raise_descriptor_limit(std::size_t wanted);

// Makes the calling thread give way to the others (a niceness of up to 19, setpriority(2)).
void lower_thread_priority(int niceness);

}  // namespace leadline
