#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace leadline {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "leadline: %s:%d: broken rule: %s\n", file, line, condition);
  std::abort();
}

}  // namespace leadline
