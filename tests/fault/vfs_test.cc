// Fails the disk at every place, and cuts the power at every place: what was answered as stored has to be there, once.
//
//   vfs_test [--quick] [--only TEXT] [--at N] [--seed S] [--verbose]
//
// A case prints one line; a failure says how to see it again (with the same --seed, where one was given).
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "fault_vfs.h"
#include "ledger.h"

namespace fault {
namespace {

constexpr std::uint64_t kCallsMost = 20'000;  // No life makes more.

struct Options {
  bool quick = false;
  std::string only;
  std::uint64_t at = 0;
  std::uint64_t seed = 1;
  bool verbose = false;
};

// Where a life begins: a file, what is known to be in it, and what is done.
struct Scenario {
  std::string name;
  Image image;
  Ledger ledger;
  bool network = false;
  void (Life::*work)() = nullptr;
};

struct Mode {
  std::string name;
  Plan plan;
  bool reads_go_on = false;
};

struct Counts {
  std::uint64_t runs = 0, committed = 0, refused = 0, images = 0;
  std::size_t stored_though_refused = 0;
};

class Tester {
 public:
  Tester(const Options& options, const std::string& path)
      : options_(options),
        path_(path),
        log_(leadline::LogLevel::kError, options.verbose ? STDERR_FILENO : ::open("/dev/null", O_WRONLY | O_CLOEXEC),
             leadline::system_clock()) {}

  int run() {
    make_scenarios();
    for (const Scenario& scenario : scenarios_) {
      pretend_network(scenario.network);
      for (const Mode& mode : modes()) fail_at_every_call(scenario, mode);
      cut_at_every_call(scenario, false);
      if (!scenario.network) live_and_die(scenario);
    }
    pretend_network(false);
    cut_at_every_call(scenarios_[1], true);
    return failures_ == 0 ? 0 : 1;
  }

 private:
  // A file that has nothing; one whose log is about to be copied into it; the same of a network file system.
  void make_scenarios() {
    scenarios_.push_back({"a new database", {}, {}, false, &Life::send_some});
    Scenario full = {"a log about to be copied back", {}, {}, false, &Life::send_few};
    put_image(path_, {});
    {
      Life life(path_, "base", &full.ledger, log_);
      life.take_in("base@a.example", "crm-base");
      constexpr std::size_t kFrameBytes = 4'120;  // A page of the log with its header.
      constexpr std::size_t kLogBytes = (leadline::kCheckpointPages - 15UL) * kFrameBytes;
      while (current_image(path_)["-wal"].size() < kLogBytes) life.send({{"crm-base", 20, ""}});
      full.image = current_image(path_);
    }
    Scenario journal = {"a rollback journal", {}, full.ledger, true, &Life::send_few};
    journal.image[""] = current_image(path_)[""];
    scenarios_.push_back(std::move(full));
    scenarios_.push_back(std::move(journal));
  }

  static std::vector<Mode> modes() {
    const unsigned all = kEveryCall & ~static_cast<unsigned>(kRead);
    std::vector<Mode> modes;
    for (const bool for_ever : {false, true}) {
      const std::string how = for_ever ? " for ever" : " once";
      modes.push_back({"IOERR" + how, {0, all, SQLITE_IOERR, for_ever}});
      modes.push_back({"IOERR of reads" + how, {0, kRead, SQLITE_IOERR, for_ever}});
      modes.push_back({"FULL" + how, {0, kWrite | kTruncate | kShmMap, SQLITE_FULL, for_ever}});
      modes.push_back({"BUSY" + how, {0, kCallsThatLock, SQLITE_BUSY, for_ever}});
    }
    // What the machine's own VFS makes of EROFS. In WAL mode nobody who only reads is to notice.
    modes.push_back({"a disk that turns read-only", {0, kWrite | kTruncate | kDelete, SQLITE_IOERR, true}, true});
    modes.push_back({"a full disk", {0, kWrite | kTruncate, SQLITE_FULL, true}, true});
    return modes;
  }

  [[nodiscard]] bool is_wanted(const std::string& name) const { return name.find(options_.only) != std::string::npos; }

  // Which calls to fail: all, in a quick run some, or the one that was asked for.
  [[nodiscard]] std::uint64_t step(std::uint64_t wanted) const { return options_.quick ? wanted : 1; }

  void report(const std::string& name, const Counts& counts, const std::string& why) {
    if (why.empty()) {
      std::printf("ok %s: %llu runs, %llu files looked at, %llu events answered as stored, %llu refused", name.c_str(),
                  static_cast<unsigned long long>(counts.runs), static_cast<unsigned long long>(counts.images),
                  static_cast<unsigned long long>(counts.committed), static_cast<unsigned long long>(counts.refused));
      if (counts.stored_though_refused > 0) {
        std::printf(" (%zu of those are there all the same)", counts.stored_though_refused);
      }
      std::printf("\n");
    } else {
      std::printf("FAIL %s: %s\n", name.c_str(), why.c_str());
      ++failures_;
    }
    std::fflush(stdout);
  }

  // One life with the plan, and the life after it. Returns whether the fault struck.
  bool live(const Scenario& scenario, const Plan& plan, bool reads_go_on, Counts* counts) {
    Ledger ledger = scenario.ledger;
    put_image(path_, scenario.image);
    bool struck = false;
    {
      std::unique_ptr<Life> life;
      arm(plan);
      try {
        life = std::make_unique<Life>(path_, "one", &ledger, log_);
        (life.get()->*scenario.work)();
      } catch (const leadline::StoreError&) {
        // The store could not be opened: the process would say why, and end.
      }
      struck = heal();
      const bool copies_back = !scenario.network && !scenario.image.empty();
      if (!struck && copies_back && current_image(path_)[""] == scenario.image.at("")) {
        throw Broken("the log was not copied back, so that nothing could fail meanwhile");
      }
      if (reads_go_on && !scenario.network && life != nullptr && life->unseen() > 0) {
        throw Broken("a reader got an error where only writes fail");
      }
      if (life == nullptr) life = std::make_unique<Life>(path_, "two", &ledger, log_);
      life->must_go_well();
    }
    check_file(path_, ledger, &counts->stored_though_refused);
    ++counts->runs;
    ++counts->images;
    counts->committed += ledger.committed();
    counts->refused += ledger.refused();
    return struck;
  }

  void fail_at_every_call(const Scenario& scenario, const Mode& mode) {
    const std::string name = scenario.name + ", " + mode.name;
    if (!is_wanted(name)) return;
    Counts counts;
    Plan plan = mode.plan;
    // The read of each page of the log at its recovery is like that of the next.
    const std::uint64_t wide = plan.calls == kRead ? (options_.quick ? 331 : 13) : step(29);
    try {
      for (plan.at = options_.at != 0 ? options_.at : 1;; plan.at += wide) {
        if (!live(scenario, plan, mode.reads_go_on, &counts) || options_.at != 0) break;
        if (plan.at > kCallsMost) throw Broken("there is no end to the calls");
      }
      report(name, counts, "");
    } catch (const std::exception& error) {
      report(name, counts, again(error, name, plan.at));
    }
  }

  // A life until the power goes. What is left is looked at in several ways.
  bool cut(const Scenario& scenario, const Plan& plan, std::uint64_t seed, Counts* counts) {
    Ledger ledger = scenario.ledger;
    put_image(path_, scenario.image);
    arm(plan);
    try {
      Life life(path_, "one", &ledger, log_);
      (life.*scenario.work)();
    } catch (const leadline::StoreError&) {
    }
    const bool struck = heal();
    ++counts->runs;
    counts->committed += ledger.committed();
    counts->refused += ledger.refused();
    std::vector<Image> images;
    for (const Loss loss : {Loss::kAll, Loss::kNone, Loss::kBackward, Loss::kWrites, Loss::kSectors, Loss::kSectors}) {
      images.push_back(lose_power(path_, loss, seed += 7919));
    }
    for (const Image& image : images) {
      Ledger after = ledger;
      put_image(path_, image);
      {
        Life life(path_, "two", &after, log_);
        life.must_go_well();
      }
      check_file(path_, after, &counts->stored_though_refused);
      ++counts->images;
    }
    return struck;
  }

  void cut_at_every_call(const Scenario& scenario, bool lying) {
    const std::string name = scenario.name + (lying ? ", power cut, and syncs that lie" : ", power cut");
    if (!is_wanted(name)) return;
    Counts counts;
    Plan plan;
    plan.power_cut = true;
    plan.calls = kCallsThatWrite;
    plan.lying = lying;
    std::string why;
    try {
      for (plan.at = options_.at != 0 ? options_.at : 1;; plan.at += step(17)) {
        if (!cut(scenario, plan, options_.seed + plan.at, &counts) || options_.at != 0) break;
        if (plan.at > kCallsMost) throw Broken("there is no end to the calls");
      }
    } catch (const std::exception& error) {
      why = again(error, name, plan.at);
    }
    if (lying) {
      // Here the loss is what has to be seen.
      const bool seen = !why.empty();
      report(name + ": the loss is noticed", counts, seen ? "" : "nothing was noticed");
      return;
    }
    report(name, counts, why);
  }

  // Life after life on one database, each ended by a power cut at a random call, by the seed.
  void live_and_die(const Scenario& scenario) {
    const std::string name = scenario.name + ", lives that each end in a power cut";
    if (!is_wanted(name)) return;
    Counts counts;
    std::uint64_t seed = options_.seed;
    try {
      for (const std::uint64_t end = seed + (options_.quick ? 6 : 150); seed < end; ++seed) {
        std::mt19937_64 chance(seed);
        Ledger ledger = scenario.ledger;
        Image image = scenario.image;
        for (int turn = 0; turn < 8; ++turn) {
          put_image(path_, image);
          Plan plan;
          plan.power_cut = true;
          plan.calls = kCallsThatWrite;
          plan.at = 1 + chance() % 400;
          arm(plan);
          try {
            Life life(path_, "life" + std::to_string(turn), &ledger, log_);
            life.send_some();
          } catch (const leadline::StoreError&) {
          }
          static_cast<void>(heal());
          image = lose_power(path_, static_cast<Loss>(chance() % 5), chance());
          ++counts.runs;
        }
        put_image(path_, image);
        {
          Life life(path_, "last", &ledger, log_);
          life.must_go_well();
        }
        check_file(path_, ledger, &counts.stored_though_refused);
        ++counts.images;
        counts.committed += ledger.committed();
        counts.refused += ledger.refused();
        if (options_.at != 0) break;
      }
      report(name, counts, "");
    } catch (const std::exception& error) {
      report(name, counts,
             std::string(error.what()) + "; again: --only '" + name + "' --seed " + std::to_string(seed) + " --at 1");
    }
  }

  static std::string again(const std::exception& error, const std::string& name, std::uint64_t at) {
    return std::string(error.what()) + "; again: --only '" + name + "' --at " + std::to_string(at);
  }

  const Options options_;
  const std::string path_;
  const leadline::Log log_;
  std::vector<Scenario> scenarios_;
  int failures_ = 0;
};

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (word == "--quick") options.quick = true;
    if (word == "--verbose") options.verbose = true;
    if (word == "--only") options.only = value;
    if (word == "--at") options.at = std::strtoull(value, nullptr, 10);
    if (word == "--seed") options.seed = std::strtoull(value, nullptr, 10);
  }
  std::string folder = (std::filesystem::temp_directory_path() / "leadline-fault.XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 2;
  install_vfs();
  const int code = Tester(options, folder + "/leads.db").run();
  std::filesystem::remove_all(folder);
  std::printf("# finished\n");
  return code;
}

}  // namespace
}  // namespace fault

int main(int argc, char** argv) { return fault::run(argc, argv); }
