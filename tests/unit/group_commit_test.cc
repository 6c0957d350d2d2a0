// Group commit on a fake engine: what shares a transaction, what fails with whom, and when each is answered.
#include <doctest/doctest.h>

#include <new>
#include <string>
#include <thread>
#include <vector>

#include "group_commit_world.h"
#include "store/group_commit.h"

namespace leadline {
namespace {

TEST_CASE("group commit: a write is answered after its COMMIT has returned, not before") {
  World world;
  {
    Commits commits(&world);
    commits.occupy();
    CHECK(world.notes("finish").empty());
    world.open("commit");
  }
  CHECK(world.notes("finish") == "finish:first=ok");
  const std::string notes = world.notes();
  CHECK(notes.starts_with("begin apply:first shared:1 commit committed"));
  CHECK(notes.find("finish:first=ok") > notes.find("committed"));
}

TEST_CASE("group commit: writes that arrive while the disk is busy share the next transaction") {
  World world;
  {
    Commits commits(&world);
    commits.occupy();
    for (const char* name : {"a", "b", "c"}) REQUIRE(commits.submit(name));
    world.open("commit");
  }
  CHECK(world.count("begin") == 2);
  CHECK(world.count("committed") == 2);
  CHECK(world.count("rollback") == 0);
  CHECK(world.notes("finish") == "finish:first=ok finish:a=ok finish:b=ok finish:c=ok");
}

TEST_CASE("group commit: writes are applied in the order in which they came") {
  World world;
  {
    Commits commits(&world);
    commits.occupy();
    for (const char* name : {"b", "a", "c"}) REQUIRE(commits.submit(name));
    world.open("commit");
  }
  CHECK(world.notes("apply") == "apply:first apply:b apply:a apply:c");
}

TEST_CASE("group commit: a transaction takes at most its number of writes") {
  World world;
  {
    Commits commits(&world);
    commits.occupy();
    for (std::size_t i = 0; i < kGroupWritesMax + 1; ++i) REQUIRE(commits.submit("x"));
    world.open("commit");
  }
  CHECK(world.count("begin") == 3);
  CHECK(world.count("finish:x=ok") == kGroupWritesMax + 1);
}

TEST_CASE("group commit: a bad write fails alone, the others of its group are committed") {
  World world;
  {
    Commits commits(&world);
    commits.occupy();
    REQUIRE(commits.submit("a"));
    REQUIRE(commits.submit("bad", break_down));
    REQUIRE(commits.submit("c"));
    world.open("commit");
  }
  CHECK(world.notes("finish") == "finish:first=ok finish:a=ok finish:bad=failed finish:c=ok");
}

TEST_CASE("group commit: each failed attempt is rolled back before the next begins") {
  World world;
  {
    Commits commits(&world);
    commits.occupy();
    REQUIRE(commits.submit("bad", break_down));
    REQUIRE(commits.submit("c"));
    world.open("commit");
  }
  const std::string work = world.work();
  CHECK(work.find("begin apply:bad rollback complaint:broken begin apply:bad rollback") != std::string::npos);
  CHECK(world.count("begin") == world.count("committed") + world.count("rollback"));
}

TEST_CASE("group commit: a bad write that is alone is not tried twice") {
  World world;
  { REQUIRE(Commits(&world).submit("bad", break_down)); }
  CHECK(world.count("apply:bad") == 1);
  CHECK(world.notes("finish") == "finish:bad=failed");
}

TEST_CASE("group commit: what a transaction's writes gather is written once, before COMMIT, and anew at each attempt") {
  World world;
  {
    Commits commits(&world);
    commits.occupy();
    for (const char* name : {"a", "b"}) REQUIRE(commits.submit(name));
    REQUIRE(commits.submit("bad", break_down));
    world.open("commit");
  }
  CHECK(world.notes("shared") ==
        "shared:1 shared:1 shared:1");  // The first; then a and b each alone, after the bad one.
  CHECK(world.work().find("apply:b shared:1 commit") != std::string::npos);
}

TEST_CASE("group commit: the reason of a failure is handed on for the log") {
  World world;
  { REQUIRE(Commits(&world).submit("bad", break_down)); }
  CHECK(world.notes("complaint") == "complaint:broken");
}

TEST_CASE("group commit: memory that runs out in a write fails that write alone") {
  World world;
  {
    Commits commits(&world);
    commits.occupy();
    REQUIRE(commits.submit("huge", [] { throw std::bad_alloc(); }));
    REQUIRE(commits.submit("b"));
    world.open("commit");
  }
  CHECK(world.notes("finish") == "finish:first=ok finish:huge=failed finish:b=ok");
}

TEST_CASE("group commit: a failed COMMIT fails its whole group, and nothing of it is tried again") {
  World world;
  world.on_commit = [&world] {
    if (world.count("commit") == 2) break_down();
  };
  {
    Commits commits(&world);
    commits.occupy();
    for (const char* name : {"a", "b"}) REQUIRE(commits.submit(name));
    world.open("commit");
  }
  CHECK(world.notes("finish") == "finish:first=ok finish:a=failed finish:b=failed");
  CHECK(world.count("apply:a") == 1);
  CHECK(world.count("rollback") == 1);
}

TEST_CASE("group commit: after a failed COMMIT the next group is committed") {
  World world;
  world.on_commit = [&world] {
    if (world.count("commit") == 1) break_down();
  };
  {
    Commits commits(&world);
    commits.occupy();
    REQUIRE(commits.submit("b"));
    world.open("commit");
  }
  CHECK(world.notes("finish") == "finish:first=failed finish:b=ok");
}

TEST_CASE("group commit: the next group is committed while the last one is being answered") {
  World world;
  world.shut("finish:a");
  Commits commits(&world);
  REQUIRE(commits.submit("a"));
  world.wait_for("finish:a=ok");
  REQUIRE(commits.submit("b"));
  world.wait_for("apply:b");
  while (world.count("committed") < 2) std::this_thread::yield();
  CHECK(world.notes("finish") == "finish:a=ok");
  world.open("finish:a");
}

TEST_CASE("group commit: the house is kept between transactions, after a failure too") {
  World world;
  { REQUIRE(Commits(&world).submit("a")); }
  CHECK(world.notes().find("house") > world.notes().find("committed"));
  CHECK(world.count("house") == 1);
  World failing;
  { REQUIRE(Commits(&failing).submit("bad", break_down)); }
  CHECK(failing.count("house") == 1);
}

TEST_CASE("group commit: destroying it commits and answers what was submitted, each once") {
  World world;
  {
    Commits commits(&world);
    for (int i = 0; i < 500; ++i) REQUIRE(commits.submit(std::to_string(i)));
  }
  for (int i = 0; i < 500; ++i) {
    if (world.count("finish:" + std::to_string(i) + "=ok") != 1) FAIL_CHECK("not answered once: " << i);
  }
}

TEST_CASE("group commit: without writes nothing is begun") {
  World world;
  { const Commits commits(&world); }
  CHECK(world.notes().empty());
}

TEST_CASE("group commit: writes of many threads are all committed") {
  World world;
  {
    Commits commits(&world);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&commits] {
        for (int j = 0; j < 100; ++j) (void)commits.submit("x");
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(world.count("finish:x=ok") == 400);
}

}  // namespace
}  // namespace leadline
