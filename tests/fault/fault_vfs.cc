#include "fault_vfs.h"

#include <sqlite3.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

namespace fault {
namespace {

constexpr std::size_t kSectorBytes = 512;

// A write or a truncation that has not been synced.
struct Change {
  bool is_truncation = false;
  std::uint64_t at = 0;  // Where; for a truncation the new size.
  std::string bytes;
};

// A file, whatever its name. `durable` is what survives for sure.
struct Inode {
  std::string durable;
  std::vector<Change> pending;
};

// A name in the directory: what it names now, and what it named when the directory was last synced (null: nothing).
struct Name {
  std::shared_ptr<Inode> now;
  std::shared_ptr<Inode> durable;
};

std::mutex disk_mutex;
std::map<std::string, Name> names;
Plan plan;
bool is_armed = false;
bool has_struck = false;
bool off = false;
std::uint64_t counted = 0;
std::atomic<bool> network = false;

sqlite3_vfs* below() {
  static sqlite3_vfs* const vfs = sqlite3_vfs_find("unix");
  return vfs;
}

// Counts the call. Returns the code that it has to fail with, or SQLITE_OK. Under the mutex.
int strike(Call call) {
  if (off) return SQLITE_IOERR;
  if (!is_armed || (plan.calls & call) == 0) return SQLITE_OK;
  ++counted;
  if (plan.at == 0 || counted < plan.at || (counted > plan.at && !plan.for_ever)) return SQLITE_OK;
  has_struck = true;
  if (plan.power_cut) off = true;
  return plan.power_cut ? SQLITE_IOERR : plan.code;
}

int strike_alone(Call call) {
  const std::lock_guard lock(disk_mutex);
  return strike(call);
}

void sync_directory() {
  for (auto name = names.begin(); name != names.end();) {
    name->second.durable = name->second.now;
    name = name->second.now == nullptr ? names.erase(name) : std::next(name);
  }
}

void put_bytes(std::string* file, std::uint64_t at, std::string_view bytes) {
  if (file->size() < at + bytes.size()) file->resize(at + bytes.size());
  std::copy(bytes.begin(), bytes.end(), file->begin() + static_cast<std::ptrdiff_t>(at));
}

void apply(const Change& change, std::string* file) {
  if (change.is_truncation) {
    file->resize(std::min<std::uint64_t>(file->size(), change.at));
  } else {
    put_bytes(file, change.at, change.bytes);
  }
}

// SQLite's file: ours with the one below right behind it.
struct File {
  sqlite3_file base;
  Inode* inode;  // Null for files that are no part of a database. Kept alive by `kept`.
  std::shared_ptr<Inode>* kept;
  bool sync_directory_too;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* file_of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* real_of(sqlite3_file* file) { return file_of(file)->real(); }

int close_file(sqlite3_file* file) {
  const std::lock_guard lock(disk_mutex);
  delete file_of(file)->kept;
  file_of(file)->kept = nullptr;
  return real_of(file)->pMethods->xClose(real_of(file));
}

int read_file(sqlite3_file* file, void* to, int count, sqlite3_int64 at) {
  if (const int code = strike_alone(kRead)) return code == SQLITE_IOERR ? SQLITE_IOERR_READ : code;
  return real_of(file)->pMethods->xRead(real_of(file), to, count, at);
}

int write_file(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
  const std::lock_guard lock(disk_mutex);
  const int code = strike(kWrite);
  // The write that the power cut came in may have got there in part.
  const bool is_cut = code != SQLITE_OK && plan.power_cut && counted == plan.at;
  if (Inode* const inode = file_of(file)->inode; inode != nullptr && (code == SQLITE_OK || is_cut)) {
    inode->pending.push_back({false, static_cast<std::uint64_t>(at),
                              std::string(static_cast<const char*>(from), static_cast<std::size_t>(count))});
  }
  if (code != SQLITE_OK) return code == SQLITE_IOERR ? SQLITE_IOERR_WRITE : code;
  return real_of(file)->pMethods->xWrite(real_of(file), from, count, at);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  const std::lock_guard lock(disk_mutex);
  if (const int code = strike(kTruncate)) return code == SQLITE_IOERR ? SQLITE_IOERR_TRUNCATE : code;
  if (Inode* const inode = file_of(file)->inode) {
    inode->pending.push_back({true, static_cast<std::uint64_t>(size), {}});
  }
  return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

// The real file need not be synced: what would survive is the model's business.
int sync_file(sqlite3_file* file, int /*flags*/) {
  const std::lock_guard lock(disk_mutex);
  if (const int code = strike(kSync)) return code == SQLITE_IOERR ? SQLITE_IOERR_FSYNC : code;
  if (is_armed && plan.lying) return SQLITE_OK;
  if (Inode* const inode = file_of(file)->inode) {
    for (const Change& change : inode->pending) apply(change, &inode->durable);
    inode->pending.clear();
    if (file_of(file)->sync_directory_too) sync_directory();
    file_of(file)->sync_directory_too = false;
  }
  return SQLITE_OK;
}

int size_file(sqlite3_file* file, sqlite3_int64* size) {
  if (const int code = strike_alone(kSize)) return code == SQLITE_IOERR ? SQLITE_IOERR_FSTAT : code;
  return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

int lock_file(sqlite3_file* file, int level) {
  if (const int code = strike_alone(kLock)) return code == SQLITE_IOERR ? SQLITE_IOERR_LOCK : code;
  return real_of(file)->pMethods->xLock(real_of(file), level);
}

// Locks are let go whatever happens: a process that ends does.
int unlock_file(sqlite3_file* file, int level) { return real_of(file)->pMethods->xUnlock(real_of(file), level); }

int check_reserved(sqlite3_file* file, int* result) {
  if (const int code = strike_alone(kLock)) return code == SQLITE_IOERR ? SQLITE_IOERR_CHECKRESERVEDLOCK : code;
  return real_of(file)->pMethods->xCheckReservedLock(real_of(file), result);
}

int control_file(sqlite3_file* file, int operation, void* argument) {
  return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

int sector_size(sqlite3_file* file) { return real_of(file)->pMethods->xSectorSize(real_of(file)); }
int characteristics(sqlite3_file* file) { return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file)); }

int map_shm(sqlite3_file* file, int page, int size, int extend, void volatile** at) {
  if (const int code = strike_alone(kShmMap)) return code == SQLITE_IOERR ? SQLITE_IOERR_SHMMAP : code;
  return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, at);
}

int lock_shm(sqlite3_file* file, int offset, int count, int flags) {
  if ((flags & SQLITE_SHM_UNLOCK) == 0) {
    if (const int code = strike_alone(kShmLock)) return code == SQLITE_IOERR ? SQLITE_IOERR_SHMLOCK : code;
  }
  return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

void barrier_shm(sqlite3_file* file) { real_of(file)->pMethods->xShmBarrier(real_of(file)); }
int unmap_shm(sqlite3_file* file, int remove) { return real_of(file)->pMethods->xShmUnmap(real_of(file), remove); }

const sqlite3_io_methods kMethods = {
    2,         close_file,  read_file,      write_file,   truncate_file, sync_file,       size_file,
    lock_file, unlock_file, check_reserved, control_file, sector_size,   characteristics, map_shm,
    lock_shm,  barrier_shm, unmap_shm,      nullptr,      nullptr};

int open_file(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  const std::lock_guard lock(disk_mutex);
  File* const mine = file_of(file);
  mine->base.pMethods = nullptr;
  mine->inode = nullptr;
  mine->kept = nullptr;
  if (const int code = strike(kOpen)) return code == SQLITE_IOERR ? SQLITE_CANTOPEN : code;
  const int code = below()->xOpen(below(), name, mine->real(), flags, out_flags);
  if (mine->real()->pMethods != nullptr) mine->base.pMethods = &kMethods;
  if (code != SQLITE_OK || name == nullptr) return code;
  constexpr int kJournal = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
  if ((flags & (SQLITE_OPEN_MAIN_DB | kJournal)) == 0) return code;
  std::shared_ptr<Inode>& inode = names[name].now;
  if (inode == nullptr) inode = std::make_shared<Inode>();
  mine->kept = new std::shared_ptr<Inode>(inode);
  mine->inode = inode.get();
  mine->sync_directory_too = (flags & kJournal) != 0 && (flags & SQLITE_OPEN_CREATE) != 0;
  return code;
}

int delete_file(sqlite3_vfs* /*vfs*/, const char* name, int sync_directory_too) {
  const std::lock_guard lock(disk_mutex);
  if (const int code = strike(kDelete)) return code == SQLITE_IOERR ? SQLITE_IOERR_DELETE : code;
  const int code = below()->xDelete(below(), name, 0);
  if (code != SQLITE_OK) return code;
  if (const auto found = names.find(name); found != names.end()) found->second.now = nullptr;
  if (sync_directory_too != 0) sync_directory();
  return code;
}

int access_file(sqlite3_vfs* /*vfs*/, const char* name, int flags, int* result) {
  {
    const std::lock_guard lock(disk_mutex);
    if (off) return SQLITE_IOERR_ACCESS;
  }
  return below()->xAccess(below(), name, flags, result);
}

int full_path(sqlite3_vfs* /*vfs*/, const char* name, int size, char* out) {
  return below()->xFullPathname(below(), name, size, out);
}

int randomness(sqlite3_vfs* /*vfs*/, int count, char* out) { return below()->xRandomness(below(), count, out); }
// No test waits: a lock that stays is waited for in no time.
int sleep_for(sqlite3_vfs* /*vfs*/, int microseconds) { return microseconds; }
int last_error(sqlite3_vfs* /*vfs*/, int size, char* out) { return below()->xGetLastError(below(), size, out); }
int now_days(sqlite3_vfs* /*vfs*/, double* days) { return below()->xCurrentTime(below(), days); }
int now_ms(sqlite3_vfs* /*vfs*/, sqlite3_int64* ms) { return below()->xCurrentTimeInt64(below(), ms); }

const char* const kSuffixes[] = {"", "-wal", "-journal"};

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What is left of a file.
std::string survivor(const Inode& inode, Loss loss, std::mt19937_64* chance) {
  std::string left = inode.durable;
  const auto heads = [chance] { return ((*chance)() & 1U) != 0; };
  std::size_t index = 0;
  for (const Change& change : inode.pending) {
    const bool is_late = index++ >= inode.pending.size() / 2;
    if (loss == Loss::kAll || (loss == Loss::kBackward && !is_late)) continue;
    if (loss == Loss::kNone || loss == Loss::kBackward || change.is_truncation || loss == Loss::kWrites) {
      if (loss == Loss::kNone || loss == Loss::kBackward || heads()) apply(change, &left);
      continue;
    }
    for (std::uint64_t at = change.at; at < change.at + change.bytes.size();) {
      const std::uint64_t end = std::min((at / kSectorBytes + 1) * kSectorBytes, change.at + change.bytes.size());
      if (heads()) put_bytes(&left, at, std::string_view(change.bytes).substr(at - change.at, end - at));
      at = end;
    }
  }
  return left;
}

}  // namespace

void install_vfs() {
  static sqlite3_vfs vfs = *below();
  vfs.zName = "fault";
  vfs.szOsFile = static_cast<int>(sizeof(File)) + below()->szOsFile;
  vfs.pNext = nullptr;
  vfs.xOpen = open_file;
  vfs.xDelete = delete_file;
  vfs.xAccess = access_file;
  vfs.xFullPathname = full_path;
  vfs.xRandomness = randomness;
  vfs.xSleep = sleep_for;
  vfs.xGetLastError = last_error;
  vfs.xCurrentTime = now_days;
  vfs.xCurrentTimeInt64 = now_ms;
  if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK) std::abort();
}

void put_image(const std::string& path, const Image& image) {
  const std::lock_guard lock(disk_mutex);
  names.clear();
  plan = Plan();
  is_armed = has_struck = off = false;
  ::unlink((path + "-shm").c_str());
  for (const char* const suffix : kSuffixes) {
    ::unlink((path + suffix).c_str());
    const auto found = image.find(suffix);
    if (found == image.end()) continue;
    std::ofstream(path + suffix, std::ios::binary) << found->second;
    const auto inode = std::make_shared<Inode>();
    inode->durable = found->second;
    names[path + suffix] = {inode, inode};
  }
}

void arm(const Plan& new_plan) {
  const std::lock_guard lock(disk_mutex);
  plan = new_plan;
  is_armed = true;
  has_struck = false;
  counted = 0;
}

bool heal() {
  const std::lock_guard lock(disk_mutex);
  is_armed = false;
  return has_struck;
}

std::uint64_t calls_counted() {
  const std::lock_guard lock(disk_mutex);
  return counted;
}

bool is_off() {
  const std::lock_guard lock(disk_mutex);
  return off;
}

Image lose_power(const std::string& path, Loss loss, std::uint64_t seed) {
  const std::lock_guard lock(disk_mutex);
  std::mt19937_64 chance(seed);
  Image image;
  for (const char* const suffix : kSuffixes) {
    const auto found = names.find(path + suffix);
    if (found == names.end()) continue;
    const Name& name = found->second;
    bool is_new = loss == Loss::kNone;
    if (loss == Loss::kWrites || loss == Loss::kSectors) is_new = (chance() & 1U) != 0;
    const std::shared_ptr<Inode>& inode = name.now == name.durable || is_new ? name.now : name.durable;
    if (inode != nullptr) image[suffix] = survivor(*inode, loss, &chance);
  }
  return image;
}

Image current_image(const std::string& path) {
  Image image;
  for (const char* const suffix : kSuffixes) {
    if (::access((path + suffix).c_str(), F_OK) == 0) image[suffix] = read_whole(path + suffix);
  }
  return image;
}

void pretend_network(bool on) { network = on; }

}  // namespace fault

// These two stand before the C library's: who sleeps makes time pass, for everybody, in no time.
namespace {
std::atomic<std::int64_t> slept_ns = 0;
constexpr std::int64_t kSecondNs = 1'000'000'000;
}  // namespace

extern "C" int nanosleep(const struct timespec* wanted, struct timespec* /*left*/) noexcept {
  slept_ns += wanted->tv_sec * kSecondNs + wanted->tv_nsec;
  return 0;
}

extern "C" int clock_gettime(clockid_t clock, struct timespec* now) noexcept {
  const long result = ::syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && clock == CLOCK_MONOTONIC) {
    const std::int64_t ns = now->tv_nsec + slept_ns;
    now->tv_sec += ns / kSecondNs;
    now->tv_nsec = ns % kSecondNs;
  }
  return static_cast<int>(result);
}

// Stands before the C library's: the store asks it what kind of file system the database lies on.
extern "C" int statfs(const char* path, struct statfs* information) noexcept {
  const long result = ::syscall(SYS_statfs, path, information);
  if (result == 0 && fault::network) information->f_type = 0x6969;  // NFS
  return static_cast<int>(result);
}
