// Whether a request shows a secret: "Authorization: Bearer <secret>" (RFC 6750, section 2.1) or "X-API-Key: <secret>".
#pragma once

#include <string_view>

#include "base/http.h"

namespace leadline {

// True where either header holds `secret`, which must not be empty. Takes the same time for every wrong secret of one
// length, wherever it begins to differ.
[[nodiscard]] bool shows_secret(const Request& request, std::string_view secret);

}  // namespace leadline
