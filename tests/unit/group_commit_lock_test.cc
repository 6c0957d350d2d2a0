// Group commit on a fake engine: how long another program's lock is waited for, and what a full queue does.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>

#include "group_commit_world.h"
#include "store/group_commit.h"

namespace leadline {
namespace {

TEST_CASE("group commit: a locked database is tried again until it is free") {
  World world;
  world.on_begin = [&world] {
    if (world.count("begin") <= 5) world.be_busy();
  };
  { REQUIRE(Commits(&world).submit("a")); }
  CHECK(world.count("begin") == 6);
  CHECK(world.notes("finish") == "finish:a=ok");
  CHECK(world.notes("complaint").empty());
}

TEST_CASE("group commit: a transaction that never began is not rolled back") {
  World world;
  world.on_begin = [&world] {
    if (world.count("begin") == 1) world.be_busy();
  };
  { REQUIRE(Commits(&world).submit("a")); }
  CHECK(world.count("rollback") == 0);
}

TEST_CASE("group commit: a COMMIT that meets a lock is rolled back and tried again") {
  World world;
  world.on_commit = [&world] {
    if (world.count("commit") == 1) world.be_busy();
  };
  { REQUIRE(Commits(&world).submit("a")); }
  CHECK(world.notes("apply") == "apply:a apply:a");
  CHECK(world.count("rollback") == 1);
  CHECK(world.notes("finish") == "finish:a=ok");
}

TEST_CASE("group commit: a lock that stays is waited for as long as the limit says, then the write is given up") {
  World world;
  world.on_begin = [&world] { world.be_busy(); };
  { REQUIRE(Commits(&world).submit("a")); }
  CHECK(world.notes("finish") == "finish:a=busy");
  CHECK(world.clock.steady_us.load() >= kLockWaitMs * 1000);
  CHECK(world.clock.steady_us.load() <= (kLockWaitMs + kBusyTimeoutMs) * 1000);
  CHECK(world.notes("complaint") == "complaint:the database stayed locked by another program");
}

TEST_CASE("group commit: in a hurry a lock is waited for less long") {
  World world;
  world.on_begin = [&world] { world.be_busy(); };
  {
    Commits commits(&world);
    commits.hurry();
    REQUIRE(commits.submit("a"));
  }
  CHECK(world.notes("finish") == "finish:a=busy");
  CHECK(world.clock.steady_us.load() >= kLockWaitStoppingMs * 1000);
  CHECK(world.clock.steady_us.load() <= (kLockWaitStoppingMs + kBusyTimeoutMs) * 1000);
}

TEST_CASE("group commit: a write that came later outlives the one that is given up") {
  World world;
  Commits* later = nullptr;
  world.on_begin = [&world, &later] {
    if (world.clock.steady_us == 6'000'000 && !later->submit("late")) world.note("late was not taken");
    if (world.clock.steady_us < (kLockWaitMs + kBusyTimeoutMs) * 1000) world.be_busy();
  };
  {
    Commits commits(&world);
    later = &commits;
    REQUIRE(commits.submit("early"));
    world.wait_for("finish:early=busy");
  }
  CHECK(world.notes("finish") == "finish:early=busy finish:late=ok");
}

TEST_CASE("group commit: a full queue that meets a lasting lock is answered within the contract's 15 s") {
  World world;
  world.on_begin = [&world] {
    if (world.count("committed") > 0) world.be_busy();
  };
  {
    Commits commits(&world);
    commits.occupy();
    for (std::size_t i = 1; i < kQueuedWritesMax; ++i) REQUIRE(commits.submit("x"));
    world.open("commit");
  }
  CHECK(world.count("finish:x=busy") == kQueuedWritesMax - 1);
  CHECK(world.clock.steady_us.load() < 15'000'000);
}

TEST_CASE("group commit: a lock that comes while a group is taken apart is not waited for once per write") {
  World world;
  std::atomic<bool> locked = false;
  world.on_begin = [&world, &locked] {
    if (locked) world.be_busy();
  };
  {
    Commits commits(&world);
    commits.occupy();
    REQUIRE(commits.submit("bad", [&locked] {
      locked = true;
      break_down();
    }));
    for (int i = 0; i < 100; ++i) REQUIRE(commits.submit("x"));
    world.open("commit");
  }
  CHECK(world.count("finish:x=busy") == 100);
  CHECK(world.clock.steady_us.load() < 15'000'000);
}

TEST_CASE("group commit: a full queue gives the write back") {
  World world;
  {
    Commits commits(&world);
    commits.occupy();
    for (std::size_t i = 1; i < kQueuedWritesMax; ++i) REQUIRE(commits.submit("x"));
    auto write = std::make_unique<FakeWrite>(FakeWrite{&world, "too-many"});
    const FakeWrite* const address = write.get();
    CHECK(commits.give(std::move(write)).get() == address);
    world.open("commit");
  }
  CHECK(world.count("finish:x=ok") == kQueuedWritesMax - 1);
  CHECK(world.notes("finish:too-many").empty());
}

TEST_CASE("group commit: a queue that was full takes writes again once it has been emptied") {
  World world;
  Commits commits(&world);
  commits.occupy();
  for (std::size_t i = 1; i < kQueuedWritesMax - 1; ++i) REQUIRE(commits.submit("x"));
  REQUIRE(commits.submit("last"));
  REQUIRE_FALSE(commits.submit("too-many"));
  world.open("commit");
  world.wait_for("finish:last=ok");
  CHECK(commits.submit("again"));
}

TEST_CASE("group commit: a queue full of bytes gives the write back, and one that still fits is taken") {
  World world;
  Commits commits(&world);
  commits.occupy();
  CHECK(commits.submit(
      "half", [] {}, kQueuedBytesMax / 2));
  CHECK_FALSE(commits.submit(
      "more than half", [] {}, kQueuedBytesMax / 2 + 1));
  CHECK(commits.submit(
      "small", [] {}, 100));
  world.open("commit");
}

TEST_CASE("group commit: one write is always taken, however large") {
  World world;
  {
    CHECK(Commits(&world).submit(
        "huge", [] {}, kQueuedBytesMax * 2));
  }
  CHECK(world.notes("finish") == "finish:huge=ok");
}

TEST_CASE("group commit: the bytes of what has been answered count no more") {
  World world;
  Commits commits(&world);
  for (int i = 0; i < 3; ++i) {
    const std::string name = std::to_string(i);
    REQUIRE(commits.submit(
        name, [] {}, kQueuedBytesMax));
    world.wait_for("finish:" + name + "=ok");
  }
  CHECK(world.count("committed") == 3);
}

TEST_CASE("group commit: destroying it while the database is locked waits for the lock no longer than the limit") {
  World world;
  world.on_begin = [&world] { world.be_busy(); };
  {
    Commits commits(&world);
    for (const char* name : {"a", "b"}) REQUIRE(commits.submit(name));
  }
  CHECK(world.count("finish:a=busy") + world.count("finish:b=busy") == 2);
}

}  // namespace
}  // namespace leadline
