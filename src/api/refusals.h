// How the store's failures are put to a client: the status and a text that says what to do, never the reason itself.
#pragma once

#include "base/http.h"
#include "store/db.h"
#include "store/group_commit.h"

namespace leadline {

// For a read or a write that failed at once.
[[nodiscard]] Response refuse_fault(Fault fault);

// For a write that was not committed.
[[nodiscard]] Response refuse_outcome(Outcome outcome);

// For a write that was not even taken.
[[nodiscard]] Response refuse_full_queue();

// For a search that would wait too long for its turn.
[[nodiscard]] Response refuse_search();

// For an id that no lead has, or that is none.
[[nodiscard]] Response refuse_unknown_lead();

// For a probe that was not committed.
[[nodiscard]] Response refuse_not_ready(Outcome outcome);

}  // namespace leadline
