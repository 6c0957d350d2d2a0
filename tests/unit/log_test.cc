// The log's lines.
#include "base/log.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "support.h"

namespace leadline {
namespace {

// A log to a file of its own, at the tests' time.
struct Bench {
  TempDir dir;
  TestClock clock;
  TestLog log;
  explicit Bench(LogLevel least) : log(dir.file("log"), least, clock.clock()) {}
};

TEST_CASE("log: a message is one line of JSON with its time and level") {
  const Bench bench(LogLevel::kInfo);
  bench.log.log().message(LogLevel::kWarn, "look out");
  CHECK(bench.log.text() == "{\"time\":\"2026-03-05T10:00:00.000Z\",\"level\":\"warn\",\"message\":\"look out\"}\n");
}

TEST_CASE("log: lines go out together, in their order, with the next flush or message") {
  const Bench bench(LogLevel::kInfo);
  const auto write = [&bench](int number) {
    bench.log.log().write(LogLevel::kInfo, [number](JsonWriter* json) { json->key("n").number(number); });
  };
  const auto lines = [&bench] {
    const std::string text = bench.log.text_written();
    return std::count(text.begin(), text.end(), '\n');
  };
  write(1);
  write(2);
  CHECK(lines() == 0);
  bench.log.log().flush();
  CHECK(lines() == 2);
  write(3);
  bench.log.log().message(LogLevel::kInfo, "at once");
  CHECK(lines() == 4);
  const std::string text = bench.log.text();
  CHECK(text.find("\"n\":1") < text.find("\"n\":2"));
  CHECK(text.find("\"n\":3") < text.find("at once"));
}

TEST_CASE("log: lines that nobody flushes go out when they have become many") {
  const Bench bench(LogLevel::kInfo);
  for (int i = 0; i < 2'000; ++i) {
    bench.log.log().write(LogLevel::kInfo, [](JsonWriter* json) { json->key("n").number(1); });
  }
  CHECK(bench.log.text_written().size() > 64U << 10U);
}

TEST_CASE("log: fields follow time and level") {
  const Bench bench(LogLevel::kInfo);
  bench.log.log().write(LogLevel::kInfo,
                        [](JsonWriter* json) { json->key("status").number(200).key("ok").boolean(true); });
  CHECK(bench.log.text() == "{\"time\":\"2026-03-05T10:00:00.000Z\",\"level\":\"info\",\"status\":200,\"ok\":true}\n");
}

TEST_CASE("log: lines below the least level are dropped, those at it are not") {
  const Bench bench(LogLevel::kWarn);
  bench.log.log().message(LogLevel::kDebug, "debug");
  bench.log.log().message(LogLevel::kInfo, "info");
  CHECK(bench.log.text().empty());
  bench.log.log().message(LogLevel::kWarn, "warn");
  bench.log.log().message(LogLevel::kError, "error");
  const std::string text = bench.log.text();
  CHECK(text.find("\"level\":\"warn\"") != std::string::npos);
  CHECK(text.find("\"level\":\"error\"") != std::string::npos);
}

TEST_CASE("log: the fields of a dropped line are not even asked for") {
  const Bench bench(LogLevel::kError);
  bool asked = false;
  bench.log.log().write(LogLevel::kInfo, [&asked](JsonWriter*) { asked = true; });
  CHECK_FALSE(asked);
}

TEST_CASE("log: the debug level writes everything") {
  const Bench bench(LogLevel::kDebug);
  bench.log.log().message(LogLevel::kDebug, "x");
  CHECK(bench.log.text().find("\"level\":\"debug\"") != std::string::npos);
}

TEST_CASE("log: a line feed or a bad byte in a message does not break the line") {
  const Bench bench(LogLevel::kInfo);
  bench.log.log().message(LogLevel::kInfo, "a\nb\xFF");
  const std::string text = bench.log.text();
  CHECK(text.find('\n') == text.size() - 1);
  CHECK(text.find("a\\u000ab\xEF\xBF\xBD") != std::string::npos);
}

TEST_CASE("log: lines of several threads stay whole") {
  const Bench bench(LogLevel::kInfo);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&bench] {
      for (int j = 0; j < 200; ++j) bench.log.log().message(LogLevel::kInfo, std::string(300, 'x'));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = bench.log.text();
  std::size_t lines = 0;
  std::size_t broken = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos || scan_json(std::string_view(text).substr(at, end - at))) ++broken;
    ++lines;
    at = end == std::string::npos ? text.size() : end + 1;
  }
  CHECK(lines == 800);
  CHECK(broken == 0);
}

TEST_CASE("log: a descriptor that can't be written loses the line and nothing else") {
  TestClock clock;
  const Log log(LogLevel::kInfo, -1, clock.clock());
  CHECK_NOTHROW(log.message(LogLevel::kError, "lost"));
}

}  // namespace
}  // namespace leadline
