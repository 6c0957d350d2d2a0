// Every limit with its reason, and the settings, which come from the environment and nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"

namespace leadline {

// Requests.
inline constexpr std::uint64_t kBodyBytesDefault = 1'048'576;  // The contract's 1 MiB; LEADLINE_MAX_BODY_BYTES.
inline constexpr std::uint64_t kBodyBytesMost = 64ULL
                                                << 20U;     // What the setting may ask for: bodies are held in memory.
inline constexpr std::size_t kParamsBytesMax = 64U << 10U;  // nginx sends at most 4 × 8 KiB of headers.
inline constexpr std::size_t kRequestIdBytesMax = 128;      // The contract's.
inline constexpr std::size_t kKeyBytesMax = 255;            // Of an Idempotency-Key or a webhook-id.
inline constexpr std::size_t kLoggedBytesMax = 256;         // Of a path or an id: a log line stays a line.
inline constexpr int kRetryAfterSeconds = 5;                // Long enough for a lock to go, short enough to wait.

// Lists.
inline constexpr std::size_t kListPageDefault = 50;  // The contract's, as the next three.
inline constexpr std::size_t kListPageMax = 200;
inline constexpr std::size_t kActivityPageDefault = 100;
inline constexpr std::size_t kActivityPageMax = 1'000;
inline constexpr std::size_t kSummaryDaysDefault = 30;
inline constexpr std::size_t kSummaryDaysMax = 366;     // A year's bars are as many as a picture can show.
inline constexpr std::size_t kSearchBytesMax = 500;     // Of q: more than any name or address has.
inline constexpr int kSearchSeconds = 5;                // Then a search is given up.
inline constexpr std::size_t kSearchesWaitingMax = 16;  // Searches go one at a time; so many may wait their turn.

// Connections and threads.
inline constexpr int kThreadsMost = 64;               // LEADLINE_THREADS; front threads never wait for the disk.
inline constexpr int kThreadsPerCore = 2;             // The default.
inline constexpr std::size_t kConnectionsMax = 1024;  // Above it, the connection that idled longest is closed.
inline constexpr int kListenBacklog = 4096;   // A burst waits in the kernel (which may hold fewer), not in a refusal.
inline constexpr int kIoTimeoutSeconds = 10;  // A peer that neither sends nor takes for so long is gone.
inline constexpr int kArrivalSeconds = 10;    // A request that has begun to arrive must be whole by then.
inline constexpr int kDrainSeconds = 8;       // After SIGTERM; the contract's limit for the exit is 10.

// The store.
inline constexpr std::size_t kGroupWritesMax = 256;         // Writes in one transaction: bounds its time and memory.
inline constexpr std::size_t kQueuedWritesMax = 1000;       // Waiting for the disk; then 503.
inline constexpr std::size_t kQueuedBytesMax = 32U << 20U;  // Of payload, waiting likewise (one is always taken).
// Pages of SQLite's log (4 KiB each) after which the writer copies them back: seldom enough that a page that changes
// often is copied once, often enough that the group that has to wait waits for some tens of milliseconds
// (docs/DESIGN.md).
inline constexpr int kCheckpointPages = 4'000;
inline constexpr int kOpenBusyTimeoutMs = 10'000;               // A start's wait for another program's lock.
inline constexpr int kBusyTimeoutMs = 1'000;                    // One wait for another program's lock.
inline constexpr std::size_t kPageCacheBytesMax = 256U << 10U;  // Of a reading connection; some pages of 100 events.
inline constexpr int kReadBusyTimeoutMs = 5'000;              // A read's; in WAL mode only recovery locks readers out.
inline constexpr int kImportBusyTimeoutMs = 60'000;           // An import has time.
inline constexpr std::int64_t kLockWaitMs = 12'000;           // All waits of one write; the contract's limit is 15 s.
inline constexpr std::int64_t kLockWaitStoppingMs = 4'000;    // The same after SIGTERM.
inline constexpr std::int64_t kHeldDaysMax = 90;              // Events that no lead has claimed are let go after that,
inline constexpr std::int64_t kHeldRowsMax = 100'000;         // and the oldest of more than these.
inline constexpr std::int64_t kKeyDaysMax = 30;               // A repeated Idempotency-Key is known for so long.
inline constexpr std::size_t kIndexedStatusBytesMax = 1'000;  // A longer status is read from its payload.

struct Config {
  std::string webhook_secret;  // CRM_WEBHOOK_SECRET, else CRM_CALLBACK_SECRET. Empty: not configured.
  std::string analytics_key;   // Empty: not configured.
  std::string database_url;
  std::string listen;  // Empty: not set.
  int threads = 1;
  std::uint64_t body_bytes_max = kBodyBytesDefault;
  LogLevel log_level = LogLevel::kInfo;
};

// A setting's value, or null.
using Environment = std::function<const char*(const char* name)>;

// Reads the settings. Where one is missing or bad, returns none and sets `*why` to one line that names it.
[[nodiscard]] std::optional<Config> read_config(const Environment& environment, int cores, std::string* why);

}  // namespace leadline
