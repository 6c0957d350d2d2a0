// A disk that fails when it is told to: a VFS for SQLite above the machine's own. It can make the Nth call fail, once
// or for ever, and it can lose power at the Nth call: what was not synced is then gone, whole or in part.
//
// The model of the disk is POSIX's: a write is durable once its file was synced, a name (new or removed) once its
// directory was. SQLite asks for the latter with the first sync of a new journal or log, and in xDelete.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace fault {

// What the calls are, as bits.
enum Call : unsigned {
  kOpen = 1U << 0U,
  kRead = 1U << 1U,
  kWrite = 1U << 2U,
  kTruncate = 1U << 3U,
  kSync = 1U << 4U,
  kLock = 1U << 5U,
  kShmMap = 1U << 6U,
  kShmLock = 1U << 7U,
  kDelete = 1U << 8U,
  kSize = 1U << 9U,
};
inline constexpr unsigned kEveryCall = (1U << 10U) - 1U;
inline constexpr unsigned kCallsThatWrite = kOpen | kWrite | kTruncate | kSync | kDelete;
inline constexpr unsigned kCallsThatLock = kLock | kShmLock;

struct Plan {
  std::uint64_t at = 0;         // The call that fails, counted from 1. 0: none.
  unsigned calls = kEveryCall;  // Which are counted.
  int code = 0;                 // SQLite's. Not used by a power cut.
  bool for_ever = false;
  bool power_cut = false;  // From then on nothing works, and lose_power() says what is left.
  bool lying = false;      // Syncs say that they have, and have not: to see that the tests would notice.
};

// How much of what was not synced gets lost.
enum class Loss {
  kAll,       // Nothing that was not synced is there.
  kNone,      // Everything is: the cut came just after the disk had been left alone.
  kWrites,    // Each write is there or not, by the seed.
  kSectors,   // Each sector of each write is, by the seed.
  kBackward,  // The later half of the writes is there, the earlier is not.
};

// The files of one database: what follows its name ("", "-wal", "-journal") -> their bytes.
using Image = std::map<std::string, std::string>;

// Registers the VFS as SQLite's default. To be called once, before the first connection.
void install_vfs();

// Takes all files of the database away and puts the image there, all of it durable. No connection may be open.
void put_image(const std::string& path, const Image& image);

// From now on. Counting starts over.
void arm(const Plan& plan);
// The fault is gone. Returns whether it had struck.
bool heal();
[[nodiscard]] std::uint64_t calls_counted();
[[nodiscard]] bool is_off();

// What a restarted machine would find.
[[nodiscard]] Image lose_power(const std::string& path, Loss loss, std::uint64_t seed);
// What is there now, as a copy of the files would have it.
[[nodiscard]] Image current_image(const std::string& path);

// The database seems to lie on a network file system.
void pretend_network(bool on);

}  // namespace fault
