#include "base/http.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "base/config.h"
#include "base/json.h"

namespace leadline {
namespace {

constexpr std::size_t kHeadBytesExpected = 320;

std::string value_or_empty(const Variables& variables, const char* name) {
  const char* const value = variables(name);
  return value == nullptr ? std::string() : std::string(value);
}

// Where the program is reached under its own script name (/cgi-bin/leadline/webhooks/…), the path is what follows it.
std::string read_path(const Variables& variables) {
  const std::string script = value_or_empty(variables, "SCRIPT_NAME");
  const std::string info = value_or_empty(variables, "PATH_INFO");
  std::string uri = value_or_empty(variables, "REQUEST_URI");
  if (uri.empty()) return info.empty() ? script : info;
  uri.resize(std::min(uri.size(), uri.find('?')));
  const bool under_script = !info.empty() && !script.empty() && uri.starts_with(script + "/");
  return under_script ? uri.substr(script.size()) : uri;
}

// Without QUERY_STRING (a bare CGI call), the query is what REQUEST_URI says.
std::string read_query(const Variables& variables) {
  if (variables("QUERY_STRING") != nullptr) return variables("QUERY_STRING");
  const std::string uri = value_or_empty(variables, "REQUEST_URI");
  const std::size_t mark = uri.find('?');
  return mark == std::string::npos ? std::string() : uri.substr(mark + 1);
}

void read_content_length(const Variables& variables, Request* request) {
  const std::string text = value_or_empty(variables, "CONTENT_LENGTH");
  if (text.empty()) return;
  std::uint64_t length = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (stop != text.data() + text.size() || error == std::errc::invalid_argument) {
    request->length_valid = false;
    return;
  }
  // A number past 64 bits is a length like any other that is too long.
  request->content_length = error == std::errc() ? length : std::numeric_limits<std::uint64_t>::max();
}

}  // namespace

Response refusal(int status, std::string_view why) {
  Response response;
  response.status = status;
  JsonWriter json;
  json.begin_object().key("ok").boolean(false).key("error").text(why).end_object();
  response.body = json.take();
  if (status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  if (status == 503) response.headers.push_back({"Retry-After", std::to_string(kRetryAfterSeconds)});
  return response;
}

std::string_view reason_phrase(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 8> kPhrases = {{
      {200, "OK"},
      {201, "Created"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {413, "Content Too Large"},
      {503, "Service Unavailable"},
  }};
  for (const auto& [code, phrase] : kPhrases) {
    if (code == status) return phrase;
  }
  return "Internal Server Error";
}

Request read_request(const Variables& variables) {
  Request request;
  request.method = value_or_empty(variables, "REQUEST_METHOD");
  request.path = read_path(variables);
  request.query = read_query(variables);
  request.authorization = value_or_empty(variables, "HTTP_AUTHORIZATION");
  // Apache renames it where a rewrite rule led here.
  if (request.authorization.empty()) {
    request.authorization = value_or_empty(variables, "REDIRECT_HTTP_AUTHORIZATION");
  }
  request.api_key = value_or_empty(variables, "HTTP_X_API_KEY");
  request.request_id = value_or_empty(variables, "HTTP_X_REQUEST_ID");
  request.idempotency_key = value_or_empty(variables, "HTTP_IDEMPOTENCY_KEY");
  if (request.idempotency_key.empty()) request.idempotency_key = value_or_empty(variables, "HTTP_WEBHOOK_ID");
  read_content_length(variables, &request);
  return request;
}

std::string cgi_head(const Response& response) {
  std::string head;
  head.reserve(kHeadBytesExpected);
  head += "Status: ";
  head += std::to_string(response.status);
  head += ' ';
  head += reason_phrase(response.status);
  head += "\r\n";
  for (const Header& header : response.headers) {
    head += header.name;
    head += ": ";
    head += header.value;
    head += "\r\n";
  }
  head += "\r\n";
  return head;
}

}  // namespace leadline
