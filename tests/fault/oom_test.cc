// Refuses memory at the Nth allocation, once or for ever: C++'s, SQLite's and cJSON's. Each run is a process of its own
// that serves a fixed list of requests. Every answer has to be the right one or an error; the process may end, with a
// message; afterwards the database holds exactly what was answered.
//
//   oom_test [--quick] [--only TEXT] [--at N]
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/service.h"
#include "base/json.h"
#include "store/store.h"

namespace {

// ---- who asks for memory

enum Asker : unsigned { kCpp = 1, kSqlite = 2, kCjson = 4 };

std::atomic<bool> armed = false;
std::atomic<std::uint64_t> asked = 0;
std::atomic<unsigned> askers = 0;
std::atomic<std::uint64_t> refused_at = 0;
std::atomic<bool> for_ever = false;

bool is_refused(Asker asker) {
  if (!armed || (askers & asker) == 0) return false;
  const std::uint64_t number = ++asked;
  return refused_at != 0 && (number == refused_at || (for_ever && number > refused_at));
}

sqlite3_mem_methods below;

void* sqlite_malloc(int size) { return is_refused(kSqlite) ? nullptr : below.xMalloc(size); }
void* sqlite_realloc(void* old, int size) { return is_refused(kSqlite) ? nullptr : below.xRealloc(old, size); }
void* cjson_malloc(std::size_t size) { return is_refused(kCjson) ? nullptr : std::malloc(size); }

void install_hooks() {
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &below);
  sqlite3_mem_methods mine = below;
  mine.xMalloc = sqlite_malloc;
  mine.xRealloc = sqlite_realloc;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &mine);
  sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);  // Small blocks come from the hooks too.
  cJSON_Hooks hooks = {cjson_malloc, std::free};
  cJSON_InitHooks(&hooks);
}

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = is_refused(kCpp) ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// Not inlined, or the compiler would see a free() for what a `new` gave.
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using leadline::BodyRead;
using leadline::Response;

constexpr const char* kSecret = "secret";
constexpr int kPatienceMs = 20'000;
constexpr std::size_t kBodyKept = 16'384;

// ---- what is asked

struct Ask {
  const char* method;
  const char* path;
  const char* query;
  const char* body;
  const char* key;  // Idempotency-Key
  const char* secret = kSecret;
};

constexpr std::array kAsks = {
    Ask{"POST", "/webhooks/crm/lead", "", R"({"crm_lead_id":"crm\u002d1","event_type":"a\tb","status":"x\ny"})", ""},
    Ask{"GET", "/analytics/leads/1", "", "", ""},
    Ask{"POST", "/webhooks/crm/lead", "", R"({"crm_lead_id":"later","status":"new"})", "key-1"},
    Ask{"POST", "/webhooks/crm/lead", "", R"({"crm_lead_id":"later","status":"new"})", "key-1"},
    Ask{"GET", "/analytics/leads/unmatched", "crm_lead_id=later", "", ""},
    Ask{"POST", "/analytics/leads", "", R"({"email":" n@example.com","crm_lead_id":"later","payload":{"a":[1]}})", ""},
    Ask{"GET", "/analytics/leads/3", "activity_limit=1", "", ""},
    Ask{"PATCH", "/analytics/leads/1", "", R"({"status":"won","crm_lead_id":"crm-1b"})", ""},
    Ask{"GET", "/analytics/leads", "q=exampl&limit=2", "", ""},
    Ask{"GET", "/analytics/leads", "project=North&from=2020-01-01", "", ""},
    Ask{"GET", "/analytics/leads/projects", "", "", ""},
    Ask{"GET", "/analytics/leads/summary", "days=3", "", ""},
    Ask{"GET", "/readyz", "", "", ""},
    Ask{"POST", "/webhooks/crm/lead", "", R"({"crm_lead_id":)", ""},
    Ask{"POST", "/webhooks/crm/lead", "", "{}", "", "wrong"},
    Ask{"POST", "/webhooks/crm/lead", "", R"({"crm_lead_id":"crm-2"})", ""},
    // There is memory again.
    Ask{"POST", "/webhooks/crm/lead", "", R"({"crm_lead_id":"crm-2"})", ""},
    Ask{"GET", "/analytics/leads/1", "", "", ""},
    Ask{"GET", "/analytics/leads/2", "", "", ""},
    Ask{"GET", "/analytics/leads", "", "", ""},
    Ask{"GET", "/analytics/leads/unmatched", "", "", ""},
};
constexpr std::size_t kFirstLater = 16;

bool writes(std::size_t ask) { return std::string(kAsks[ask].method) != "GET"; }

struct Answer {
  std::atomic<int> status;  // 0: none.
  std::size_t size;
  char body[kBodyKept];
};

// Shared with the process that serves.
struct Report {
  std::uint64_t asked;
  bool opened;
  Answer answers[kAsks.size()];
};

Report* report = nullptr;

class FakeExchange final : public leadline::Exchange {
 public:
  explicit FakeExchange(std::size_t ask) : ask_(ask) {
    const Ask& what = kAsks[ask];
    request.method = what.method;
    request.path = what.path;
    request.query = what.query;
    request.api_key = what.secret;
    request.idempotency_key = what.key;
    request.request_id = "fixed";
    request.content_length = std::strlen(what.body);
  }

  [[nodiscard]] BodyRead read_body(std::uint64_t bytes_max) override {
    const std::string_view body = kAsks[ask_].body;
    if (body.size() > bytes_max) return BodyRead::kTooLong;
    request.body.assign(body);
    return BodyRead::kWhole;
  }

  void send(const Response& response) override {
    Answer& answer = report->answers[ask_];
    answer.size = response.body.size();
    std::memcpy(answer.body, response.body.data(), std::min(answer.size, kBodyKept));
    answer.status = response.status;
  }

 private:
  const std::size_t ask_;
};

// ---- the process that serves

struct Plan {
  unsigned askers = 0;
  std::uint64_t at = 0;  // 0: never.
  bool for_ever = false;
  bool while_opening = false;  // Else from the first request on.
  std::set<std::size_t> skipped;
  std::size_t first = 0;
};

void arm(const Plan& plan) {
  askers = plan.askers;
  refused_at = plan.at;
  for_ever = plan.for_ever;
  armed = true;
}

leadline::Clock test_clock() {
  leadline::Clock clock = leadline::system_clock();
  clock.wall_ms = [] { return std::int64_t{1'795'000'000'000}; };
  return clock;
}

// As the process's own main would: what is not caught ends it.
[[noreturn]] void serve_and_exit(const std::string& path, const Plan& plan) noexcept {
  const leadline::Clock clock = test_clock();
  const leadline::Log log(leadline::LogLevel::kError, STDERR_FILENO, clock);
  leadline::Config config;
  config.webhook_secret = config.analytics_key = kSecret;
  std::vector<std::unique_ptr<FakeExchange>> exchanges;
  for (std::size_t i = 0; i < kAsks.size(); ++i) exchanges.push_back(std::make_unique<FakeExchange>(i));
  if (plan.while_opening) arm(plan);
  std::optional<leadline::Store> store;
  try {
    store.emplace("sqlite:" + path, clock, log);
  } catch (const leadline::StoreError& error) {
    std::fprintf(stderr, "leadline: DATABASE_URL: %s\n", error.what());
    ::_exit(EX_CONFIG);
  }
  leadline::Service service(config, &*store, log, {clock, [] { return std::string("fresh"); }});
  report->opened = true;
  if (!plan.while_opening) arm(plan);
  for (std::size_t i = plan.first; i < kAsks.size(); ++i) {
    if (i == kFirstLater) armed = false;
    if (plan.skipped.contains(i)) continue;
    service.serve(exchanges[i].get());
    for (int ms = 0; report->answers[i].status == 0; ++ms) {
      if (ms > kPatienceMs * 10) {
        std::fprintf(stderr, "no answer\n");
        ::_exit(EX_SOFTWARE);
      }
      ::usleep(100);
    }
  }
  armed = false;
  report->asked = asked;
  ::_exit(0);
}

struct Run {
  int code = 0;  // Of waitpid.
  std::string said;
  std::vector<std::pair<int, std::string>> answers;
};

// ---- the process that judges

class Tester {
 public:
  Tester(bool quick, std::string only, std::uint64_t at, const std::string& folder)
      : quick_(quick), only_(std::move(only)), at_(at), folder_(folder), path_(folder + "/leads.db") {}

  int run() {
    make_base();
    for (const bool opening : {false, true}) {
      for (const bool ever : {false, true}) {
        const std::string when = std::string(ever ? " for ever" : " once") + (opening ? ", while opening" : "");
        walk("memory for C++ refused" + when, {kCpp, 0, ever, opening, {}, 0});
        walk("memory for SQLite refused" + when, {kSqlite, 0, ever, opening, {}, 0});
        if (!opening) walk("memory for cJSON refused" + when, {kCjson, 0, ever, opening, {}, 0});
        walk("memory for all refused" + when, {kCpp | kSqlite | kCjson, 0, ever, opening, {}, 0});
      }
    }
    return failures_ == 0 ? 0 : 1;
  }

 private:
  // Two leads, events of which one was written by another program, and a held one.
  void make_base() {
    const Run made = fork_and_run({0, 0, false, false, {}, kAsks.size()}, path_);
    if (made.code != 0) std::abort();
    sqlite3* db = nullptr;
    sqlite3_open(path_.c_str(), &db);
    const char* const sql =
        "INSERT INTO Leads (CrmLeadId, Name, Email, Project, CreatedAt) VALUES "
        "('crm-1', 'Zo\xC3\xAB \"Z\"', 'z@example.com', 'North', '2026-11-01 10:00:00'),"
        "('crm-2', CAST(x'4A756CE9' AS TEXT), 'j@example.com', 'S', '2026-11-02 10:00:00');"
        "INSERT INTO LeadSubmissions (LeadId, PayloadJson, SubmittedAt) VALUES (1, '{\"a\": [1, \"\\u00e9\"]}', "
        "'2026-11-01 10:00:00'), (1, 'no json', '2026-11-01 10:00:01');"
        "INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, PayloadJson, ReceivedAt) VALUES "
        "(1, 'crm-1', '{\"status\": \"by\\u0020hand\"}', '2026-11-01 11:00:00');"
        "INSERT INTO UnmatchedCrmEvents (CrmLeadId, PayloadJson, ReceivedAt) VALUES ('x', '{}', '2026-11-01 11:00:00');"
        "PRAGMA wal_checkpoint(TRUNCATE);";
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) std::abort();
    sqlite3_close(db);
    std::filesystem::copy_file(path_, folder_ + "/base.db");
  }

  void put_base(const std::string& path) const {
    for (const char* const suffix : {"-wal", "-shm"}) ::unlink((path + suffix).c_str());
    std::filesystem::copy_file(folder_ + "/base.db", path, std::filesystem::copy_options::overwrite_existing);
  }

  Run fork_and_run(const Plan& plan, const std::string& path) {
    std::memset(static_cast<void*>(report), 0, sizeof *report);
    const std::string said_path = folder_ + "/said";
    const pid_t child = ::fork();
    if (child == 0) {
      const int said = ::open(said_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(said, STDERR_FILENO);
      ::alarm(60);
      serve_and_exit(path, plan);
    }
    Run run;
    ::waitpid(child, &run.code, 0);
    std::ifstream said(said_path, std::ios::binary);
    run.said.assign(std::istreambuf_iterator<char>(said), {});
    for (const Answer& answer : report->answers) {
      run.answers.emplace_back(answer.status.load(), std::string(answer.body, std::min(answer.size, kBodyKept)));
    }
    return run;
  }

  // What a good run answers when these requests are never made.
  const Run& reference(const std::set<std::size_t>& skipped) {
    auto found = references_.find(skipped);
    if (found == references_.end()) {
      const std::string path = folder_ + "/reference.db";
      put_base(path);
      found = references_.emplace(skipped, fork_and_run({0, 0, false, false, skipped, 0}, path)).first;
      if (found->second.code != 0) fail("a run without a fault has failed: " + found->second.said);
    }
    return found->second;
  }

  [[noreturn]] static void fail(const std::string& why) { throw std::runtime_error(why); }

  static std::string name_of(std::size_t ask) {
    return std::string(kAsks[ask].method) + " " + kAsks[ask].path + " (request " + std::to_string(ask) + ")";
  }

  // The writes that were refused: a good run without these is what has to be seen.
  static std::set<std::size_t> refused_writes(const Run& run) {
    std::set<std::size_t> refused;
    for (std::size_t i = 0; i < kAsks.size(); ++i) {
      const bool is_error = run.answers[i].first == 0 || run.answers[i].first >= 500;
      if (is_error && writes(i) && std::string(kAsks[i].path) != "/readyz") refused.insert(i);
    }
    return refused;
  }

  void check_answers(const Run& run, const std::set<std::size_t>& refused, std::size_t first) {
    const Run& good = reference(refused);
    for (std::size_t i = first; i < kAsks.size(); ++i) {
      const auto& [status, body] = run.answers[i];
      if (status == 0 || (i < kFirstLater && status >= 500)) {
        if (status != 0 && !body.starts_with(R"({"ok":false,"error":")")) fail(name_of(i) + ": " + body);
        continue;
      }
      if (run.answers[i] != good.answers[i]) {
        fail(name_of(i) + " was answered " + std::to_string(status) + " " + body + ", and should be " +
             std::to_string(good.answers[i].first) + " " + good.answers[i].second);
      }
    }
  }

  // One run. Returns whether memory was still asked for at the place.
  bool try_at(const Plan& plan) {
    put_base(path_);
    const Run run = fork_and_run(plan, path_);
    const std::uint64_t asked_in_all = report->asked;
    const bool had_opened = report->opened;
    ++runs_;
    if (WIFEXITED(run.code) && WEXITSTATUS(run.code) == 0) {
      if (at_ != 0) std::printf("# %s\n", run.said.c_str());
      for (const auto& [status, body] : run.answers) errors_ += status >= 500 ? 1 : 0;
      const std::set<std::size_t> refused = refused_writes(run);
      for (std::size_t i = kFirstLater; i < kAsks.size(); ++i) {
        if (run.answers[i].first >= 500)
          fail("there is memory again, and " + name_of(i) + " is answered " + run.answers[i].second);
      }
      check_answers(run, refused, 0);
      return asked_in_all >= plan.at;
    }
    // It has ended. That may be, with a word.
    ++ended_;
    const bool in_words =
        run.said.find("bad_alloc") != std::string::npos || run.said.find("memory") != std::string::npos;
    const bool well = (WIFEXITED(run.code) && WEXITSTATUS(run.code) == EX_CONFIG && !had_opened) ||
                      (WIFSIGNALED(run.code) && WTERMSIG(run.code) == SIGABRT);
    const std::string how = (WIFSIGNALED(run.code) ? "signal " + std::to_string(WTERMSIG(run.code))
                                                   : "exit code " + std::to_string(WEXITSTATUS(run.code))) +
                            ": " + run.said.substr(0, 300);
    if (at_ != 0) {
      std::printf("# ended with %s\n# statuses:", how.c_str());
      for (const auto& [status, body] : run.answers) std::printf(" %d", status);
      std::printf("\n");
    }
    if (!in_words || !well || run.said.find("broken rule") != std::string::npos) fail("it ended with " + how);
    std::set<std::size_t> refused = refused_writes(run);
    for (std::size_t i = kFirstLater; i < kAsks.size(); ++i) refused.erase(i);
    // What was asked when it ended may have been stored; nothing after that was asked.
    std::size_t asked_last = 0;
    while (asked_last < kFirstLater && run.answers[asked_last].first != 0) ++asked_last;
    check_answers(run, refused, 0);
    Run after = fork_and_run({0, 0, false, false, {}, kFirstLater}, path_);
    if (after.code != 0) fail("it does not start again: " + after.said);
    try {
      check_answers(after, refused, kFirstLater);
    } catch (const std::runtime_error&) {
      if (!had_opened || refused.erase(asked_last) == 0) throw;
      check_answers(after, refused, kFirstLater);
    }
    return true;
  }

  void walk(const std::string& name, Plan plan) {
    if (name.find(only_) == std::string::npos) return;
    runs_ = ended_ = errors_ = 0;
    try {
      // How much is asked for in all says how wide the steps have to be.
      put_base(path_);
      plan.at = 0;
      static_cast<void>(fork_and_run(plan, path_));
      const std::uint64_t total = report->asked;
      const std::uint64_t runs_wanted = quick_ ? 12 : 250;
      const std::uint64_t step = std::max<std::uint64_t>(1, total / runs_wanted);
      for (plan.at = at_ != 0 ? at_ : 1; plan.at <= total; plan.at += step) {
        static_cast<void>(try_at(plan));
        if (at_ != 0) break;
      }
      std::printf("ok %s: %llu runs of %llu allocations, %llu error answers, %llu ends with a message\n", name.c_str(),
                  static_cast<unsigned long long>(runs_), static_cast<unsigned long long>(total),
                  static_cast<unsigned long long>(errors_), static_cast<unsigned long long>(ended_));
    } catch (const std::runtime_error& error) {
      std::printf("FAIL %s: %s; again: --only '%s' --at %llu\n", name.c_str(), error.what(), name.c_str(),
                  static_cast<unsigned long long>(plan.at));
      ++failures_;
    }
    std::fflush(stdout);
  }

  const bool quick_;
  const std::string only_;
  const std::uint64_t at_;
  const std::string folder_;
  const std::string path_;
  std::map<std::set<std::size_t>, Run> references_;
  std::uint64_t runs_ = 0, ended_ = 0, errors_ = 0;
  int failures_ = 0;
};

int run(int argc, char** argv) {
  bool quick = false;
  std::string only;
  std::uint64_t at = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (word == "--quick") quick = true;
    if (word == "--only") only = value;
    if (word == "--at") at = std::strtoull(value, nullptr, 10);
  }
  std::string folder = (std::filesystem::temp_directory_path() / "leadline-oom.XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 2;
  report =
      static_cast<Report*>(::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  install_hooks();
  const int code = Tester(quick, only, at, folder).run();
  std::filesystem::remove_all(folder);
  std::printf("# finished\n");
  return code;
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }
