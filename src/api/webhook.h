// POST /webhooks/crm/lead: judges an event's body and hands it to the store. Knows no secrets: the service has asked
// for them before the body was read.
#pragma once

#include <optional>
#include <string>

#include "api/handler.h"

namespace leadline {

// Reads an event out of a body. The event's payload is the body itself, unchanged. Where the body is none, returns none
// and sets `*why` to what the client should know.
[[nodiscard]] std::optional<Event> parse_event(std::string body, std::string* why);

void post_crm_event(const Context& context, Request* request, const Reply& reply);

}  // namespace leadline
