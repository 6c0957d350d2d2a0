// Requests and responses as the rest of the house sees them, whichever gateway brought them in, and the one place
// where refusals are worded as JSON. Knows the CGI variables (RFC 3875), no sockets and no libfcgi.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leadline {

struct Request {
  std::string method;
  std::string path;   // As the client sent it: not decoded, slashes not merged.
  std::string query;  // What follows '?', not decoded.
  std::string id;     // What the route's ":id" stood for; set by the service.

  std::string authorization;
  std::string api_key;
  std::string request_id;       // The caller's, until the service has made sure of a good one.
  std::string idempotency_key;  // Idempotency-Key, else webhook-id.

  bool length_valid = true;                     // False: Content-Length is there and no number.
  std::optional<std::uint64_t> content_length;  // None: not said.
  std::string body;                             // Empty until it is read.

  std::int64_t begun_us = 0;  // Of the steady clock; set by the service.
};

struct Header {
  std::string_view name;  // A literal.
  std::string value;
};

// Every body is JSON. What the log says of an answer travels with it.
struct Response {
  int status = 200;
  std::string body;
  std::vector<Header> headers;

  std::optional<bool> stored;
  std::optional<std::int64_t> lead_id;
  std::string unmatched_crm_lead_id;
};

// {"ok":false,"error":why}, with the headers that `status` calls for (401, 503).
[[nodiscard]] Response refusal(int status, std::string_view why);

// The standard reason phrase (RFC 9110).
[[nodiscard]] std::string_view reason_phrase(int status);

// A CGI variable's value, or null where it is not set.
using Variables = std::function<const char*(const char* name)>;

// A request without its body, from the variables that CGI and FastCGI share. REQUEST_URI is preferred, since it alone
// is as the client sent it; without it PATH_INFO, else SCRIPT_NAME.
[[nodiscard]] Request read_request(const Variables& variables);

// A response's head in CGI form (RFC 3875, section 6.3): "Status: 200 OK", the headers and an empty line.
[[nodiscard]] std::string cgi_head(const Response& response);

enum class BodyRead { kWhole, kTooLong, kCutShort };

// One request and its way to be answered. Made by a gateway, which keeps it alive until it has been answered.
class Exchange {
 public:
  virtual ~Exchange() = default;

  // Reads the body into request.body; a body longer than `bytes_max` is refused before it is kept.
  [[nodiscard]] virtual BodyRead read_body(std::uint64_t bytes_max) = 0;

  // Answers; to be called exactly once, from any thread. The exchange must not be touched afterwards.
  virtual void send(const Response& response) = 0;

  Request request;
};

}  // namespace leadline
