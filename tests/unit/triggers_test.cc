// What the schema sees to whoever writes: times in their one form, and held events that move to their lead.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "raw_db.h"
#include "store/schema.h"
#include "support.h"

namespace leadline {
namespace {

// A migrated database as another program has it open (without foreign keys, as is SQLite's default).
struct Bench {
  TempDir dir;
  RawDb db;

  Bench() : db(migrated(dir.file("leads.db"))) {}
  std::string ask(const std::string& sql) { return db.ask(sql); }

  void hold(const std::string& crm_lead_id, const std::string& type, const std::string& received_at) {
    ask("INSERT INTO UnmatchedCrmEvents (CrmLeadId, EventType, PayloadJson, ReceivedAt) VALUES ('" + crm_lead_id +
        "', '" + type + "', '{\"n\": 1}', '" + received_at + "')");
  }
  std::string adopted() { return ask("SELECT LeadId, EventType, ReceivedAt FROM LeadCrmActivity ORDER BY Id"); }
  std::string held() { return ask("SELECT EventType FROM UnmatchedCrmEvents ORDER BY Id"); }

 private:
  static std::string migrated(const std::string& path) {
    migrate(*connect("sqlite:" + path, Role::kWriter));
    return path;
  }
};

struct TimeColumn {
  const char* table;
  const char* column;
  const char* others;  // Columns that have to be given, and their values.
  const char* values;
  bool may_be_null;
};

const std::vector<TimeColumn> kTimeColumns = {
    {"Leads", "CreatedAt", "", "", true},
    {"Leads", "UpdatedAt", "", "", true},
    {"LeadSubmissions", "SubmittedAt", "", "", true},
    {"LeadCrmActivity", "ReceivedAt", "LeadId, CrmLeadId, PayloadJson, ", "1, 'x', '{}', ", false},
    {"UnmatchedCrmEvents", "ReceivedAt", "CrmLeadId, PayloadJson, ", "'x', '{}', ", false},
};

// What becomes of `value` (SQL) in the column when it is inserted, and when it is put in by an update.
std::pair<std::string, std::string> written(Bench* bench, const TimeColumn& where, const std::string& value) {
  const std::string table = where.table;
  const std::string column = where.column;
  const std::string insert = "INSERT INTO " + table + " (" + where.others + column + ") VALUES (" + where.values;
  const std::string look = "SELECT " + column + " FROM " + table;
  bench->ask("DELETE FROM " + table + "; " + insert + value + ")");
  const std::string inserted = bench->ask(look);
  bench->ask("DELETE FROM " + table + "; " + insert + "'2001-01-01T00:00:00.000Z')");
  bench->ask("UPDATE " + table + " SET " + column + " = " + value);
  return {inserted, bench->ask(look)};
}

TEST_CASE("triggers: a time in any form that SQLite knows becomes canonical, inserted or updated, in every table") {
  Bench bench;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"'2026-03-05T10:00:00.000Z'", kTestTime},
      {"'2026-03-05 10:00:00'", kTestTime},
      {"'2026-03-05 10:00'", kTestTime},
      {"'2026-03-05T10:00:00'", kTestTime},
      {"'2026-03-05T10:00:00Z'", kTestTime},
      {"'2026-03-05T10:00:00.5Z'", "2026-03-05T10:00:00.500Z"},
      {"'2026-03-05 10:00:00.123456'", "2026-03-05T10:00:00.123Z"},
      {"'2026-03-05T12:00:00+02:00'", kTestTime},
      {"'2026-03-05 04:30:00 -05:30'", kTestTime},
      {"'2026-03-06T00:30:00.250+14:30'", "2026-03-05T10:00:00.250Z"},
      {"'2026-03-05'", "2026-03-05T00:00:00.000Z"},
      {"1772704800", kTestTime},
      {"'1772704800'", kTestTime},
      {"999999999", "2001-09-09T01:46:39.000Z"},
  };
  for (const TimeColumn& where : kTimeColumns) {
    for (const auto& one : cases) {
      CAPTURE(where.table);
      CAPTURE(where.column);
      CAPTURE(one.first);
      const auto [inserted, updated] = written(&bench, where, one.first);
      CHECK(inserted == one.second);
      CHECK(updated == one.second);
    }
  }
}

TEST_CASE("triggers: what is no time is left as it is") {
  Bench bench;
  for (const TimeColumn& where : kTimeColumns) {
    for (const std::string text : {"yesterday", "05.03.2026", "2026-03-05T10:00:00 Europe/Berlin", "20260305", "  "}) {
      CAPTURE(where.column);
      CAPTURE(text);
      const auto [inserted, updated] = written(&bench, where, "'" + text + "'");
      CHECK(inserted == text);
      CHECK(updated == text);
    }
  }
}

TEST_CASE("triggers: an empty time becomes now") {
  Bench bench;
  for (const TimeColumn& where : kTimeColumns) {
    CAPTURE(where.column);
    const std::string before = bench.ask("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')");
    const auto [inserted, updated] = written(&bench, where, "''");
    const std::string after = bench.ask("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')");
    CHECK(inserted >= before);
    CHECK(inserted <= after);
    CHECK(updated >= before);
    CHECK(updated <= after);
  }
}

TEST_CASE("triggers: a time that is NULL becomes now, where the column takes NULL") {
  Bench bench;
  for (const TimeColumn& where : kTimeColumns) {
    if (!where.may_be_null) continue;
    CAPTURE(where.column);
    const auto [inserted, updated] = written(&bench, where, "NULL");
    CHECK(inserted > "2026");
    CHECK(inserted.size() == 24);
    CHECK(updated > "2026");
    CHECK(updated.size() == 24);
  }
}

TEST_CASE("triggers: a lead's two times are brought into form independently") {
  Bench bench;
  bench.ask("INSERT INTO Leads (CreatedAt, UpdatedAt) VALUES ('2026-03-05 10:00:00', 1772704801)");
  CHECK(bench.ask("SELECT CreatedAt, UpdatedAt FROM Leads") == "2026-03-05T10:00:00.000Z|2026-03-05T10:00:01.000Z");
}

TEST_CASE("triggers: several rows in one statement are all brought into form") {
  Bench bench;
  bench.ask("INSERT INTO LeadSubmissions (SubmittedAt) VALUES ('2026-03-05 10:00:00'), ('2026-03-06'), (1772704800)");
  CHECK(bench.ask("SELECT count(*) FROM LeadSubmissions WHERE SubmittedAt GLOB '2026-03-0*T*Z'") == "3");
}

TEST_CASE("triggers: they work with recursive triggers switched on too") {
  Bench bench;
  bench.ask("PRAGMA recursive_triggers=ON; INSERT INTO Leads (CreatedAt) VALUES ('2026-03-05 10:00:00'), ('never')");
  bench.ask("UPDATE Leads SET CreatedAt = 'at no time' WHERE Id = 2");
  CHECK(bench.ask("SELECT CreatedAt FROM Leads ORDER BY Id") == "2026-03-05T10:00:00.000Z\nat no time");
}

// --- Adoption. ---

constexpr const char* kEarly = "2026-03-01T08:00:00.000Z";
constexpr const char* kLate = "2026-03-02T08:00:00.000Z";

TEST_CASE("adoption: a new lead takes the events that were held for it, with the time they were received") {
  Bench bench;
  bench.hold("x", "created", kEarly);
  bench.hold("x", "updated", kLate);
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  CHECK(bench.adopted() == "1|created|2026-03-01T08:00:00.000Z\n1|updated|2026-03-02T08:00:00.000Z");
  CHECK(bench.held().empty());
}

TEST_CASE("adoption: a lead that gets the id by an update takes them") {
  Bench bench;
  bench.hold("x", "updated", kEarly);
  bench.ask("INSERT INTO Leads (Name) VALUES ('Ada')");
  CHECK(bench.adopted().empty());
  bench.ask("UPDATE Leads SET CrmLeadId = 'x'");
  CHECK(bench.adopted() == "1|updated|2026-03-01T08:00:00.000Z");
  CHECK(bench.held().empty());
}

TEST_CASE("adoption: a new submission with the id gives them to its lead") {
  Bench bench;
  bench.hold("x", "updated", kEarly);
  bench.ask("INSERT INTO Leads (Name) VALUES ('Ada'); INSERT INTO LeadSubmissions (LeadId, CrmLeadId) VALUES (1, 'x')");
  CHECK(bench.adopted() == "1|updated|2026-03-01T08:00:00.000Z");
  CHECK(bench.held().empty());
}

TEST_CASE("adoption: a submission that gets the id by an update gives them to its lead") {
  Bench bench;
  bench.hold("x", "updated", kEarly);
  bench.ask("INSERT INTO Leads (Name) VALUES ('Ada'); INSERT INTO LeadSubmissions (LeadId) VALUES (1)");
  bench.ask("UPDATE LeadSubmissions SET CrmLeadId = 'x'");
  CHECK(bench.adopted() == "1|updated|2026-03-01T08:00:00.000Z");
}

TEST_CASE("adoption: a submission that gets its lead by an update gives them to it") {
  Bench bench;
  bench.hold("x", "updated", kEarly);
  bench.ask("INSERT INTO Leads (Name) VALUES ('Ada'); INSERT INTO LeadSubmissions (CrmLeadId) VALUES ('x')");
  CHECK(bench.held() == "updated");
  bench.ask("UPDATE LeadSubmissions SET LeadId = 1");
  CHECK(bench.adopted() == "1|updated|2026-03-01T08:00:00.000Z");
}

TEST_CASE("adoption: an upsert adopts as an insert does") {
  Bench bench;
  bench.hold("x", "updated", kEarly);
  bench.ask("INSERT INTO Leads (Id, Name) VALUES (7, 'Ada')");
  bench.ask("INSERT INTO Leads (Id, CrmLeadId) VALUES (7, 'x') ON CONFLICT (Id) DO UPDATE SET CrmLeadId = 'x'");
  CHECK(bench.adopted() == "7|updated|2026-03-01T08:00:00.000Z");
}

TEST_CASE("adoption: a number written as the id is the same id") {
  Bench bench;
  bench.hold("4711", "updated", kEarly);
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES (4711)");
  CHECK(bench.held().empty());
}

TEST_CASE("adoption: the events of other ids stay held, also of one that differs only in case") {
  Bench bench;
  bench.hold("x", "ours", kEarly);
  bench.hold("X", "theirs", kEarly);
  bench.hold("x ", "another", kEarly);
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  CHECK(bench.adopted() == "1|ours|2026-03-01T08:00:00.000Z");
  CHECK(bench.held() == "theirs\nanother");
}

TEST_CASE("adoption: a lead comes before a submission") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Name) VALUES ('of the submission'); INSERT INTO LeadSubmissions (LeadId) VALUES (1)");
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  bench.hold("x", "updated", kEarly);
  bench.ask("UPDATE LeadSubmissions SET CrmLeadId = 'x'");
  CHECK(bench.adopted() == "2|updated|2026-03-01T08:00:00.000Z");
}

TEST_CASE("adoption: of several leads the one with the highest id gets them") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Id, CrmLeadId) VALUES (9, 'x')");
  bench.hold("x", "updated", kEarly);
  bench.ask("INSERT INTO Leads (Id, CrmLeadId) VALUES (5, 'x')");
  CHECK(bench.adopted() == "9|updated|2026-03-01T08:00:00.000Z");
}

TEST_CASE("adoption: a submission that names no lead adopts nothing") {
  Bench bench;
  bench.hold("x", "updated", kEarly);
  bench.ask("INSERT INTO LeadSubmissions (CrmLeadId) VALUES ('x')");
  bench.ask("INSERT INTO LeadSubmissions (LeadId, CrmLeadId) VALUES (99, 'x')");
  CHECK(bench.adopted().empty());
  CHECK(bench.held() == "updated");
}

TEST_CASE("adoption: an older submission does not adopt while the latest names no lead") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Name) VALUES ('Ada')");
  bench.ask("INSERT INTO LeadSubmissions (CrmLeadId, SubmittedAt) VALUES ('x', '2026-03-05T10:00:00.000Z')");
  bench.hold("x", "updated", kEarly);
  SUBCASE("in canonical form") {
    bench.ask(
        "INSERT INTO LeadSubmissions (LeadId, CrmLeadId, SubmittedAt) VALUES (1, 'x', '2026-03-05T09:00:00.000Z')");
  }
  SUBCASE("in a form whose text sorts after it") {
    bench.ask(
        "INSERT INTO LeadSubmissions (LeadId, CrmLeadId, SubmittedAt) VALUES (1, 'x', '2026-03-05T11:00:00+02:00')");
  }
  CHECK(bench.held() == "updated");
}

TEST_CASE("adoption: a latest submission adopts, even where its time's text sorts before the older one's") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Name) VALUES ('Ada')");
  bench.ask("INSERT INTO LeadSubmissions (CrmLeadId, SubmittedAt) VALUES ('x', '2026-03-05T10:00:00.000Z')");
  bench.hold("x", "updated", kEarly);
  bench.ask("INSERT INTO LeadSubmissions (LeadId, CrmLeadId, SubmittedAt) VALUES (1, 'x', '2026-03-05 11:00:00')");
  CHECK(bench.held().empty());
}

TEST_CASE("adoption: a lead with an empty id adopts nothing") {
  Bench bench;
  bench.hold("", "updated", kEarly);
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES (''); INSERT INTO Leads (CrmLeadId) VALUES (NULL)");
  CHECK(bench.adopted().empty());
}

TEST_CASE("adoption: the payload moves byte for byte") {
  Bench bench;
  bench.ask(
      "INSERT INTO UnmatchedCrmEvents (CrmLeadId, PayloadJson) VALUES ('x', ' {\"n\": 9007199254740993,\"n\":1.0}\n')");
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  CHECK(bench.ask("SELECT PayloadJson FROM LeadCrmActivity") == " {\"n\": 9007199254740993,\"n\":1.0}\n");
}

TEST_CASE("adoption: where the insert is rolled back the events are still held") {
  Bench bench;
  bench.hold("x", "updated", kEarly);
  bench.ask("BEGIN; INSERT INTO Leads (CrmLeadId) VALUES ('x'); ROLLBACK");
  CHECK(bench.held() == "updated");
  CHECK(bench.adopted().empty());
}

}  // namespace
}  // namespace leadline
