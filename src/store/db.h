// THE SEAM between the domain's queries and an engine: connect, begin, run, commit, roll back. An engine is one file
// (db_sqlite.cc); everything above names no engine. Queries are written once for all engines: "$1", "$2"… first used in
// rising order, RETURNING, no vendor functions.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

namespace leadline {

enum class Fault {
  kBusy,      // Another program held a lock for too long; the same may succeed later.
  kDeadline,  // The connection's deadline passed.
  kFailed,    // Anything else: the disk, a full file system, a damaged file, a broken rule of the schema.
};

// A broken world. what() is for the log, never for a client.
class StoreError : public std::runtime_error {
 public:
  StoreError(Fault fault, const std::string& what) : std::runtime_error(what), fault_(fault) {}
  [[nodiscard]] Fault fault() const { return fault_; }

 private:
  Fault fault_;
};

// A parameter: null, a number or a text. A text is borrowed until the Rows of its statement are gone.
using Value = std::variant<std::monostate, std::int64_t, std::string_view>;

// What an engine makes of one prepared statement; used through Rows.
class Statement {
 public:
  virtual ~Statement() = default;
  virtual bool step() = 0;
  virtual void reset() noexcept = 0;
  [[nodiscard]] virtual bool is_null(int column) const = 0;
  [[nodiscard]] virtual std::int64_t integer(int column) const = 0;
  [[nodiscard]] virtual std::string_view text(int column) const = 0;
};

// The rows of one run, read forward. Columns count from 0. A text lives until the next next(). Foreign bytes may come
// out of text(): whoever passes them on must mend them (JsonWriter does).
class Rows {
 public:
  explicit Rows(Statement* statement) : statement_(statement) {}
  ~Rows() { statement_->reset(); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  [[nodiscard]] bool next() { return statement_->step(); }
  [[nodiscard]] bool is_null(int column) const { return statement_->is_null(column); }
  [[nodiscard]] std::int64_t integer(int column) const { return statement_->integer(column); }
  [[nodiscard]] std::string_view text(int column) const { return statement_->text(column); }

 private:
  Statement* statement_;
};

enum class Access { kRead, kWrite };

// One connection, used by one thread at a time. Every method but rollback() may throw StoreError.
class Connection {
 public:
  virtual ~Connection() = default;

  // kWrite takes the write lock at once. kRead sees one moment from its first query on.
  virtual void begin(Access access) = 0;
  virtual void commit() = 0;  // Once it has returned, the transaction survives a power cut.
  virtual void rollback() noexcept = 0;

  // Runs one statement, which stays prepared. One statement can't be run again while its Rows live.
  [[nodiscard]] virtual Rows run(std::string_view sql, std::span<const Value> parameters) = 0;
  [[nodiscard]] Rows run(std::string_view sql, std::initializer_list<Value> parameters) {
    return run(sql, std::span<const Value>(parameters.begin(), parameters.size()));
  }
  // For statements that return no rows.
  void execute(std::string_view sql, std::initializer_list<Value> parameters);

  // Several statements without parameters: a migration.
  virtual void run_script(const std::string& sql) = 0;
  virtual int schema_version() = 0;
  virtual void set_schema_version(int version) = 0;
  virtual bool holds_tables() = 0;  // Any, whoever made them.

  // Between transactions: what the engine needs done now and then. Never throws: what fails is done next time.
  virtual void keep_house() noexcept = 0;

  // Changes when anybody else has changed the database, inside a read transaction as far as that sees. To be compared
  // with what the same connection said before.
  virtual std::int64_t data_version() = 0;

  // How long another program's lock is waited for; a new connection waits for kOpenBusyTimeoutMs.
  virtual void set_busy_timeout(int milliseconds) = 0;

  // Queries that run past `steady_us` (of the steady clock) end with Fault::kDeadline; 0 lifts it.
  virtual void set_deadline(std::int64_t steady_us) = 0;
};

// Begins at once; rolls back unless committed. `Engine` is Connection, or a test's.
template <class Engine>
class Transaction {
 public:
  Transaction(Engine& engine, Access access) : engine_(engine) { engine_.begin(access); }
  ~Transaction() {
    if (!committed_) engine_.rollback();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit() {
    engine_.commit();
    committed_ = true;
  }

 private:
  Engine& engine_;
  bool committed_ = false;
};

// What a connection is for. Those that write also look after the engine's files; an import has time and memory.
enum class Role { kWriter, kImporter, kReader };

// Whether some engine knows the URL ("sqlite:PATH"). Where not, `*why` says what is wrong with it.
[[nodiscard]] bool is_database_url(std::string_view url, std::string* why);

// Opens a connection with every durability setting made and read back. Throws StoreError. `*warning` is set where the
// place calls for a slower but safe way (a network file system).
[[nodiscard]] std::unique_ptr<Connection> connect(std::string_view url, Role role, std::string* warning = nullptr);

}  // namespace leadline
