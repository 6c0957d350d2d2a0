// The schema: how a database comes to its version, and the indexes of the webhook's lookups.
#include "store/schema.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "raw_db.h"
#include "support.h"

namespace leadline {
namespace {

// A database file of its own, empty, and a way to open it.
struct Bench {
  TempDir dir;
  const std::string path = dir.file("leads.db");

  [[nodiscard]] std::unique_ptr<Connection> open() const { return connect("sqlite:" + path, Role::kWriter); }
  std::string ask(const std::string& sql) const { return RawDb(path).ask(sql); }
};

// What StoreError says of preparing the database.
std::string refusal_of_preparing(const Bench& bench) {
  try {
    prepare_schema(*bench.open());
  } catch (const StoreError& error) {
    CHECK(error.fault() == Fault::kFailed);
    return error.what();
  }
  return "(none)";
}

constexpr const char* kWholeSchema = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name";

TEST_CASE("schema: an empty database is migrated by whoever opens it first") {
  const Bench bench;
  prepare_schema(*bench.open());
  CHECK(bench.open()->schema_version() == schema_version_known());
  CHECK(bench.ask("SELECT count(*) FROM Leads") == "0");
}

TEST_CASE("schema: the tables have the contract's columns") {
  const Bench bench;
  migrate(*bench.open());
  RawDb db(bench.path);
  CHECK_NOTHROW(
      db.ask("SELECT Id, CrmLeadId, Name, Email, Phone, Project, Source, Status, CreatedAt, UpdatedAt FROM Leads"));
  CHECK_NOTHROW(db.ask("SELECT Id, LeadId, CrmLeadId, Form, PageUrl, PayloadJson, SubmittedAt FROM LeadSubmissions"));
  CHECK_NOTHROW(db.ask("SELECT Id, LeadId, CrmLeadId, EventType, PayloadJson, ReceivedAt FROM LeadCrmActivity"));
  CHECK_NOTHROW(db.ask("SELECT Id, CrmLeadId, EventType, PayloadJson, ReceivedAt FROM UnmatchedCrmEvents"));
}

TEST_CASE("schema: migrate says which version there was") {
  const Bench bench;
  CHECK(migrate(*bench.open()) == 0);
  CHECK(migrate(*bench.open()) == schema_version_known());
}

TEST_CASE("schema: migrating twice changes nothing, neither the schema nor the rows") {
  const Bench bench;
  migrate(*bench.open());
  bench.ask("INSERT INTO Leads (Name) VALUES ('Ada')");
  const std::string before = bench.ask(kWholeSchema);
  migrate(*bench.open());
  CHECK(bench.ask(kWholeSchema) == before);
  CHECK(bench.ask("SELECT Name FROM Leads") == "Ada");
}

TEST_CASE("schema: preparing a migrated database changes nothing") {
  const Bench bench;
  migrate(*bench.open());
  const std::string before = bench.ask(kWholeSchema);
  CHECK(refusal_of_preparing(bench) == "(none)");
  CHECK(bench.ask(kWholeSchema) == before);
}

TEST_CASE("schema: a database newer than the program is refused, with both versions named") {
  const Bench bench;
  migrate(*bench.open());
  bench.open()->set_schema_version(schema_version_known() + 1);
  const std::string why = refusal_of_preparing(bench);
  CHECK(why.find(std::to_string(schema_version_known() + 1)) != std::string::npos);
  CHECK(why.find("newer than this program's " + std::to_string(schema_version_known())) != std::string::npos);
}

TEST_CASE("schema: migrate refuses a newer database too, and leaves its version") {
  const Bench bench;
  bench.open()->set_schema_version(99);
  CHECK_THROWS_AS(migrate(*bench.open()), StoreError);
  CHECK(bench.open()->schema_version() == 99);
  CHECK(bench.ask(kWholeSchema).empty());
}

TEST_CASE("schema: a database with another program's tables is not taken for an empty one") {
  const Bench bench;
  bench.ask("CREATE TABLE Theirs (A)");
  CHECK(refusal_of_preparing(bench).find("run leadline migrate") != std::string::npos);
  CHECK(bench.ask("SELECT name FROM sqlite_schema") == "Theirs");
}

TEST_CASE("schema: migrate adds its tables beside another program's") {
  const Bench bench;
  bench.ask("CREATE TABLE Theirs (A); INSERT INTO Theirs VALUES (1)");
  migrate(*bench.open());
  CHECK(bench.ask("SELECT A FROM Theirs") == "1");
  CHECK(refusal_of_preparing(bench) == "(none)");
}

TEST_CASE("schema: a migration that fails half-way leaves nothing behind") {
  const Bench bench;
  bench.ask("CREATE TABLE UnmatchedCrmEvents (A)");
  CHECK_THROWS_AS(migrate(*bench.open()), StoreError);
  CHECK(bench.ask("SELECT name FROM sqlite_schema") == "UnmatchedCrmEvents");
  CHECK(bench.open()->schema_version() == 0);
}

TEST_CASE("schema: every column that other programs may leave out can be left out") {
  const Bench bench;
  migrate(*bench.open());
  RawDb db(bench.path);
  CHECK_NOTHROW(db.ask("INSERT INTO Leads DEFAULT VALUES"));
  CHECK_NOTHROW(db.ask("INSERT INTO LeadSubmissions (LeadId) VALUES (1)"));
  CHECK(db.ask("SELECT Status, CreatedAt GLOB '20*Z', UpdatedAt GLOB '20*Z' FROM Leads") == "new|1|1");
  CHECK(db.ask("SELECT SubmittedAt GLOB '20*Z' FROM LeadSubmissions") == "1");
}

TEST_CASE("schema: the id of a removed lead is not used again") {
  const Bench bench;
  migrate(*bench.open());
  RawDb db(bench.path);
  db.ask("INSERT INTO Leads (Name) VALUES ('a'); DELETE FROM Leads; INSERT INTO Leads (Name) VALUES ('b')");
  CHECK(db.ask("SELECT Id FROM Leads") == "2");
}

TEST_CASE("schema: with foreign keys on, a removed lead takes its events along and leaves its submissions") {
  const Bench bench;
  migrate(*bench.open());
  RawDb db(bench.path);
  db.ask("PRAGMA foreign_keys=ON; INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  db.ask("INSERT INTO LeadSubmissions (LeadId) VALUES (1)");
  db.ask("INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, PayloadJson) VALUES (1, 'x', '{}')");
  db.ask("DELETE FROM Leads");
  CHECK(db.ask("SELECT count(*) FROM LeadCrmActivity") == "0");
  CHECK(db.ask("SELECT LeadId FROM LeadSubmissions") == "NULL");
}

TEST_CASE("schema: the webhook's lookups and a lead's page use an index and sort nothing") {
  const Bench bench;
  migrate(*bench.open());
  RawDb db(bench.path);
  const std::vector<std::string> queries = {
      "SELECT Id FROM Leads WHERE CrmLeadId = 'x' ORDER BY Id DESC LIMIT 1",
      "SELECT LeadId FROM LeadSubmissions WHERE CrmLeadId = 'x' ORDER BY SubmittedAt DESC, Id DESC LIMIT 1",
      "SELECT PayloadJson FROM LeadSubmissions WHERE LeadId = 1 ORDER BY SubmittedAt DESC, Id DESC",
      "SELECT PayloadJson FROM LeadCrmActivity WHERE LeadId = 1 ORDER BY ReceivedAt DESC, Id DESC LIMIT 100",
      "SELECT PayloadJson FROM UnmatchedCrmEvents WHERE CrmLeadId = 'x' ORDER BY ReceivedAt DESC, Id DESC",
      "DELETE FROM UnmatchedCrmEvents WHERE ReceivedAt < 'x'",
  };
  for (const std::string& query : queries) {
    const std::string plan = db.ask("EXPLAIN QUERY PLAN " + query);
    CAPTURE(query);
    CAPTURE(plan);
    CHECK(plan.find("SEARCH") != std::string::npos);
    CHECK(plan.find("INDEX") != std::string::npos);
    CHECK(plan.find("SCAN") == std::string::npos);
    CHECK(plan.find("TEMP B-TREE") == std::string::npos);
  }
}

}  // namespace
}  // namespace leadline
