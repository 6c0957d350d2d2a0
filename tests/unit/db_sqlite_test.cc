// The embedded engine, on real files: what it promises about durability, locks, transactions and its log.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <string>

#include "base/config.h"
#include "raw_db.h"
#include "store/db.h"
#include "support.h"

namespace leadline {
namespace {

namespace fs = std::filesystem;

// A database file of its own, with one table, and a way to open it.
struct Bench {
  TempDir dir;
  const std::string path = dir.file("leads.db");

  explicit Bench(bool with_table = true) {
    if (with_table) open()->run_script("CREATE TABLE T (A)");
  }
  [[nodiscard]] std::unique_ptr<Connection> open(Role role = Role::kWriter) const {
    return connect("sqlite:" + path, role);
  }
  std::string ask(const std::string& sql) const { return RawDb(path).ask(sql); }
};

std::string setting(Connection& connection, const std::string& name) {
  Rows rows = connection.run("PRAGMA " + name, {});
  return rows.next() ? std::string(rows.text(0)) : "(nothing)";
}

// The fault that `work` ends with.
Fault fault_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const StoreError& error) {
    CHECK(std::string(error.what()).size() > 10);
    return error.fault();
  }
  FAIL("no StoreError");
  return Fault::kFailed;
}

void insert(Connection& connection, std::string_view text) {
  Transaction transaction(connection, Access::kWrite);
  connection.execute("INSERT INTO T (A) VALUES ($1)", {text});
  transaction.commit();
}

TEST_CASE("sqlite: every durability setting is in force on every kind of connection") {
  const Bench bench;
  for (const Role role : {Role::kWriter, Role::kImporter, Role::kReader}) {
    const std::unique_ptr<Connection> connection = bench.open(role);
    CHECK(setting(*connection, "journal_mode") == "wal");
    CHECK(setting(*connection, "synchronous") == "2");
    CHECK(setting(*connection, "wal_autocheckpoint") == "0");
    CHECK(setting(*connection, "trusted_schema") == "0");
    CHECK(setting(*connection, "foreign_keys") == (role == Role::kWriter ? "0" : "1"));  // It looks for itself.
    CHECK(setting(*connection, "mmap_size") == "0");
    CHECK(std::stoi(setting(*connection, "journal_size_limit")) > 0);
  }
}

// How long begin() waits for a lock that nobody lets go of.
std::chrono::milliseconds wait_for_lock(Connection& connection) {
  const auto begun = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(connection.begin(Access::kWrite), StoreError);
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
}

TEST_CASE("sqlite: a lock is waited for as long as the connection is told") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  RawDb other(bench.path);
  other.ask("BEGIN IMMEDIATE");
  connection->set_busy_timeout(60);
  CHECK(wait_for_lock(*connection).count() >= 60);
  connection->set_busy_timeout(0);
  CHECK(wait_for_lock(*connection).count() < 60);
}

TEST_CASE("sqlite: a lock that is let go of meanwhile is taken") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  RawDb other(bench.path);
  other.ask("BEGIN IMMEDIATE");
  std::future<void> waiting = std::async(std::launch::async, [&connection] { connection->begin(Access::kWrite); });
  CHECK(waiting.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout);
  other.ask("COMMIT");
  CHECK_NOTHROW(waiting.get());
  connection->rollback();
}

TEST_CASE("sqlite: housekeeping leaves the wait for locks as it was told") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  connection->set_busy_timeout(60);
  insert(*connection, std::string(6U << 20U, 'x'));  // Enough for a checkpoint.
  connection->keep_house();
  RawDb other(bench.path);
  other.ask("BEGIN IMMEDIATE");
  CHECK(wait_for_lock(*connection).count() >= 60);
}

TEST_CASE("sqlite: the file itself is in WAL mode and gives pages back") {
  const Bench bench;
  CHECK(bench.ask("PRAGMA journal_mode") == "wal");
  CHECK(bench.ask("PRAGMA auto_vacuum") == "2");
}

TEST_CASE("sqlite: a file in another journal mode is brought into WAL mode") {
  const Bench bench(false);
  bench.ask("PRAGMA journal_mode=DELETE; CREATE TABLE T (A)");
  CHECK(setting(*bench.open(), "journal_mode") == "wal");
  CHECK(bench.ask("PRAGMA journal_mode") == "wal");
}

TEST_CASE("sqlite: no warning is given on a local file system") {
  const Bench bench;
  std::string warning;
  (void)connect("sqlite:" + bench.path, Role::kWriter, &warning);
  CHECK(warning.empty());
}

TEST_CASE("sqlite: a file that is no database is refused") {
  const Bench bench(false);
  std::ofstream(bench.path) << std::string(8192, 'x');
  CHECK(fault_of([&bench] { (void)bench.open(); }) == Fault::kFailed);
}

TEST_CASE("sqlite: a directory that is not there is refused") {
  const TempDir dir;
  CHECK(fault_of([&dir] { (void)connect("sqlite:" + dir.file("none/leads.db"), Role::kWriter); }) == Fault::kFailed);
}

TEST_CASE("sqlite: the path is a path, not a URI") {
  const TempDir dir;
  (void)connect("sqlite:" + dir.file("a?mode=memory"), Role::kWriter);
  CHECK(fs::exists(dir.file("a?mode=memory")));
}

TEST_CASE("sqlite: the URL may have two slashes before the path, as other tools write it") {
  const Bench bench;
  CHECK(connect("sqlite://" + bench.path, Role::kReader)->holds_tables());
}

TEST_CASE("sqlite: URLs of files are known, others are refused by the setting's name") {
  std::string why;
  for (const char* url :
       {"sqlite:leads.db", "sqlite:/var/lib/leads.db", "sqlite:///var/lib/leads.db", "sqlite:./a:b"}) {
    CAPTURE(url);
    CHECK(is_database_url(url, &why));
  }
  for (const char* url : {"", "leads.db", "/var/lib/leads.db", "sqlite", "sqlite:", "sqlite://", "sqlite::memory:",
                          "sqlite://:memory:", "SQLITE:x", "postgresql://localhost/leads", "file:leads.db"}) {
    CAPTURE(url);
    why.clear();
    CHECK_FALSE(is_database_url(url, &why));
    CHECK(why.starts_with("DATABASE_URL must"));
  }
}

TEST_CASE("sqlite: what was committed is there for everyone") {
  const Bench bench;
  insert(*bench.open(), "x");
  CHECK(bench.ask("SELECT A FROM T") == "x");
}

TEST_CASE("sqlite: a transaction that was not committed is rolled back, also by an exception") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  {
    const Transaction transaction(*connection, Access::kWrite);
    connection->execute("INSERT INTO T (A) VALUES ($1)", {"dropped"});
  }
  const auto throwing = [&connection] {
    const Transaction transaction(*connection, Access::kWrite);
    connection->execute("INSERT INTO T (A) VALUES ($1)", {"dropped"});
    throw std::runtime_error("on the way");
  };
  CHECK_THROWS_AS(throwing(), std::runtime_error);
  insert(*connection, "kept");
  CHECK(bench.ask("SELECT A FROM T") == "kept");
}

TEST_CASE("sqlite: rolling back outside of a transaction is harmless") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  connection->rollback();
  insert(*connection, "x");
  CHECK(bench.ask("SELECT A FROM T") == "x");
}

TEST_CASE("sqlite: a lock that another program holds is Fault::kBusy, and later the same succeeds") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  connection->set_busy_timeout(0);
  RawDb other(bench.path);
  other.ask("BEGIN IMMEDIATE; INSERT INTO T (A) VALUES ('theirs')");
  CHECK(fault_of([&connection] { insert(*connection, "ours"); }) == Fault::kBusy);
  other.ask("COMMIT");
  insert(*connection, "ours");
  CHECK(bench.ask("SELECT A FROM T ORDER BY rowid") == "theirs\nours");
}

TEST_CASE("sqlite: the write lock is taken when the transaction begins") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  const Transaction transaction(*connection, Access::kWrite);
  RawDb other(bench.path);
  CHECK_THROWS(other.ask("PRAGMA busy_timeout=0; BEGIN IMMEDIATE"));
}

TEST_CASE("sqlite: reading goes on while another program holds the write lock") {
  const Bench bench;
  const std::unique_ptr<Connection> reader = bench.open(Role::kReader);
  RawDb other(bench.path);
  other.ask("INSERT INTO T (A) VALUES ('before'); BEGIN IMMEDIATE; INSERT INTO T (A) VALUES ('not yet')");
  Rows rows = reader->run("SELECT count(*) FROM T", {});
  REQUIRE(rows.next());
  CHECK(rows.integer(0) == 1);
}

TEST_CASE("sqlite: a database is opened while another program holds the write lock") {
  const Bench bench;
  RawDb other(bench.path);
  other.ask("BEGIN IMMEDIATE");
  CHECK_NOTHROW((void)bench.open(Role::kWriter));
}

TEST_CASE("sqlite: opening a database that is there writes nothing to it") {
  const Bench bench;
  const std::unique_ptr<Connection> writer = bench.open();
  insert(*writer, "x");
  const std::uintmax_t before = fs::file_size(bench.path + "-wal");
  const std::unique_ptr<Connection> reader = bench.open(Role::kReader);
  CHECK(fs::file_size(bench.path + "-wal") == before);
}

TEST_CASE("sqlite: a read transaction sees one moment") {
  const Bench bench;
  const std::unique_ptr<Connection> reader = bench.open(Role::kReader);
  const auto count = [&reader] {
    Rows rows = reader->run("SELECT count(*) FROM T", {});
    return rows.next() ? rows.integer(0) : -1;
  };
  {
    const Transaction transaction(*reader, Access::kRead);
    CHECK(count() == 0);
    insert(*bench.open(), "x");
    CHECK(count() == 0);
  }
  CHECK(count() == 1);
}

TEST_CASE("sqlite: a broken rule of the schema and a bad statement are Fault::kFailed") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  connection->run_script("CREATE TABLE U (A NOT NULL)");
  CHECK(fault_of([&connection] { connection->execute("INSERT INTO U (A) VALUES (NULL)", {}); }) == Fault::kFailed);
  CHECK(fault_of([&connection] { connection->execute("SELECT nonsense", {}); }) == Fault::kFailed);
  CHECK(fault_of([&connection] { connection->run_script("CREATE TABLE T (A)"); }) == Fault::kFailed);
}

TEST_CASE("sqlite: a statement can be run again after it failed") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  connection->run_script("CREATE TABLE U (A NOT NULL)");
  constexpr std::string_view kInsert = "INSERT INTO U (A) VALUES ($1)";
  CHECK_THROWS_AS(connection->execute(kInsert, {std::monostate()}), StoreError);
  CHECK_NOTHROW(connection->execute(kInsert, {"x"}));
}

TEST_CASE("sqlite: values come back as they went in") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  const std::string bytes("a\0b\xFF\xC3\xA9", 6);
  connection->run_script("CREATE TABLE V (N, I, E, B, O INTEGER)");
  connection->execute("INSERT INTO V VALUES ($1, $2, $3, $4, $5)",
                      {std::monostate(), std::int64_t{9'007'199'254'740'993}, std::string_view(), bytes, "7"});
  Rows rows = connection->run("SELECT N, I, E, B, O FROM V", {});
  REQUIRE(rows.next());
  CHECK(rows.is_null(0));
  CHECK(rows.text(0).empty());
  CHECK(rows.integer(1) == 9'007'199'254'740'993);
  CHECK_FALSE(rows.is_null(2));
  CHECK(rows.text(2).empty());
  CHECK(rows.text(3) == bytes);
  CHECK(rows.integer(4) == 7);
  CHECK_FALSE(rows.next());
}

TEST_CASE("sqlite: rows that are let go early leave the statement free to be run again") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  for (const char* text : {"a", "b"}) insert(*connection, text);
  for (int i = 0; i < 2; ++i) {
    Rows rows = connection->run("SELECT A FROM T ORDER BY A", {});
    REQUIRE(rows.next());
    CHECK(rows.text(0) == "a");
  }
}

TEST_CASE("sqlite: many different statements are run without end") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  for (int i = 0; i < 1'000; ++i) {
    const Transaction transaction(*connection, Access::kRead);
    Rows rows = connection->run("SELECT " + std::to_string(i), {});
    REQUIRE(rows.next());
    if (rows.integer(0) != i) FAIL("another statement's row");
  }
}

TEST_CASE("sqlite: a file that was moved, removed or replaced takes no more writes") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open();
  insert(*connection, "before");
  SUBCASE("moved") { fs::rename(bench.path, bench.path + ".old"); }
  SUBCASE("removed") { fs::remove(bench.path); }
  SUBCASE("replaced") {
    fs::rename(bench.path, bench.path + ".old");
    fs::copy_file(bench.path + ".old", bench.path);
  }
  CHECK(fault_of([&connection] { insert(*connection, "after"); }) == Fault::kFailed);
}

TEST_CASE("sqlite: a query that runs past its deadline ends with Fault::kDeadline") {
  const Bench bench;
  const std::unique_ptr<Connection> connection = bench.open(Role::kReader);
  constexpr std::string_view kSlow =
      "WITH RECURSIVE N (I) AS (SELECT 1 UNION ALL SELECT I + 1 FROM N WHERE I < 200000) SELECT count(*) FROM N";
  connection->set_deadline(1);
  CHECK(fault_of([&] { connection->execute(kSlow, {}); }) == Fault::kDeadline);
  connection->set_deadline(0);
  CHECK_NOTHROW(connection->execute(kSlow, {}));
}

TEST_CASE("sqlite: the schema's version is kept in the file") {
  const Bench bench;
  CHECK(bench.open()->schema_version() == 0);
  bench.open()->set_schema_version(7);
  CHECK(bench.open()->schema_version() == 7);
}

TEST_CASE("sqlite: a file knows whether it holds tables, whoever made them") {
  const Bench bench(false);
  CHECK_FALSE(bench.open()->holds_tables());
  bench.ask("CREATE TABLE Theirs (A)");
  CHECK(bench.open()->holds_tables());
}

// --- The log of the WAL mode. ---

constexpr std::uintmax_t kWritten = 48U << 20U;
constexpr std::uintmax_t kLogBound = 24U << 20U;

// Writes kWritten bytes in transactions of 1 MiB over the same row, looking after the house between them; returns the
// greatest size of the log.
std::uintmax_t write_much(const Bench& bench, Connection& writer, Connection* housekeeper) {
  const std::string text(1U << 20U, 'x');
  std::uintmax_t most = 0;
  for (std::uintmax_t written = 0; written < kWritten; written += text.size()) {
    Transaction transaction(writer, Access::kWrite);
    writer.execute("INSERT OR REPLACE INTO T (rowid, A) VALUES (1, $1)", {text});
    transaction.commit();
    housekeeper->keep_house();
    most = std::max(most, fs::file_size(bench.path + "-wal"));
  }
  return most;
}

TEST_CASE("sqlite: the writer's housekeeping keeps the log bounded") {
  const Bench bench;
  const std::unique_ptr<Connection> writer = bench.open();
  CHECK(write_much(bench, *writer, writer.get()) < kLogBound);
}

TEST_CASE("sqlite: a reader never checkpoints, and neither does a writer that nobody asks to") {
  const Bench bench;
  const std::unique_ptr<Connection> writer = bench.open();
  const std::unique_ptr<Connection> reader = bench.open(Role::kReader);
  CHECK(write_much(bench, *writer, reader.get()) > kWritten);
}

TEST_CASE("sqlite: a log that a reader held starts over once the reader has gone") {
  const Bench bench;
  const std::unique_ptr<Connection> writer = bench.open();
  const std::unique_ptr<Connection> reader = bench.open(Role::kReader);
  std::uintmax_t held = 0;
  {
    const Transaction transaction(*reader, Access::kRead);
    reader->execute("SELECT count(*) FROM T", {});
    held = write_much(bench, *writer, writer.get());
    CHECK(held > kWritten);
  }
  CHECK(write_much(bench, *writer, writer.get()) < held + kLogBound);
  CHECK(bench.ask("SELECT length(A) FROM T") == "1048576");
}

}  // namespace
}  // namespace leadline
