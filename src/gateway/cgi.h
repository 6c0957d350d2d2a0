// Plain CGI (RFC 3875): one request from the environment and standard input, answered on standard output.
#pragma once

#include <functional>

#include "base/http.h"

namespace leadline {

// Whether the environment says that this process was started for one CGI request.
[[nodiscard]] bool is_cgi(const Variables& environment);

// Serves the one request and waits until it has been answered.
void serve_cgi(const Variables& environment, const std::function<void(Exchange*)>& serve);

// Answers the request without looking at it: for a program that can't start.
void answer_cgi(const Response& response);

}  // namespace leadline
