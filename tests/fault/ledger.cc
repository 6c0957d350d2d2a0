#include "ledger.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <set>

namespace fault {
namespace {

using leadline::Outcome;

constexpr std::int64_t kBegin = 1'795'000'000'000;  // A day in November 2026.
constexpr auto kPatience = std::chrono::seconds(60);

[[noreturn]] void broken(const std::string& what) { throw Broken(what); }

// Time passes by being asked for: a lock is waited for in no time.
leadline::Clock fast_clock() {
  static std::atomic<std::int64_t> wall_ms = kBegin;
  static std::atomic<std::int64_t> steady_us = 1;
  return {[] { return wall_ms.fetch_add(1); }, [] { return steady_us.fetch_add(100'000); }};
}

class RawDb {
 public:
  explicit RawDb(const std::string& path) {
    if (sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE, "unix") != SQLITE_OK) {
      broken(std::string("the file can't be opened: ") + sqlite3_errmsg(db_));
    }
  }
  ~RawDb() { sqlite3_close(db_); }
  RawDb(const RawDb&) = delete;
  RawDb& operator=(const RawDb&) = delete;

  std::vector<std::vector<std::string>> rows(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) != SQLITE_OK) broken(sqlite3_errmsg(db_));
    std::vector<std::vector<std::string>> found;
    int code = SQLITE_OK;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      std::vector<std::string>& row = found.emplace_back();
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
        row.emplace_back(text == nullptr ? "" : text, static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
      }
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE) broken(std::string("reading the file: ") + sqlite3_errmsg(db_));
    return found;
  }

  std::string value(const char* sql) {
    const auto found = rows(sql);
    return found.empty() ? "" : found[0][0];
  }

 private:
  sqlite3* db_ = nullptr;
};

std::string marker_of(const std::string& payload) {
  const std::size_t begin = payload.find("\"m\":\"");
  if (begin == std::string::npos) broken("a payload without a marker: " + payload.substr(0, 80));
  return payload.substr(begin + 5, payload.find('"', begin + 5) - begin - 5);
}

struct Kept {
  int count = 0;
  std::string lead_id;  // Empty: held.
  std::string payload;
};

void check_events(RawDb* db, const Ledger& ledger, std::size_t* stored_though_refused) {
  std::map<std::string, Kept> kept;
  for (const auto& row : db->rows("SELECT LeadId, PayloadJson FROM LeadCrmActivity UNION ALL "
                                  "SELECT '', PayloadJson FROM UnmatchedCrmEvents")) {
    Kept& one = kept[marker_of(row[1])];
    ++one.count;
    one.lead_id = row[0];
    one.payload = row[1];
  }
  std::set<std::string> keys;
  for (const auto& row : db->rows("SELECT Key FROM WebhookKeys")) keys.insert(row[0]);
  for (const SentEvent& event : ledger.events) {
    const auto found = kept.find(event.marker);
    const int count = found == kept.end() ? 0 : found->second.count;
    const bool committed = event.answered && event.answer.outcome == Outcome::kCommitted;
    const std::string name = "event " + event.marker;
    if (committed && event.answer.duplicate) {
      if (count != 0) broken(name + " was answered as a duplicate, and is there");
      continue;
    }
    if (count > 1) broken(name + " is there " + std::to_string(count) + " times");
    if (committed && count == 0) broken(name + " was answered as stored, and is lost");
    if (!committed && count == 1) ++*stored_though_refused;
    if (event.answered && event.answer.outcome == Outcome::kBusy && count != 0) {
      broken(name + " was answered 503, and is there");
    }
    if (!event.key.empty() && count == 1 && !keys.contains(event.key)) broken(name + " is there without its key");
    if (count == 0) continue;
    if (found->second.payload != event.payload) broken(name + " has another payload");
    const std::string lead_id = std::to_string(event.answer.lead_id);
    if (committed && event.answer.matched && found->second.lead_id != lead_id) {
      broken(name + " was stored for lead " + lead_id + " and is at '" + found->second.lead_id + "'");
    }
    kept.erase(found);
  }
  if (!kept.empty()) broken("event " + kept.begin()->first + " is there, and nobody sent it");
}

void check_leads(RawDb* db, const Ledger& ledger) {
  std::map<std::string, std::vector<std::string>> by_email;
  for (const auto& row : db->rows("SELECT Email, Id, (SELECT count(*) FROM LeadSubmissions WHERE LeadId = Leads.Id) "
                                  "FROM Leads")) {
    if (by_email.contains(row[0])) broken("the lead " + row[0] + " is there twice");
    by_email[row[0]] = row;
    if (row[2] == "0") broken("the lead " + row[0] + " is there without its submission");
  }
  for (const SentLead& lead : ledger.leads) {
    if (!lead.answered || lead.answer.outcome != Outcome::kCommitted) continue;
    const auto found = by_email.find(lead.email);
    if (found == by_email.end() || found->second[1] != std::to_string(lead.answer.lead_id)) {
      broken("the lead " + lead.email + " was answered as created, and is lost");
    }
  }
}

}  // namespace

std::size_t Ledger::committed() const {
  return static_cast<std::size_t>(std::count_if(events.begin(), events.end(), [](const SentEvent& event) {
    return event.answered && event.answer.outcome == Outcome::kCommitted;
  }));
}

std::size_t Ledger::refused() const { return events.size() - committed(); }

void check_file(const std::string& path, const Ledger& ledger, std::size_t* stored_though_refused) {
  RawDb db(path);
  if (const std::string check = db.value("PRAGMA integrity_check"); check != "ok") broken("integrity_check: " + check);
  if (!db.rows("PRAGMA foreign_key_check").empty()) broken("foreign_key_check finds rows");
  if (db.value("SELECT count(*) FROM sqlite_schema WHERE name = 'LeadCrmActivity'") != "1") {
    broken("the schema is not there");
  }
  check_events(&db, ledger, stored_though_refused);
  check_leads(&db, ledger);
  // What triggers keep beside the rows is of the same transactions.
  if (db.value("SELECT (SELECT COALESCE(sum(Events), 0) FROM DailyTotals) = (SELECT count(*) FROM LeadCrmActivity)") !=
      "1") {
    broken("DailyTotals does not count the events that are there");
  }
  if (db.value("SELECT (SELECT COALESCE(sum(Leads), 0) FROM DailyTotals) = (SELECT count(*) FROM Leads) AND "
               "(SELECT COALESCE(sum(Leads), 0) FROM CrmStatusTotals) = (SELECT count(*) FROM Leads)") != "1") {
    broken("the totals do not count the leads that are there");
  }
}

Life::Life(const std::string& path, const std::string& tag, Ledger* ledger, const leadline::Log& log)
    : tag_(tag), ledger_(ledger), clock_(fast_clock()), store_("sqlite:" + path, clock_, log) {}

void Life::send(const std::vector<Draft>& drafts) {
  std::vector<std::future<leadline::Appended>> answers;
  const std::size_t first = ledger_->events.size();
  for (const Draft& draft : drafts) {
    SentEvent& sent = ledger_->events.emplace_back();
    sent.marker = tag_ + "-" + std::to_string(++count_);
    sent.crm_lead_id = draft.crm_lead_id;
    sent.key = draft.key;
    sent.payload = R"({"crm_lead_id":")" + draft.crm_lead_id + R"(","m":")" + sent.marker + R"(","x":")";
    sent.payload += std::string(draft.bytes, static_cast<char>('a' + count_ % 26)) + "\"}";
    leadline::Event event;
    event.crm_lead_id = draft.crm_lead_id;
    event.event_type = "e";
    event.payload = sent.payload;
    event.status = "s" + std::to_string(count_ % 3);
    event.received_at = leadline::rfc3339(clock_.wall_ms());
    event.key = draft.key;
    const auto promise = std::make_shared<std::promise<leadline::Appended>>();
    answers.push_back(promise->get_future());
    if (!store_.append(event, [promise](const leadline::Appended& answer) { promise->set_value(answer); })) {
      broken("the queue is full");
    }
  }
  for (std::size_t i = 0; i < answers.size(); ++i) {
    SentEvent& sent = ledger_->events[first + i];
    if (answers[i].wait_for(kPatience) != std::future_status::ready) broken("no answer for event " + sent.marker);
    sent.answer = answers[i].get();
    sent.answered = true;
  }
}

void Life::take_in(const std::string& email, const std::string& crm_lead_id) {
  leadline::NewLead lead;
  lead.email = email;
  lead.crm_lead_id = crm_lead_id;
  lead.payload = R"({"form":1})";
  lead.created_at = leadline::rfc3339(clock_.wall_ms());
  const auto promise = std::make_shared<std::promise<leadline::TakenIn>>();
  std::future<leadline::TakenIn> answer = promise->get_future();
  if (!store_.take_in(lead, [promise](const leadline::TakenIn& taken) { promise->set_value(taken); })) {
    broken("the queue is full");
  }
  if (answer.wait_for(kPatience) != std::future_status::ready) broken("no answer for the lead " + email);
  ledger_->leads.push_back({email, crm_lead_id, true, answer.get()});
}

void Life::change(std::int64_t lead_id, const std::string& status) {
  leadline::LeadChange change;
  change.lead_id = lead_id;
  change.status = status;
  change.updated_at = leadline::rfc3339(clock_.wall_ms());
  const auto promise = std::make_shared<std::promise<leadline::Changed>>();
  std::future<leadline::Changed> answer = promise->get_future();
  if (!store_.change(change, [promise](const leadline::Changed& changed) { promise->set_value(changed); })) {
    broken("the queue is full");
  }
  if (answer.wait_for(kPatience) != std::future_status::ready) broken("no answer for a change");
  const leadline::Changed changed = answer.get();
  if (changed.outcome == Outcome::kCommitted && (!changed.lead || changed.lead->status != status)) {
    broken("a change that was committed does not show");
  }
}

bool Life::look(std::int64_t lead_id) {
  std::optional<leadline::LeadHistory> history;
  try {
    history = store_.read([lead_id](leadline::Connection& connection) {
      return leadline::read_history(connection, lead_id, {1'000, std::nullopt});
    });
  } catch (const leadline::StoreError&) {
    ++unseen_;
    return false;
  }
  if (!history) broken("the lead " + std::to_string(lead_id) + " is not there for a reader");
  std::map<std::string, int> shown;
  for (const leadline::StoredEvent& event : history->activity.items) ++shown[marker_of(event.payload)];
  for (const SentEvent& event : ledger_->events) {
    if (event.answer.outcome != Outcome::kCommitted || event.answer.duplicate) continue;
    if (event.answer.matched && event.answer.lead_id == lead_id && shown[event.marker] != 1) {
      broken("event " + event.marker + " was answered as stored, and a reader sees it " +
             std::to_string(shown[event.marker]) + " times");
    }
  }
  return true;
}

std::int64_t Life::lead_of(const std::string& crm_lead_id) const {
  for (const SentLead& lead : ledger_->leads) {
    if (lead.crm_lead_id == crm_lead_id && lead.answer.outcome == Outcome::kCommitted) return lead.answer.lead_id;
  }
  return 0;
}

void Life::send_some() {
  const std::string mine = "crm-" + tag_;
  const std::string later = "later-" + tag_;
  take_in(tag_ + "@a.example", mine);
  send({{mine, 100, ""}});
  send({{later, 100, "key-" + tag_}});
  send({{mine, 50, ""},
        {mine, 9'000, ""},
        {later, 50, ""},
        {"nobody", 50, ""},
        {mine, 50, "key2-" + tag_},
        {mine, 50, ""}});
  if (const std::int64_t lead = lead_of(mine)) look(lead);
  take_in(tag_ + "@b.example", later);
  send({{later, 100, ""}});
  if (const std::int64_t lead = lead_of(mine)) change(lead, "won");
  const SentEvent first = ledger_->events[ledger_->events.size() - 8];
  if (first.key.empty()) broken("the harness itself is wrong");
  const bool was_committed = first.answer.outcome == Outcome::kCommitted && !first.answer.duplicate;
  send({{later, 100, first.key}});
  const leadline::Appended& again = ledger_->events.back().answer;
  if (was_committed && again.outcome == Outcome::kCommitted && !again.duplicate) {
    broken("a repeated key was not known again");
  }
  if (const std::int64_t lead = lead_of(later)) look(lead);
}

void Life::send_few() {
  send({{"crm-base", 100, ""}});
  send({{"crm-base", 50, ""}, {"nobody", 6'000, ""}, {"crm-base", 50, ""}, {"crm-base", 50, ""}});
  if (const std::int64_t lead = lead_of("crm-base")) look(lead);
  send({{"crm-base", 100, ""}});
  send({{"crm-base", 9'000, ""}});
  send({{"nobody", 100, ""}});
}

void Life::must_go_well() {
  const std::size_t before = ledger_->events.size();
  const std::string good = "good-" + tag_;
  take_in(tag_ + "@good.example", good);
  if (ledger_->leads.back().answer.outcome != Outcome::kCommitted) broken("the fault is gone, and a lead is refused");
  send({{good, 100, ""}, {good, 5'000, ""}, {"nobody", 10, ""}});
  send({{good, 10, ""}});
  for (std::size_t i = before; i < ledger_->events.size(); ++i) {
    if (ledger_->events[i].answer.outcome != Outcome::kCommitted) broken("the fault is gone, and an event is refused");
  }
  if (!look(ledger_->leads.back().answer.lead_id)) broken("the fault is gone, and a lead can't be read");
}

}  // namespace fault
