// Requests out of CGI variables, responses into CGI form.
#include "base/http.h"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <string>

#include "support.h"

namespace leadline {
namespace {

using Set = std::map<std::string, std::string>;

Request request_of(const Set& set) {
  return read_request([&set](const char* name) -> const char* {
    const auto found = set.find(name);
    return found == set.end() ? nullptr : found->second.c_str();
  });
}

std::string header_of(const Response& response, std::string_view name) {
  for (const Header& header : response.headers) {
    if (header.name == name) return header.value;
  }
  return "(none)";
}

TEST_CASE("http: the request's parts come from their variables") {
  const Request request = request_of({{"REQUEST_METHOD", "POST"},
                                      {"REQUEST_URI", "/webhooks/crm/lead?a=1"},
                                      {"QUERY_STRING", "a=1"},
                                      {"HTTP_AUTHORIZATION", "Bearer x"},
                                      {"HTTP_X_API_KEY", "y"},
                                      {"HTTP_X_REQUEST_ID", "z"},
                                      {"CONTENT_LENGTH", "12"}});
  CHECK(request.method == "POST");
  CHECK(request.path == "/webhooks/crm/lead");
  CHECK(request.query == "a=1");
  CHECK(request.authorization == "Bearer x");
  CHECK(request.api_key == "y");
  CHECK(request.request_id == "z");
  CHECK(request.length_valid);
  CHECK(request.content_length == 12);
}

TEST_CASE("http: without variables everything is empty and nothing is invalid") {
  const Request request = request_of({});
  CHECK(request.method.empty());
  CHECK(request.path.empty());
  CHECK(request.query.empty());
  CHECK(request.authorization.empty());
  CHECK(request.length_valid);
  CHECK_FALSE(request.content_length.has_value());
}

TEST_CASE("http: the path is the client's, neither decoded nor cleaned") {
  CHECK(request_of({{"REQUEST_URI", "//webhooks/%63rm/../lead/"}, {"PATH_INFO", "/lead"}}).path ==
        "//webhooks/%63rm/../lead/");
}

TEST_CASE("http: the path ends at the first question mark") {
  CHECK(request_of({{"REQUEST_URI", "/a?b?c=/d"}}).path == "/a");
}

TEST_CASE("http: under a script's name the path is what follows it") {
  CHECK(request_of({{"REQUEST_URI", "/cgi-bin/leadline/webhooks/crm/lead?x"},
                    {"SCRIPT_NAME", "/cgi-bin/leadline"},
                    {"PATH_INFO", "/webhooks/crm/lead"}})
            .path == "/webhooks/crm/lead");
}

TEST_CASE("http: a script's name that is only the beginning of a word is not cut off") {
  CHECK(request_of({{"REQUEST_URI", "/webhooks/crm/lead"}, {"SCRIPT_NAME", "/web"}, {"PATH_INFO", "/x"}}).path ==
        "/webhooks/crm/lead");
}

TEST_CASE("http: where SCRIPT_NAME is the whole path, as nginx sends it, the path stays whole") {
  CHECK(request_of({{"REQUEST_URI", "/webhooks/crm/lead"}, {"SCRIPT_NAME", "/webhooks/crm/lead"}, {"PATH_INFO", ""}})
            .path == "/webhooks/crm/lead");
}

TEST_CASE("http: without REQUEST_URI the path is PATH_INFO, else SCRIPT_NAME") {
  CHECK(request_of({{"SCRIPT_NAME", "/cgi-bin/leadline"}, {"PATH_INFO", "/a"}}).path == "/a");
  CHECK(request_of({{"SCRIPT_NAME", "/webhooks/crm/lead"}}).path == "/webhooks/crm/lead");
}

TEST_CASE("http: without QUERY_STRING the query is REQUEST_URI's") {
  CHECK(request_of({{"REQUEST_URI", "/a?b=c?d"}}).query == "b=c?d");
  CHECK(request_of({{"REQUEST_URI", "/a"}}).query.empty());
}

TEST_CASE("http: an empty QUERY_STRING is an empty query, whatever REQUEST_URI holds") {
  CHECK(request_of({{"REQUEST_URI", "/a?b"}, {"QUERY_STRING", ""}}).query.empty());
}

TEST_CASE("http: Apache's REDIRECT_HTTP_AUTHORIZATION is read where the plain one is not there") {
  CHECK(request_of({{"REDIRECT_HTTP_AUTHORIZATION", "Bearer r"}}).authorization == "Bearer r");
  CHECK(request_of({{"HTTP_AUTHORIZATION", "Bearer h"}, {"REDIRECT_HTTP_AUTHORIZATION", "Bearer r"}}).authorization ==
        "Bearer h");
}

TEST_CASE("http: an empty CONTENT_LENGTH is none") {
  const Request request = request_of({{"CONTENT_LENGTH", ""}});
  CHECK(request.length_valid);
  CHECK_FALSE(request.content_length.has_value());
}

TEST_CASE("http: a CONTENT_LENGTH of 0 is said, not absent") {
  CHECK(request_of({{"CONTENT_LENGTH", "0"}}).content_length == 0);
}

TEST_CASE("http: a CONTENT_LENGTH that is no number is invalid") {
  for (const char* text : {"-1", "+1", " 1", "1 ", "1x", "x", "0x10", "1.5", "1,1", "99999999999999999999999999x"}) {
    CAPTURE(text);
    CHECK_FALSE(request_of({{"CONTENT_LENGTH", text}}).length_valid);
  }
}

TEST_CASE("http: a CONTENT_LENGTH past 64 bits is a valid one that is too long") {
  const Request request = request_of({{"CONTENT_LENGTH", "99999999999999999999999999"}});
  CHECK(request.length_valid);
  CHECK(request.content_length == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("http: a refusal is the contract's JSON") {
  const Response response = refusal(400, "it is \"wrong\"");
  CHECK(response.status == 400);
  CHECK(response.body == R"({"ok":false,"error":"it is \"wrong\""})");
  CHECK(response.headers.empty());
}

TEST_CASE("http: a 401 says which scheme is wanted") {
  CHECK(header_of(refusal(401, "no"), "WWW-Authenticate") == "Bearer");
}

TEST_CASE("http: a 503 says when to come again, in whole seconds") {
  const std::string seconds = header_of(refusal(503, "no"), "Retry-After");
  CHECK(seconds.find_first_not_of("0123456789") == std::string::npos);
  CHECK(std::stoi(seconds) > 0);
}

TEST_CASE("http: other refusals have neither header") {
  for (const int status : {400, 404, 405, 413, 500}) {
    CAPTURE(status);
    CHECK(header_of(refusal(status, "no"), "WWW-Authenticate") == "(none)");
    CHECK(header_of(refusal(status, "no"), "Retry-After") == "(none)");
  }
}

TEST_CASE("http: each status of the contract has its reason phrase") {
  CHECK(reason_phrase(200) == "OK");
  CHECK(reason_phrase(400) == "Bad Request");
  CHECK(reason_phrase(401) == "Unauthorized");
  CHECK(reason_phrase(404) == "Not Found");
  CHECK(reason_phrase(405) == "Method Not Allowed");
  CHECK(reason_phrase(413) == "Content Too Large");
  CHECK(reason_phrase(500) == "Internal Server Error");
  CHECK(reason_phrase(503) == "Service Unavailable");
}

TEST_CASE("http: a head in CGI form is the status, the headers in order and an empty line") {
  Response response;
  response.status = 413;
  response.headers.push_back({"A", "1"});
  response.headers.push_back({"B", "2"});
  CHECK(cgi_head(response) == "Status: 413 Content Too Large\r\nA: 1\r\nB: 2\r\n\r\n");
}

}  // namespace
}  // namespace leadline
