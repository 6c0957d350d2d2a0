#include "api/health.h"

#include "api/refusals.h"

namespace leadline {
namespace {

Response fine() {
  Response response;
  response.body = R"({"ok":true})";
  return response;
}

}  // namespace

Response get_health(const Context& /*context*/, const Request& /*request*/) { return fine(); }

// Writes, since a database that can be read may still be on a full or read-only disk. Probes share a transaction with
// whatever else waits, so that many cost little more than one.
void get_readiness(const Context& context, Request* /*request*/, const Reply& reply) {
  const bool taken = context.store->probe([reply](const Probed& probed) {
    reply(probed.outcome == Outcome::kCommitted ? fine() : refuse_not_ready(probed.outcome));
  });
  if (!taken) reply(refuse_full_queue());
}

}  // namespace leadline
