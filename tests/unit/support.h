// What several unit tests need: a directory that goes away, a clock that only moves when told to, a log to read.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>  // doctest prints string_views through it.
#include <stdexcept>
#include <string>

#include "base/clock.h"
#include "base/log.h"

namespace leadline {

class TempDir {
 public:
  TempDir() : path_((std::filesystem::temp_directory_path() / "leadline-unit-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp " + path_);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return path_ + '/' + name; }

 private:
  std::string path_;
};

inline std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline constexpr std::int64_t kTestWallMs = 1'772'704'800'000;  // 2026-03-05T10:00:00.000Z
inline constexpr const char* kTestTime = "2026-03-05T10:00:00.000Z";

struct TestClock {
  std::atomic<std::int64_t> wall_ms{kTestWallMs};
  std::atomic<std::int64_t> steady_us{0};

  [[nodiscard]] Clock clock() {
    return {[this] { return wall_ms.load(); }, [this] { return steady_us.load(); }};
  }
};

// A log that goes to a file.
class TestLog {
 public:
  TestLog(const std::string& path, LogLevel least, const Clock& clock)
      : path_(path),
        descriptor_(::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600)),
        log_(least, descriptor_, clock) {
    if (descriptor_ < 0) throw std::runtime_error("opening " + path);
  }
  ~TestLog() {
    log_.flush();
    ::close(descriptor_);
  }
  TestLog(const TestLog&) = delete;
  TestLog& operator=(const TestLog&) = delete;

  [[nodiscard]] const Log& log() const { return log_; }
  // All lines, those that wait for their flush too.
  [[nodiscard]] std::string text() const {
    log_.flush();
    return file_text(path_);
  }
  [[nodiscard]] std::string text_written() const { return file_text(path_); }

 private:
  const std::string path_;
  const int descriptor_;
  const Log log_;
};

}  // namespace leadline
