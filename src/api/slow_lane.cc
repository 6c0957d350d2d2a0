#include "api/slow_lane.h"

#include <utility>

#include "base/process.h"

namespace leadline {
namespace {

constexpr int kNiceness = 10;  // Of 19: it gets what the others leave, and some.

}  // namespace

SlowLane::~SlowLane() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  given_.notify_one();
  if (worker_.joinable()) worker_.join();
}

bool SlowLane::run(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= waiting_max_) return false;
    waiting_.push_back(std::move(work));
    if (!worker_.joinable()) worker_ = std::thread([this] { work_all(); });
  }
  given_.notify_one();
  return true;
}

void SlowLane::work_all() {
  lower_thread_priority(kNiceness);
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      given_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }
}

}  // namespace leadline
