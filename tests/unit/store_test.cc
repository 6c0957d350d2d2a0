// The store's main verb on a real file: which lead an event goes to, what is kept of it, and what happens when the
// database will not have it.
#include "store/store.h"

#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "raw_db.h"
#include "store/schema.h"
#include "support.h"

namespace leadline {
namespace {

// A store on a database of its own, and another program's look at the same file.
struct Bench {
  TempDir dir;
  const std::string path = dir.file("leads.db");
  TestClock clock;
  TestLog log{dir.file("log"), LogLevel::kInfo, clock.clock()};
  std::optional<Store> store{std::in_place, "sqlite:" + path, clock.clock(), log.log()};
  RawDb db{path};

  std::string ask(const std::string& sql) { return db.ask(sql); }

  std::future<Appended> begin_append(Event event) {
    auto promise = std::make_shared<std::promise<Appended>>();
    std::future<Appended> future = promise->get_future();
    REQUIRE(store->append(std::move(event), [promise](const Appended& appended) { promise->set_value(appended); }));
    return future;
  }
  Appended append(Event event) { return begin_append(std::move(event)).get(); }
};

Event event_for(const std::string& crm_lead_id) {
  Event event;
  event.crm_lead_id = crm_lead_id;
  event.event_type = "updated";
  event.payload = "{}";
  event.received_at = kTestTime;
  return event;
}

// The lead that an event goes to, or 0 where it is held.
std::int64_t lead_for(Bench* bench, const std::string& crm_lead_id) {
  const Appended appended = bench->append(event_for(crm_lead_id));
  REQUIRE(appended.outcome == Outcome::kCommitted);
  CHECK(appended.matched == (appended.lead_id != 0));
  return appended.lead_id;
}

TEST_CASE("store: an empty database is migrated when it is opened") {
  Bench bench;
  CHECK(bench.ask("SELECT count(*) FROM Leads") == "0");
}

TEST_CASE("store: a database newer than the program is refused") {
  Bench bench;
  bench.store.reset();
  bench.ask("PRAGMA user_version=99");
  CHECK_THROWS_AS(Store("sqlite:" + bench.path, bench.clock.clock(), bench.log.log()), StoreError);
}

TEST_CASE("store: an event goes to the lead with its crm_lead_id") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Id, CrmLeadId) VALUES (5, 'x'), (6, 'y')");
  CHECK(lead_for(&bench, "x") == 5);
}

TEST_CASE("store: of several leads the one with the highest id gets it") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Id, CrmLeadId, CreatedAt) VALUES (9, 'x', '2020-01-01'), (5, 'x', '2026-01-01')");
  CHECK(lead_for(&bench, "x") == 9);
}

TEST_CASE("store: a lead comes before a submission") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Id, CrmLeadId) VALUES (1, 'x'), (2, NULL)");
  bench.ask("INSERT INTO LeadSubmissions (LeadId, CrmLeadId) VALUES (2, 'x')");
  CHECK(lead_for(&bench, "x") == 1);
}

TEST_CASE("store: without such a lead, the submission's lead gets it") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Id, CrmLeadId) VALUES (1, 'other'), (2, NULL)");
  bench.ask("INSERT INTO LeadSubmissions (LeadId, CrmLeadId) VALUES (1, 'x')");
  CHECK(lead_for(&bench, "x") == 1);
}

TEST_CASE("store: of several submissions the most recent one decides, whatever its id and its way of writing times") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Id) VALUES (1), (2), (3)");
  bench.ask(
      "INSERT INTO LeadSubmissions (LeadId, CrmLeadId, SubmittedAt) VALUES (1, 'x', '2026-03-05 10:00:00'), "
      "(2, 'x', '2026-03-05T10:30:00Z'), (3, 'x', '2026-03-05T12:00:00+02:00')");
  CHECK(lead_for(&bench, "x") == 2);
}

TEST_CASE("store: of submissions of the same moment the highest id decides") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Id) VALUES (1), (2)");
  bench.ask(
      "INSERT INTO LeadSubmissions (Id, LeadId, CrmLeadId, SubmittedAt) VALUES "
      "(8, 2, 'x', '2026-03-05 10:00:00'), (3, 1, 'x', '2026-03-05T10:00:00.000Z')");
  CHECK(lead_for(&bench, "x") == 2);
}

TEST_CASE("store: a most recent submission that names no lead is no match, whatever older ones name") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Id) VALUES (1)");
  bench.ask(
      "INSERT INTO LeadSubmissions (LeadId, CrmLeadId, SubmittedAt) VALUES (1, 'x', '2026-03-01'), "
      "(1, 'y', '2026-03-01'), (NULL, 'x', '2026-03-02'), (99, 'y', '2026-03-02')");
  CHECK(lead_for(&bench, "x") == 0);
  CHECK(lead_for(&bench, "y") == 0);
}

TEST_CASE("store: a crm_lead_id matches byte for byte, at any length") {
  Bench bench;
  const std::string long_id(100'000, 'z');
  bench.ask("INSERT INTO Leads (Id, CrmLeadId) VALUES (1, 'Crm-1'), (2, 'caf\xC3\xA9'), (3, '" + long_id +
            "'), (4, '7')");
  CHECK(lead_for(&bench, "Crm-1") == 1);
  CHECK(lead_for(&bench, "caf\xC3\xA9") == 2);
  CHECK(lead_for(&bench, long_id) == 3);
  for (const std::string& other :
       {std::string("crm-1"), std::string("Crm-1 "), std::string(" Crm-1"), std::string("cafe\xCC\x81"), long_id + "z",
        std::string("07"), std::string("7.0"), std::string("%"), std::string("Crm-_")}) {
    CHECK(lead_for(&bench, other) == 0);
  }
}

TEST_CASE("store: what is kept of an event is what came") {
  Bench bench;
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  Event event = event_for("x");
  event.event_type = "status_changed";
  event.payload = "\r\n{ \"n\":9007199254740993, \"n\":1.0,\"e\":\"\xF0\x9F\x98\x80\\u0000'\" }\n";
  event.status = "qualified";
  bench.append(event);
  CHECK(bench.ask("SELECT LeadId, CrmLeadId, EventType, ReceivedAt, Status FROM LeadCrmActivity") ==
        "1|x|status_changed|2026-03-05T10:00:00.000Z|qualified");
  CHECK(bench.ask("SELECT PayloadJson FROM LeadCrmActivity") == event.payload);
  CHECK(bench.ask("SELECT typeof(PayloadJson) FROM LeadCrmActivity") == "text");
}

TEST_CASE("store: an event without a match is held whole, and said to be") {
  Bench bench;
  Event event = event_for("x");
  event.payload = "{ \"a\" : 1 }";
  const Appended appended = bench.append(event);
  CHECK(appended.outcome == Outcome::kCommitted);
  CHECK_FALSE(appended.matched);
  CHECK(appended.held_crm_lead_id == "x");
  CHECK(bench.ask("SELECT CrmLeadId, EventType, PayloadJson, ReceivedAt FROM UnmatchedCrmEvents") ==
        "x|updated|{ \"a\" : 1 }|2026-03-05T10:00:00.000Z");
  CHECK(bench.ask("SELECT count(*) FROM LeadCrmActivity") == "0");
}

TEST_CASE("store: an event that matched is not held") {
  Bench bench;
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  const Appended appended = bench.append(event_for("x"));
  CHECK(appended.held_crm_lead_id.empty());
  CHECK(bench.ask("SELECT count(*) FROM UnmatchedCrmEvents") == "0");
}

TEST_CASE("store: a lead added or removed a moment earlier is seen") {
  Bench bench;
  CHECK(lead_for(&bench, "x") == 0);
  bench.ask("INSERT INTO Leads (Id, CrmLeadId) VALUES (3, 'x')");
  CHECK(lead_for(&bench, "x") == 3);
  bench.ask("DELETE FROM Leads");
  CHECK(lead_for(&bench, "x") == 0);
}

TEST_CASE("store: a held event is adopted with its status when its lead comes") {
  Bench bench;
  Event event = event_for("x");
  event.status = "won";
  bench.append(event);
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  CHECK(bench.ask("SELECT LeadId, ReceivedAt, Status FROM LeadCrmActivity") == "1|2026-03-05T10:00:00.000Z|won");
}

TEST_CASE("store: each event is counted once for its day, whoever wrote it and whichever way it came to its lead") {
  Bench bench;
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  Event event = event_for("x");
  bench.append(event);
  event.status = std::string(kIndexedStatusBytesMax + 1, 's');  // Left to be read from the payload.
  bench.append(event);
  bench.append(event_for("later"));
  const std::string columns = "(CrmLeadId, PayloadJson, ReceivedAt) VALUES ('later', '{}', '2026-03-05 12:00:00')";
  bench.ask("INSERT INTO UnmatchedCrmEvents " + columns);
  bench.ask(
      "INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, PayloadJson, ReceivedAt) VALUES (1, 'x', '{}', 1772704800)");
  CHECK(bench.ask("SELECT Day, Events FROM DailyTotals WHERE Events <> 0") == "2026-03-05|3");
  bench.ask("UPDATE Leads SET CrmLeadId = 'later'");
  CHECK(bench.ask("SELECT Day, Events FROM DailyTotals WHERE Events <> 0") == "2026-03-05|5");
  CHECK(bench.ask("SELECT count(*) FROM LeadCrmActivity") == "5");
}

TEST_CASE("store: a lead's CrmStatus is that of the newest event that has one, in whatever order they come") {
  Bench bench;
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  const auto status_after = [&bench](const std::string& crm_lead_id, const std::string& status, const char* at) {
    Event event = event_for(crm_lead_id);
    event.status = status;
    event.received_at = at;
    bench.append(event);
    return bench.ask("SELECT CrmStatus FROM Leads");
  };
  CHECK(status_after("x", "new", "2026-03-05T10:00:00.000Z") == "new");
  CHECK(status_after("x", "won", "2026-03-05T11:00:00.000Z") == "won");
  CHECK(status_after("x", "late", "2026-03-05T10:30:00.000Z") == "won");
  CHECK(status_after("x", "", "2026-03-05T12:00:00.000Z") == "won");
  CHECK(status_after("x", "lost", "2026-03-05T11:00:00.000Z") == "lost");  // The same instant: the last to come.
  CHECK(status_after("y", "old", "2026-03-05T09:00:00.000Z") == "lost");   // Held.
  CHECK(status_after("y", "reopened", "2026-03-05T13:00:00.000Z") == "lost");
  bench.ask("INSERT INTO LeadSubmissions (LeadId, CrmLeadId) VALUES (1, 'y')");
  CHECK(bench.ask("SELECT CrmStatus FROM Leads") == "reopened");
  CHECK(bench.ask("SELECT CrmStatus, Leads FROM CrmStatusTotals WHERE Leads <> 0") == "reopened|1");
}

TEST_CASE("store: a page is read again only where the database has changed since, whoever changed it") {
  Bench bench;
  int renders = 0;
  const auto read = [&](const std::string& name) {
    return bench.store->read_page(name, [&](Connection& connection) -> std::optional<std::string> {
      ++renders;
      Rows rows = connection.run("SELECT count(*) FROM Leads", {});
      return rows.next() && name != "none" ? std::optional<std::string>(rows.text(0)) : std::nullopt;
    });
  };
  CHECK(read("a") == "0");
  CHECK(read("a") == "0");
  CHECK(renders == 1);
  CHECK(read("b") == "0");
  CHECK(read("a") == "0");
  CHECK(renders == 2);
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");  // Another program.
  CHECK(read("a") == "1");
  CHECK(read("b") == "1");
  CHECK(renders == 4);
  bench.append(event_for("x"));  // The store itself.
  CHECK(read("a") == "1");
  CHECK(renders == 5);
  CHECK_FALSE(read("none"));
  CHECK_FALSE(read("none"));  // What is not there may come.
  CHECK(renders == 7);
}

TEST_CASE("store: pages that find no room together are forgotten, one that is too long is not kept") {
  PageCache pages;
  const std::string half(kPageCacheBytesMax / 2, 'x');
  pages.keep("a", half, 1);
  CHECK(pages.find("a", 1) != nullptr);
  CHECK(pages.find("a", 2) == nullptr);
  CHECK(pages.find("b", 1) == nullptr);
  pages.keep("b", half, 1);
  CHECK(pages.find("a", 1) == nullptr);
  CHECK(*pages.find("b", 1) == half);
  pages.keep("c", half + half, 1);
  CHECK(pages.find("c", 1) == nullptr);
  CHECK(pages.find("b", 1) != nullptr);
}

TEST_CASE("store: the same event sent twice without a key is kept twice, in the order of sending") {
  Bench bench;
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  for (const char* type : {"a", "b", "a"}) {
    Event event = event_for("x");
    event.event_type = type;
    bench.append(event);
  }
  CHECK(bench.ask("SELECT EventType FROM LeadCrmActivity ORDER BY Id") == "a\nb\na");
}

TEST_CASE("store: an event that the database refuses fails alone, is stored nowhere, and its reason is logged") {
  Bench bench;
  bench.ask("INSERT INTO Leads (CrmLeadId) VALUES ('x')");
  bench.ask(
      "CREATE TRIGGER Refuse BEFORE INSERT ON LeadCrmActivity WHEN NEW.EventType = 'bad' "
      "BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END");
  bench.ask("BEGIN IMMEDIATE");  // So that the three share a transaction.
  std::vector<std::future<Appended>> waiting;
  for (const char* type : {"good", "bad", "fine"}) {
    Event event = event_for("x");
    event.event_type = type;
    waiting.push_back(bench.begin_append(event));
  }
  bench.ask("COMMIT");
  CHECK(waiting[0].get().outcome == Outcome::kCommitted);
  CHECK(waiting[1].get().outcome == Outcome::kFailed);
  CHECK(waiting[2].get().outcome == Outcome::kCommitted);
  CHECK(bench.ask("SELECT EventType FROM LeadCrmActivity ORDER BY Id") == "good\nfine");
  CHECK(bench.ask("SELECT count(*) FROM UnmatchedCrmEvents") == "0");
  CHECK(bench.log.text().find("refused by a trigger") != std::string::npos);
}

TEST_CASE("store: a lock that another program holds for too long is Outcome::kBusy, and nothing is stored") {
  Bench bench;
  bench.ask("BEGIN IMMEDIATE");
  std::future<Appended> waiting = bench.begin_append(event_for("x"));
  bench.clock.steady_us = (kLockWaitMs + 1) * 1000;
  CHECK(waiting.get().outcome == Outcome::kBusy);
  bench.ask("COMMIT");
  CHECK(bench.ask("SELECT count(*) FROM UnmatchedCrmEvents") == "0");
}

TEST_CASE("store: a full queue takes no more, and what it took is stored once the lock is gone") {
  Bench bench;
  bench.ask("BEGIN IMMEDIATE");
  std::size_t taken = 0;
  while (taken < 2 * kQueuedWritesMax && bench.store->append(event_for("x"), [](const Appended&) {})) ++taken;
  bench.ask("COMMIT");
  CHECK(taken == kQueuedWritesMax);
  bench.store.reset();
  CHECK(bench.ask("SELECT count(*) FROM UnmatchedCrmEvents") == std::to_string(kQueuedWritesMax));
}

TEST_CASE("store: closing it stores and answers what was taken") {
  Bench bench;
  std::vector<std::future<Appended>> waiting;
  for (int i = 0; i < 50; ++i) waiting.push_back(bench.begin_append(event_for("x")));
  bench.store.reset();
  for (std::future<Appended>& one : waiting) CHECK(one.get().outcome == Outcome::kCommitted);
  CHECK(bench.ask("SELECT count(*) FROM UnmatchedCrmEvents") == "50");
}

TEST_CASE("store: held events past their age are let go now and then, younger ones are not") {
  Bench bench;
  const auto hold = [&bench](const std::string& type, std::int64_t age_ms) {
    bench.ask("INSERT INTO UnmatchedCrmEvents (CrmLeadId, EventType, PayloadJson, ReceivedAt) VALUES ('old', '" + type +
              "', '{}', '" + rfc3339(kTestWallMs - age_ms) + "')");
  };
  hold("too old", kHeldDaysMax * kDayMs + 1);
  hold("just in time", kHeldDaysMax * kDayMs);
  bench.ask("UPDATE sqlite_sequence SET seq = 999 WHERE name = 'UnmatchedCrmEvents'");
  bench.append(event_for("x"));
  CHECK(bench.ask("SELECT EventType FROM UnmatchedCrmEvents ORDER BY Id") == "just in time\nupdated");
}

TEST_CASE("store: of more held events than the limit the oldest are let go") {
  Bench bench;
  const std::string most = std::to_string(kHeldRowsMax);
  bench.ask("WITH RECURSIVE N (I) AS (SELECT 1 UNION ALL SELECT I + 1 FROM N WHERE I < " + most +
            " + 999) "
            "INSERT INTO UnmatchedCrmEvents (Id, CrmLeadId, PayloadJson, ReceivedAt) SELECT I, 'y', '{}', '" +
            std::string(kTestTime) + "' FROM N");
  bench.append(event_for("x"));
  CHECK(bench.ask("SELECT count(*), min(Id) FROM UnmatchedCrmEvents") == most + "|1001");
}

}  // namespace
}  // namespace leadline
