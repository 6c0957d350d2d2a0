// Group commit: writes that arrive while the disk is busy share the next transaction. There is no timer: the sync in
// progress is the wait. Knows nothing of SQL or HTTP.
//
// Three kinds of threads: those that submit never wait; the committer takes all that wait, commits them as one and
// hands them on; the answerer tells each how it went, while the committer is at the next group.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "base/process.h"
#include "store/db.h"

namespace leadline {

// Where the processors are short, reads come first: writes that wait longer share larger groups, and cost less each.
inline constexpr int kCommitterNiceness = 5;

enum class Outcome {
  kCommitted,  // It is on disk.
  kBusy,       // Another program held the lock for too long. Nothing of it was stored.
  kFailed,     // Nothing of it was stored.
};

// `Engine` has Connection's begin, commit, rollback and keep_house. `Write` has
//   Shared                         what the writes of one transaction gather; made anew for each attempt
//   void apply(Engine&, Shared*)   the write itself, inside a transaction, on the committer's thread; may throw; may be
//                                  called again after a rollback
//   std::size_t bytes()            about how much memory it holds
//   void finish(Outcome)           on the answerer's thread, exactly once
// and `Shared` has
//   void write(Engine&)            the last thing before COMMIT; may throw
template <class Engine, class Write>
class GroupCommit {
 public:
  struct Watcher {
    std::function<void(const std::string&)> complain;  // Gets the reason of each failure; on the committer's thread.
    std::function<void()> rest;                        // After each group of answers; on the answerer's thread.
  };

  GroupCommit(std::unique_ptr<Engine> engine, Clock clock, Watcher watcher)
      : engine_(std::move(engine)),
        clock_(std::move(clock)),
        watcher_(std::move(watcher)),
        answerer_([this] { answer_all(); }),
        committer_([this] { commit_all(); }) {}

  // Commits and answers what was submitted.
  ~GroupCommit() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    submitted_.notify_one();
    committer_.join();
    {
      const std::lock_guard lock(done_mutex_);
      done_closed_ = true;
    }
    finished_.notify_one();
    answerer_.join();
  }
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // Takes the write, or gives it back where too much waits already. From any thread.
  [[nodiscard]] std::unique_ptr<Write> submit(std::unique_ptr<Write> write) {
    const std::size_t bytes = write->bytes();
    {
      const std::lock_guard lock(mutex_);
      const bool full = waiting_count_ >= kQueuedWritesMax || waiting_bytes_ + bytes > kQueuedBytesMax;
      if (full && waiting_count_ > 0) return write;
      queue_.push_back(Pending{std::move(write), clock_.steady_us(), Outcome::kFailed});
      ++waiting_count_;
      waiting_bytes_ += bytes;
    }
    submitted_.notify_one();
    return nullptr;
  }

  // From now on a locked database is waited for less long. From any thread.
  void hurry() {
    const std::lock_guard lock(mutex_);
    hurried_ = true;
  }

 private:
  struct Pending {
    std::unique_ptr<Write> write;
    std::int64_t since_us;
    Outcome outcome;
  };
  using Group = std::vector<Pending>;

  void commit_all() {
    lower_thread_priority(kCommitterNiceness);
    Group group;
    while (take_group(&group)) {
      commit_group(&group);
      engine_->keep_house();
    }
  }

  // Fills `group`, which may still hold writes that wait for a lock, or returns false at the end.
  bool take_group(Group* group) {
    std::unique_lock lock(mutex_);
    if (group->empty()) submitted_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    while (!queue_.empty() && group->size() < kGroupWritesMax) {
      group->push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    return !group->empty();
  }

  // Leaves in `group` only what should be tried again because of a lock.
  void commit_group(Group* group) {
    std::optional<Fault> fault = attempt(group->data(), group->size());
    if (fault == Fault::kBusy) return give_up_overdue(group);
    if (fault && group->size() > 1 && !commit_failed_) return commit_one_by_one(group);
    for (Pending& pending : *group) pending.outcome = fault ? Outcome::kFailed : Outcome::kCommitted;
    hand_on(group);
  }

  // A group of which one is bad: each gets a transaction of its own, so that the bad one fails alone.
  void commit_one_by_one(Group* group) {
    Group locked_out;
    Group done;
    for (Pending& pending : *group) {
      // Once one is locked out, all that follow are: they wait together, not one after the other.
      const std::optional<Fault> fault = locked_out.empty() ? attempt(&pending, 1) : Fault::kBusy;
      pending.outcome = fault ? Outcome::kFailed : Outcome::kCommitted;
      (fault == Fault::kBusy ? locked_out : done).push_back(std::move(pending));
    }
    hand_on(&done);
    *group = std::move(locked_out);
  }

  // One transaction. Returns what went wrong, after rolling back.
  std::optional<Fault> attempt(Pending* first, std::size_t count) {
    commit_failed_ = false;
    try {
      Transaction transaction(*engine_, Access::kWrite);
      typename Write::Shared shared;
      for (Pending* pending = first; pending != first + count; ++pending) pending->write->apply(*engine_, &shared);
      shared.write(*engine_);
      commit_failed_ = true;
      transaction.commit();
      return std::nullopt;
    } catch (const StoreError& error) {
      if (error.fault() != Fault::kBusy) watcher_.complain(error.what());
      return error.fault();
    } catch (const std::bad_alloc&) {
      watcher_.complain("out of memory");
      return Fault::kFailed;
    }
  }

  // The lock is waited for by those in the committer's hands and by those that queue behind them.
  void give_up_overdue(Group* group) {
    Group overdue;
    Group patient;
    {
      const std::lock_guard lock(mutex_);
      const std::int64_t oldest_us = clock_.steady_us() - (hurried_ ? kLockWaitStoppingMs : kLockWaitMs) * 1000;
      for (Pending& pending : *group) {
        (pending.since_us <= oldest_us ? overdue : patient).push_back(std::move(pending));
      }
      for (; !queue_.empty() && queue_.front().since_us <= oldest_us; queue_.pop_front()) {
        overdue.push_back(std::move(queue_.front()));
      }
    }
    for (Pending& pending : overdue) pending.outcome = Outcome::kBusy;
    if (!overdue.empty()) watcher_.complain("the database stayed locked by another program");
    hand_on(&overdue);
    *group = std::move(patient);
  }

  void hand_on(Group* group) {
    std::size_t bytes = 0;
    for (const Pending& pending : *group) bytes += pending.write->bytes();
    {
      const std::lock_guard lock(mutex_);
      waiting_count_ -= group->size();
      waiting_bytes_ -= bytes;
    }
    {
      const std::lock_guard lock(done_mutex_);
      for (Pending& pending : *group) done_.push_back(std::move(pending));
    }
    group->clear();
    finished_.notify_one();
  }

  void answer_all() {
    Group group;
    for (;;) {
      {
        std::unique_lock lock(done_mutex_);
        finished_.wait(lock, [this] { return done_closed_ || !done_.empty(); });
        if (done_.empty()) return;
        group.swap(done_);
      }
      for (Pending& pending : group) pending.write->finish(pending.outcome);
      group.clear();
      watcher_.rest();
    }
  }

  const std::unique_ptr<Engine> engine_;  // The committer's alone.
  const Clock clock_;
  const Watcher watcher_;
  bool commit_failed_ = false;  // The last attempt got as far as COMMIT.

  std::mutex mutex_;
  std::condition_variable submitted_;
  std::deque<Pending> queue_;
  std::size_t waiting_count_ = 0;  // Queued or in the committer's hands.
  std::size_t waiting_bytes_ = 0;
  bool hurried_ = false;
  bool closed_ = false;

  std::mutex done_mutex_;
  std::condition_variable finished_;
  Group done_;
  bool done_closed_ = false;

  std::thread answerer_;
  std::thread committer_;
};

}  // namespace leadline
