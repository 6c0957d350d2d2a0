// What every handler has in common: what it works on, and how it answers.
#pragma once

#include <functional>

#include "base/clock.h"
#include "base/http.h"
#include "store/store.h"

namespace leadline {

struct Context {
  Store* store;
  const Clock& clock;
};

// Answers a request; to be called once, from any thread.
using Reply = std::function<void(Response)>;

}  // namespace leadline
