// A look at the database file past the seam, and other programs' writes to it: plain sqlite3, as PHP has it.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace leadline {

class RawDb {
 public:
  explicit RawDb(const std::string& path) : db_(nullptr, &sqlite3_close) {
    sqlite3* db = nullptr;
    const int code = sqlite3_open(path.c_str(), &db);
    db_.reset(db);
    if (code != SQLITE_OK) throw std::runtime_error("opening " + path);
    sqlite3_busy_timeout(db, 5'000);
    ask("PRAGMA synchronous=OFF");  // Whether these writes survive a power cut is no test's concern.
  }

  // Runs statements; what they return is given as lines of columns, joined by '|'.
  std::string ask(const std::string& sql) {
    std::string answer;
    const auto add_row = [](void* to, int count, char** values, char** /*names*/) {
      auto& out = *static_cast<std::string*>(to);
      if (!out.empty()) out += '\n';
      for (int i = 0; i < count; ++i) {
        if (i > 0) out += '|';
        out += values[i] == nullptr ? "NULL" : values[i];
      }
      return 0;
    };
    if (sqlite3_exec(db_.get(), sql.c_str(), add_row, &answer, nullptr) != SQLITE_OK) {
      throw std::runtime_error(std::string(sqlite3_errmsg(db_.get())) + ": " + sql);
    }
    return answer;
  }

 private:
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db_;
};

}  // namespace leadline
