// Pages that were read before, for as long as nothing in the database changes: dashboards ask for the same ones again
// and again. Each reading connection has its own, since what a version means, one connection alone knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/config.h"

namespace leadline {

class PageCache {
 public:
  // The page kept under `name` at this version of the database, or null. Lives until the next keep().
  [[nodiscard]] const std::string* find(std::string_view name, std::int64_t version) const {
    const auto found = version == version_ ? pages_.find(name) : pages_.end();
    return found == pages_.end() ? nullptr : &found->second;
  }

  // Other versions' pages are forgotten, and all where there is no room.
  void keep(const std::string& name, const std::string& page, std::int64_t version) {
    const std::size_t bytes = name.size() + page.size();
    if (bytes > kPageCacheBytesMax) return;
    if (version != version_ || bytes_ + bytes > kPageCacheBytesMax) {
      pages_.clear();
      bytes_ = 0;
    }
    version_ = version;
    if (pages_.try_emplace(name, page).second) bytes_ += bytes;
  }

 private:
  std::int64_t version_ = 0;
  std::size_t bytes_ = 0;
  std::map<std::string, std::string, std::less<>> pages_;
};

}  // namespace leadline
