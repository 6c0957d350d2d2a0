// The slow lane: one thread of low priority that does slow work in turn, so that it never holds up a webhook.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace leadline {

class SlowLane {
 public:
  explicit SlowLane(std::size_t waiting_max) : waiting_max_(waiting_max) {}
  ~SlowLane();  // Does what is waiting first.
  SlowLane(const SlowLane&) = delete;
  SlowLane& operator=(const SlowLane&) = delete;

  // Has `work`, which must not throw, done by the lane's thread, which is started with the first. False where too much
  // waits already. From any thread.
  [[nodiscard]] bool run(std::function<void()> work);

 private:
  void work_all();

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable given_;
  std::deque<std::function<void()>> waiting_;
  bool closed_ = false;
  std::thread worker_;
};

}  // namespace leadline
