#include "api/refusals.h"

#include <string>

#include "base/check.h"
#include "base/config.h"

namespace leadline {

Response refuse_fault(Fault fault) {
  switch (fault) {
    case Fault::kBusy:
      return refusal(503, "The database is locked; try again later");
    case Fault::kDeadline:
      return refusal(503, "The search for q took longer than " + std::to_string(kSearchSeconds) + " s");
    case Fault::kFailed:
      break;
  }
  return refusal(500, "Database error");
}

Response refuse_outcome(Outcome outcome) {
  CHECK(outcome != Outcome::kCommitted);
  return refuse_fault(outcome == Outcome::kBusy ? Fault::kBusy : Fault::kFailed);
}

Response refuse_full_queue() { return refusal(503, "Too many writes wait for the disk; try again later"); }

Response refuse_search() { return refusal(503, "Too many searches for q wait; try again later"); }

Response refuse_unknown_lead() { return refusal(404, "No lead with this id"); }

Response refuse_not_ready(Outcome outcome) {
  if (outcome == Outcome::kBusy) return refuse_outcome(outcome);
  return refusal(503, "The database can't be written");
}

}  // namespace leadline
