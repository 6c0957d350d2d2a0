// What the process asks of the kernel for itself: the signals that end it, and how many descriptors it may have.
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

}  // namespace leadline
