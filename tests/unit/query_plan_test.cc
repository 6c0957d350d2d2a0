// No query of the API may read a whole table: every statement that the store runs is caught on its way to SQLite, and
// its plan is read.
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <array>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/leads.h"
#include "store/schema.h"
#include "store/writes.h"
#include "support.h"

namespace leadline {
namespace {

// Plans that do walk an index, and why that is right.
struct Exception {
  std::string_view plan;
  std::string_view why;
};
constexpr std::array kExceptions = {
    Exception{
        "SCAN Leads USING INDEX LeadsByTime",
        "the list without filters walks the index in the page's order and ends at LIMIT; a search for q walks on, "
        "under a deadline"},
    Exception{"SCAN UnmatchedCrmEvents USING INDEX UnmatchedCrmEventsByTime",
              "the held events without a filter: walks the index in the page's order and ends at LIMIT"},
    Exception{"SCAN Found", "the recursive step of projects and sources: one row for each distinct value"},
    Exception{"SCAN Latest", "the one row of the latest submission"},
    Exception{"SCAN CrmStatusTotals", "one row for each status that a lead has or had"},
    Exception{"SCAN UnmatchedCrmEvents",
              "pruning by number: walks at most kHeldRowsMax ids, once in 1,000 held events"},
};

bool is_excepted(std::string_view plan) {
  for (const Exception& exception : kExceptions) {
    if (plan == exception.plan) return true;
  }
  return false;
}

std::set<std::string>& caught() {
  static std::set<std::string> statements;
  return statements;
}

int catch_statement(unsigned /*type*/, void* /*context*/, void* /*statement*/, void* text) {
  const std::string_view sql(static_cast<const char*>(text));
  for (const std::string_view verb : {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}) {
    if (sql.starts_with(verb)) caught().emplace(sql);
  }
  return 0;
}

int trace_connection(sqlite3* db, const char** /*error*/, const sqlite3_api_routines* /*api*/) {
  return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, catch_statement, nullptr);
}

void run_every_list(Connection& connection) {
  for (unsigned filters = 0; filters < 64; ++filters) {
    const auto text = [filters](unsigned bit, const char* value) {
      return (filters >> bit & 1U) != 0 ? std::string(value) : std::string();
    };
    const LeadFilter filter{text(0, "q"),      text(1, "project"), text(2, "source"),
                            text(3, "status"), text(4, "2026"),    text(5, "2027")};
    static_cast<void>(read_leads(connection, filter, {50, std::nullopt}));
    static_cast<void>(read_leads(connection, filter, {50, Position{"2026", 7}}));
  }
  for (const std::string_view crm_lead_id : {"", "crm-1"}) {
    static_cast<void>(read_held(connection, crm_lead_id, {50, std::nullopt}));
    static_cast<void>(read_held(connection, crm_lead_id, {50, Position{"2026", 7}}));
  }
  static_cast<void>(read_projects(connection));
  static_cast<void>(read_sources(connection));
  static_cast<void>(read_summary(connection, "2026-01-01"));
}

void run_every_verb(Connection& connection) {
  const NewLead lead{"Ann", "ann@example.com", "1", "p", "s", "f", "u", "crm-1", "{}", "2026-01-01T00:00:00.000Z"};
  static_cast<void>(take_in_lead(connection, lead));
  Event event{"crm-1", "updated", "{}", "new", "2026-01-02T00:00:00.000Z", "key"};
  EventTotals totals;
  static_cast<void>(append_event(connection, event, 0, &totals));
  event.key = "another";
  event.crm_lead_id = "crm-2";
  for (int i = 0; i < 1'001; ++i) {  // As many as make it prune.
    event.key = std::to_string(i);
    static_cast<void>(append_event(connection, event, 0, &totals));
  }
  totals.write(connection);
  static_cast<void>(change_lead(connection, {1, "crm-3", "won", "2026-01-03T00:00:00.000Z"}));
  static_cast<void>(probe(connection, "2026-01-03T00:00:00.000Z"));
  connection.execute("UPDATE LeadCrmActivity SET Status = NULL", {});  // So that a payload is looked at.
  static_cast<void>(read_history(connection, 1, {50, std::nullopt}));
  static_cast<void>(read_history(connection, 1, {50, Position{"2026", 7}}));
}

std::vector<std::string> plan_of(sqlite3* db, const std::string& sql) {
  std::vector<std::string> lines;
  sqlite3_stmt* statement = nullptr;
  REQUIRE(sqlite3_prepare_v2(db, ("EXPLAIN QUERY PLAN " + sql).c_str(), -1, &statement, nullptr) == SQLITE_OK);
  while (sqlite3_step(statement) == SQLITE_ROW) {
    lines.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement, 3)));
  }
  sqlite3_finalize(statement);
  return lines;
}

}  // namespace

TEST_CASE("query plans: no statement of the store scans a table, its triggers included") {
  const TempDir directory;
  const std::string path = directory.file("leads.db");
  auto* const extension = reinterpret_cast<void (*)()>(&trace_connection);
  REQUIRE(sqlite3_auto_extension(extension) == SQLITE_OK);
  {
    const std::unique_ptr<Connection> connection = connect("sqlite:" + path, Role::kWriter);
    prepare_schema(*connection);
    caught().clear();
    run_every_verb(*connection);
    caught().erase("UPDATE LeadCrmActivity SET Status = NULL");  // The test's own.
    run_every_list(*connection);
  }
  sqlite3_cancel_auto_extension(extension);
  CHECK(caught().size() > 100);

  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRIGGER_EQP, 1, nullptr);
  for (const std::string& sql : caught()) {
    for (const std::string& line : plan_of(db, sql)) {
      CAPTURE(sql);
      CAPTURE(line);
      CHECK((!line.starts_with("SCAN") || is_excepted(line)));
    }
  }
  sqlite3_close(db);
}

}  // namespace leadline
