// GET /healthz: the process lives. GET /readyz: the database answers and can be written. Neither says anything of the
// host.
#pragma once

#include "api/handler.h"

namespace leadline {

[[nodiscard]] Response get_health(const Context& context, const Request& request);
void get_readiness(const Context& context, Request* request, const Reply& reply);

}  // namespace leadline
