// A fake engine and fake writes for group commit, and the world in which they meet the test.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "store/group_commit.h"
#include "support.h"

namespace leadline {

// What the fake engine and its writes do and did. Its threads meet here, and the test waits here for them.
class World {
 public:
  void note(const std::string& what) {
    const std::lock_guard lock(mutex_);
    notes_.push_back(what);
    changed_.notify_all();
  }

  void wait_for(const std::string& what) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::find(notes_.begin(), notes_.end(), what) != notes_.end(); });
  }

  // The notes that begin with `prefix`, joined by blanks.
  std::string notes(const std::string& prefix = "") {
    return joined([&prefix](const std::string& note) { return note.starts_with(prefix); });
  }
  // What the committer did, without the answers, which another thread gives meanwhile.
  std::string work() {
    return joined([](const std::string& note) { return !note.starts_with("finish"); });
  }

  long count(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return std::count(notes_.begin(), notes_.end(), what);
  }

  // While it is shut, whoever comes to `gate` waits there.
  void shut(const std::string& gate) { set_gate(gate, true); }
  void open(const std::string& gate) { set_gate(gate, false); }
  void pass(const std::string& gate) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !shut_[gate]; });
  }

  TestClock clock;
  // Called by the engine; may throw. Set before the first write.
  std::function<void()> on_begin = [] {};
  std::function<void()> on_commit = [] {};

  // The lock of another program, as the engine meets it: the wait for it takes its time, and then it fails.
  void be_busy() {
    clock.steady_us += std::int64_t{kBusyTimeoutMs} * 1000;
    throw StoreError(Fault::kBusy, "locked");
  }

 private:
  std::string joined(const std::function<bool(const std::string&)>& wanted) {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const std::string& note : notes_) {
      if (wanted(note)) all += (all.empty() ? "" : " ") + note;
    }
    return all;
  }

  void set_gate(const std::string& gate, bool shut) {
    const std::lock_guard lock(mutex_);
    shut_[gate] = shut;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> notes_;
  std::map<std::string, bool> shut_;
};

class FakeEngine {
 public:
  explicit FakeEngine(World* world) : world_(world) {}

  void begin(Access access) {
    world_->note(access == Access::kWrite ? "begin" : "begin-read");
    world_->on_begin();
  }
  void commit() {
    world_->note("commit");
    world_->pass("commit");
    world_->on_commit();
    world_->note("committed");
  }
  void rollback() noexcept { world_->note("rollback"); }
  void note(const std::string& what) { world_->note(what); }
  void keep_house() noexcept { world_->note("house"); }

 private:
  World* const world_;
};

struct FakeWrite {
  World* world;
  std::string name;
  std::function<void()> on_apply = [] {};
  std::size_t size = 1;

  struct Shared {
    int applied = 0;
    void write(FakeEngine& engine) const { engine.note("shared:" + std::to_string(applied)); }
  };

  void apply(FakeEngine& /*engine*/, Shared* shared) {
    world->note("apply:" + name);
    on_apply();
    ++shared->applied;
  }
  [[nodiscard]] std::size_t bytes() const { return size; }
  void finish(Outcome outcome) {
    const char* const word = outcome == Outcome::kCommitted ? "ok" : outcome == Outcome::kBusy ? "busy" : "failed";
    world->note("finish:" + name + '=' + word);
    world->pass("finish:" + name);
  }
};

[[noreturn]] inline void break_down() { throw StoreError(Fault::kFailed, "broken"); }

class Commits {
 public:
  explicit Commits(World* world)
      : world_(world),
        commit_(std::make_unique<FakeEngine>(world), world->clock.clock(),
                {[world](const std::string& reason) { world->note("complaint:" + reason); }, [] {}}) {}

  // Whether it was taken.
  bool submit(
      const std::string& name, std::function<void()> on_apply = [] {}, std::size_t size = 1) {
    return commit_.submit(std::make_unique<FakeWrite>(FakeWrite{world_, name, std::move(on_apply), size})) == nullptr;
  }

  // A write that stays in its COMMIT, so that what is submitted next waits, until the gate "commit" is opened.
  void occupy() {
    world_->shut("commit");
    REQUIRE(submit("first"));
    world_->wait_for("commit");
  }

  void hurry() { commit_.hurry(); }
  [[nodiscard]] std::unique_ptr<FakeWrite> give(std::unique_ptr<FakeWrite> write) {
    return commit_.submit(std::move(write));
  }

 private:
  World* const world_;
  GroupCommit<FakeEngine, FakeWrite> commit_;
};

}  // namespace leadline
