// The embedded engine. The one file that knows sqlite3.h.
//
// Durability (https://sqlite.org/pragma.html#pragma_synchronous): in WAL mode synchronous=FULL syncs the log at every
// commit, so that a committed transaction survives a power cut. On a network file system WAL's shared memory can't
// work (https://sqlite.org/wal.html): there a rollback journal with synchronous=EXTRA gives the same promise, slower.
//
// Checkpoints: SQLite before 3.51.3 can damage a WAL database when one connection checkpoints and resets the log at the
// instant another writes. So ours never checkpoint by themselves (wal_autocheckpoint=0): the one writer does, between
// its transactions, in a mode that holds the write lock.
#include "store/db_sqlite.h"

#include <sqlite3.h>
#include <sys/vfs.h>

#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/config.h"

namespace leadline {
namespace {

// What may be kept in memory: the pages that the groups of a busy minute change; those of an import, so that a page
// changed often is written once; the upper levels of the trees for a reader, of which each front thread has one.
constexpr int kWriterCacheKib = 8 << 10;
constexpr int kImportCacheKib = 64 << 10;
constexpr int kReaderCacheKib = 1 << 10;
// A log that grew beyond this while a reader held it is cut back when it starts over.
constexpr int kLogBytesKept = 32 << 20;
// Virtual machine steps between two looks at the deadline: some tens of microseconds.
constexpr int kDeadlineSteps = 10'000;

using Handle = std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)>;
using Prepared = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

Fault fault_of(int code) {
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:  // A race for the WAL's locks that was lost too often.
      return Fault::kBusy;
    case SQLITE_INTERRUPT:
      return Fault::kDeadline;
    default:
      return Fault::kFailed;
  }
}

[[noreturn]] void fail(sqlite3* db, int code, std::string_view doing) {
  std::string what(doing);
  what += ": ";
  what += db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db);
  what += " (SQLite code " + std::to_string(db == nullptr ? code : sqlite3_extended_errcode(db)) + ')';
  throw StoreError(fault_of(code), what);
}

std::int64_t steady_now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// A failed statement fails the whole transaction here, so none needs to be undone alone. Saying so ("OR FAIL",
// https://sqlite.org/lang_conflict.html) spares inserts into tables with triggers the journal that SQLite would keep of
// every page they change (measured: a third of an import's time).
std::string without_statement_journal(std::string_view sql) {
  static constexpr std::string_view kInsert = "INSERT INTO ";
  if (!sql.starts_with(kInsert)) return std::string(sql);
  return "INSERT OR FAIL INTO " + std::string(sql.substr(kInsert.size()));
}

class SqliteStatement final : public Statement {
 public:
  SqliteStatement(sqlite3* db, std::string_view sql) : db_(db), prepared_(nullptr, &sqlite3_finalize) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &statement, nullptr);
    prepared_.reset(statement);
    if (code != SQLITE_OK) fail(db, code, "preparing a statement");
  }

  void bind(std::span<const Value> parameters) {
    CHECK(!running_);
    CHECK(sqlite3_bind_parameter_count(prepared_.get()) == static_cast<int>(parameters.size()));
    running_ = true;
    int index = 0;
    for (const Value& value : parameters) {
      const int code = bind_one(++index, value);
      if (code != SQLITE_OK) {
        reset();
        fail(db_, code, "binding a parameter");
      }
    }
  }

  bool step() override {
    const int code = sqlite3_step(prepared_.get());
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail(db_, code, "running a statement");
    return false;
  }

  void reset() noexcept override {
    sqlite3_reset(prepared_.get());
    running_ = false;
  }

  [[nodiscard]] bool is_null(int column) const override {
    return sqlite3_column_type(prepared_.get(), column) == SQLITE_NULL;
  }

  [[nodiscard]] std::int64_t integer(int column) const override {
    return sqlite3_column_int64(prepared_.get(), column);
  }

  [[nodiscard]] std::string_view text(int column) const override {
    // The bytes are asked for after the text: asking for the text may convert.
    const auto* const bytes = reinterpret_cast<const char*>(sqlite3_column_text(prepared_.get(), column));
    if (bytes == nullptr) return {};
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(prepared_.get(), column))};
  }

 private:
  int bind_one(int index, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      return sqlite3_bind_int64(prepared_.get(), index, *number);
    }
    if (const auto* text = std::get_if<std::string_view>(&value)) {
      // An empty view may have no address, which SQLite would take for null.
      return sqlite3_bind_text64(prepared_.get(), index, text->empty() ? "" : text->data(), text->size(), SQLITE_STATIC,
                                 SQLITE_UTF8);
    }
    return sqlite3_bind_null(prepared_.get(), index);
  }

  sqlite3* const db_;
  Prepared prepared_;
  bool running_ = false;
};

class SqliteConnection final : public Connection {
 public:
  SqliteConnection(const std::string& path, Role role, std::string* warning) : role_(role) {
    sqlite3* db = nullptr;
    const int code =
        sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    db_.reset(db);
    if (code != SQLITE_OK) fail(db, code, "opening " + path);
    sqlite3_busy_handler(db, &SqliteConnection::wait_for_lock, this);
    // Before WAL's shared memory is made, which would take over the file's mode and stay as it is.
    if (sqlite3_db_readonly(db, "main") == 1) throw StoreError(Fault::kFailed, path + " is read-only");
    sqlite3_stmt* rollback = nullptr;
    const int prepared = sqlite3_prepare_v3(db, "ROLLBACK", -1, SQLITE_PREPARE_PERSISTENT, &rollback, nullptr);
    rollback_.reset(rollback);
    if (prepared != SQLITE_OK) fail(db, prepared, "preparing ROLLBACK");
    set_durability(path, warning);
    sqlite3_progress_handler(db, kDeadlineSteps, &SqliteConnection::is_past_deadline, this);
  }

  void begin(Access access) override {
    rollback();  // Where the last one failed, for want of memory say, its transaction is still open.
    if (access == Access::kWrite) check_file_in_place();
    // Between transactions no statement is in use.
    if (statements_.size() >= kStatementsMax) statements_.clear();
    execute(access == Access::kWrite ? "BEGIN IMMEDIATE" : "BEGIN", {});
  }

  void commit() override { execute("COMMIT", {}); }

  void rollback() noexcept override {
    // Some errors (a full disk) have rolled back by themselves.
    if (sqlite3_get_autocommit(db_.get()) != 0) return;
    sqlite3_step(rollback_.get());
    sqlite3_reset(rollback_.get());
  }

  [[nodiscard]] Rows run(std::string_view sql, std::span<const Value> parameters) override {
    auto found = statements_.find(sql);
    if (found == statements_.end()) {
      found = statements_.try_emplace(std::string(sql), db_.get(), without_statement_journal(sql)).first;
    }
    found->second.bind(parameters);
    return Rows(&found->second);
  }

  void run_script(const std::string& sql) override {
    const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(db_.get(), code, "running a script");
  }

  int schema_version() override { return static_cast<int>(pragma_number("PRAGMA user_version")); }

  void set_schema_version(int version) override { run_script("PRAGMA user_version=" + std::to_string(version)); }

  bool holds_tables() override { return pragma_number("SELECT EXISTS (SELECT 1 FROM sqlite_schema)") != 0; }

  // RESTART waits for nobody here (no busy handler): where readers still need the log, what can be copied is copied,
  // and the next round goes on. FULL would do as much, but the log would never start over.
  void keep_house() noexcept override {
    if (role_ == Role::kReader || !wal_ || pages_in_log_ < checkpoint_at_) return;
    const int busy_timeout_ms = std::exchange(busy_timeout_ms_, 0);
    const int code = sqlite3_wal_checkpoint_v2(db_.get(), "main", SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
    busy_timeout_ms_ = busy_timeout_ms;
    checkpoint_at_ = code == SQLITE_OK ? kCheckpointPages : pages_in_log_ + kCheckpointPages;
  }

  // https://sqlite.org/pragma.html#pragma_data_version
  std::int64_t data_version() override {
    Rows rows = Connection::run("PRAGMA data_version", {});
    return rows.next() ? rows.integer(0) : 0;
  }

  void set_busy_timeout(int milliseconds) override { busy_timeout_ms_ = milliseconds; }

  void set_deadline(std::int64_t steady_us) override { deadline_us_ = steady_us; }

 private:
  // Statements kept prepared: more than the program has, but for lists with rare combinations of filters.
  static constexpr std::size_t kStatementsMax = 128;

  void set_durability(const std::string& path, std::string* warning) {
    expect_pragma("trusted_schema=OFF", "trusted_schema", "0");
    // The writer finds each lead that it names in the same transaction. To have that checked once more costs an event
    // another page, out of millions in a large database (measured: a third more time at 10 million events).
    const bool checks_keys = role_ != Role::kWriter;
    expect_pragma(checks_keys ? "foreign_keys=ON" : "foreign_keys=OFF", "foreign_keys", checks_keys ? "1" : "0");
    expect_pragma("mmap_size=0", nullptr, "");
    // What a statement keeps to undo itself, and what it sorts, never goes through a file.
    expect_pragma("temp_store=MEMORY", "temp_store", "2");
    run_script("PRAGMA cache_size=-" + std::to_string(cache_kib()));
    // Only has an effect while the file is empty, and must come before WAL makes its first page. Later it would do
    // nothing but take the write lock.
    if (pragma_number("PRAGMA page_count") == 0) run_script("PRAGMA auto_vacuum=INCREMENTAL");
    if (is_network_file_system(path)) {
      if (warning != nullptr) {
        *warning = "the database is on a network file system: using a rollback journal, which is slower";
      }
      expect_pragma("journal_mode=DELETE", "journal_mode", "delete");
      expect_pragma("synchronous=EXTRA", "synchronous", "3");
      return;
    }
    expect_pragma("journal_mode=WAL", "journal_mode", "wal");
    expect_pragma("synchronous=FULL", "synchronous", "2");
    expect_pragma("wal_autocheckpoint=0", "wal_autocheckpoint", "0");
    run_script("PRAGMA journal_size_limit=" + std::to_string(kLogBytesKept));
    wal_ = true;
    // After autocheckpoint, whose own hook this replaces (https://sqlite.org/c3ref/wal_hook.html).
    sqlite3_wal_hook(db_.get(), &SqliteConnection::note_log_size, this);
  }

  [[nodiscard]] int cache_kib() const {
    switch (role_) {
      case Role::kWriter:
        return kWriterCacheKib;
      case Role::kImporter:
        return kImportCacheKib;
      case Role::kReader:
        break;
    }
    return kReaderCacheKib;
  }

  // Makes a setting and reads it back, since a PRAGMA that has no effect is no error.
  void expect_pragma(const std::string& setting, const char* name, std::string_view expected) {
    run_script("PRAGMA " + setting);
    if (name == nullptr) return;
    SqliteStatement statement(db_.get(), std::string("PRAGMA ") + name);
    if (!statement.step() || statement.text(0) != expected) {
      throw StoreError(Fault::kFailed, "the database did not take the setting " + setting);
    }
  }

  std::int64_t pragma_number(std::string_view sql) {
    SqliteStatement statement(db_.get(), sql);
    return statement.step() ? statement.integer(0) : 0;
  }

  // A file that was moved or replaced while we held it open would take events that nobody ever sees again.
  void check_file_in_place() {
    int moved = 0;
    sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (moved != 0) throw StoreError(Fault::kFailed, "the database file was moved, replaced or removed; restart");
  }

  static bool is_network_file_system(const std::string& path) {
    // statfs(2) and linux/magic.h: NFS, SMB, CIFS, SMB2, AFS, Ceph, FUSE (sshfs), 9p.
    static constexpr std::uint32_t kNetworkTypes[] = {0x6969,     0x517B,     0xFF534D42, 0xFE534D42,
                                                      0x5346414F, 0x00C36400, 0x65735546, 0x01021997};
    struct statfs information {};
    if (statfs(path.c_str(), &information) != 0) return false;
    for (const std::uint32_t type : kNetworkTypes) {
      if (static_cast<std::uint32_t>(information.f_type) == type) return true;
    }
    return false;
  }

  static int note_log_size(void* self, sqlite3* /*db*/, const char* /*name*/, int pages) {
    static_cast<SqliteConnection*>(self)->pages_in_log_ = pages;
    return SQLITE_OK;
  }

  // SQLite's own handler sleeps up to 100 ms between two looks, and a neighbour that hardly lets go of the lock would
  // keep us out for ever. This one looks every millisecond.
  static int wait_for_lock(void* self, int times) {
    auto* const connection = static_cast<SqliteConnection*>(self);
    const std::int64_t now_us = steady_now_us();
    if (times == 0) connection->locked_since_us_ = now_us;
    if (now_us - connection->locked_since_us_ >= connection->busy_timeout_ms_ * 1000LL) return 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return 1;
  }

  static int is_past_deadline(void* self) {
    const std::int64_t deadline_us = static_cast<SqliteConnection*>(self)->deadline_us_;
    return deadline_us != 0 && steady_now_us() > deadline_us ? 1 : 0;
  }

  const Role role_;
  Handle db_{nullptr, &sqlite3_close_v2};
  Prepared rollback_{nullptr, &sqlite3_finalize};  // In advance: it must work when there is no memory left.
  std::map<std::string, SqliteStatement, std::less<>> statements_;
  bool wal_ = false;
  int busy_timeout_ms_ = kOpenBusyTimeoutMs;
  std::int64_t locked_since_us_ = 0;
  int pages_in_log_ = 0;
  int checkpoint_at_ = kCheckpointPages;
  std::int64_t deadline_us_ = 0;
};

}  // namespace

// SQLite counts its memory for statistics that nobody asks for, under a lock that all threads share.
// (https://sqlite.org/c3ref/c_config_covering_index_scan.html, SQLITE_CONFIG_MEMSTATUS; before the first connection.)
std::unique_ptr<Connection> connect_sqlite(const std::string& path, Role role, std::string* warning) {
  static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(configured);  // Refused where somebody has used SQLite before us; then it is only slower.
  return std::make_unique<SqliteConnection>(path, role, warning);
}

}  // namespace leadline
