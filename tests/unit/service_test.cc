// The service: the order of its checks, the headers of its answers, and its log line, on an exchange without a gateway.
#include "api/service.h"

#include <doctest/doctest.h>

#include <future>
#include <set>
#include <string>

#include "api/refusals.h"
#include "raw_db.h"
#include "support.h"

namespace leadline {
namespace {

constexpr const char* kSecret = "s3cret-of-the-crm";
constexpr const char* kGoodBody = R"({"crm_lead_id":"crm-1","note":"private words"})";
constexpr const char* kPath = "/webhooks/crm/lead";

class FakeExchange final : public Exchange {
 public:
  [[nodiscard]] BodyRead read_body(std::uint64_t bytes_max) override {
    ++reads;
    if (cut_short) return BodyRead::kCutShort;
    if (sent_body.size() > bytes_max) return BodyRead::kTooLong;
    request.body = sent_body;
    return BodyRead::kWhole;
  }
  void send(const Response& response) override { answer_.set_value(response); }

  Response wait() { return answer_.get_future().get(); }

  std::string sent_body = kGoodBody;
  bool cut_short = false;
  int reads = 0;

 private:
  std::promise<Response> answer_;  // Throws where it is set twice.
};

// A service on a database of its own.
struct Bench {
  TempDir dir;
  const std::string path = dir.file("leads.db");
  TestClock clock;
  TestLog log{dir.file("log"), LogLevel::kInfo, clock.clock()};
  Config config = make_config();
  Store store{"sqlite:" + path, clock.clock(), log.log()};
  Service service{config, &store, log.log(), {clock.clock(), [] { return std::string("fresh-id"); }}};

  static Config make_config() {
    Config config;
    config.webhook_secret = kSecret;
    config.analytics_key = "k3y-of-the-analysts";
    return config;
  }

  // A good POST, for a test to spoil.
  static void make_good(FakeExchange* exchange) {
    exchange->request.method = "POST";
    exchange->request.path = kPath;
    exchange->request.authorization = std::string("Bearer ") + kSecret;
  }

  Response serve(FakeExchange* exchange) {
    service.serve(exchange);
    return exchange->wait();
  }

  // A good POST after `spoil` has changed it.
  Response post(const std::function<void(FakeExchange*)>& spoil = [](FakeExchange*) {}) {
    FakeExchange exchange;
    make_good(&exchange);
    spoil(&exchange);
    return serve(&exchange);
  }

  std::string ask(const std::string& sql) const { return RawDb(path).ask(sql); }
};

std::string header_of(const Response& response, std::string_view name) {
  std::string value = "(none)";
  for (const Header& header : response.headers) {
    if (header.name != name) continue;
    CHECK(value == "(none)");  // Given once.
    value = header.value;
  }
  return value;
}

TEST_CASE("service: an event that matches is answered with its lead") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Id, CrmLeadId) VALUES (123, 'crm-1')");
  const Response response = bench.post();
  CHECK(response.status == 200);
  CHECK(response.body == R"({"ok":true,"stored":true,"lead_id":123})");
  CHECK(bench.ask("SELECT PayloadJson, ReceivedAt FROM LeadCrmActivity") == std::string(kGoodBody) + "|" + kTestTime);
}

TEST_CASE("service: an event without a match is answered so that it is not sent again") {
  Bench bench;
  const Response response = bench.post();
  CHECK(response.status == 200);
  CHECK(response.body == R"({"ok":true,"stored":false,"reason":"No matching lead or submission for crm_lead_id"})");
  CHECK(bench.ask("SELECT CrmLeadId FROM UnmatchedCrmEvents") == "crm-1");
}

TEST_CASE("service: X-API-Key is as good as a bearer token") {
  Bench bench;
  const Response response = bench.post([](FakeExchange* exchange) {
    exchange->request.authorization.clear();
    exchange->request.api_key = kSecret;
  });
  CHECK(response.status == 200);
}

// --- The order of the checks: 404, 405, 503, 401, 413, 400. Each request here is wrong in every later way too. ---

void be_wrong_in_all(FakeExchange* exchange) {
  exchange->request.path = "/webhooks/crm/leads";
  exchange->request.method = "PUT";
  exchange->request.authorization = "Bearer wrong";
  exchange->sent_body = std::string(kBodyBytesDefault + 1, 'x');
}

TEST_CASE("service: an unknown path is 404 before anything else is looked at") {
  Bench bench;
  bench.config.webhook_secret.clear();
  CHECK(bench.post(be_wrong_in_all).status == 404);
}

TEST_CASE("service: another method is 405 before the secret is looked at, and Allow names the right one") {
  Bench bench;
  bench.config.webhook_secret.clear();
  const Response response = bench.post([](FakeExchange* exchange) {
    be_wrong_in_all(exchange);
    exchange->request.path = kPath;
  });
  CHECK(response.status == 405);
  CHECK(header_of(response, "Allow") == "POST");
}

TEST_CASE("service: without a configured secret it is 503 before the sent one is looked at") {
  Bench bench;
  bench.config.webhook_secret.clear();
  const Response response = bench.post([](FakeExchange* exchange) {
    be_wrong_in_all(exchange);
    exchange->request.path = kPath;
    exchange->request.method = "POST";
  });
  CHECK(response.status == 503);
  CHECK(std::stoi(header_of(response, "Retry-After")) > 0);
}

TEST_CASE("service: a wrong secret gets 401 before the body is read") {
  Bench bench;
  FakeExchange exchange;
  be_wrong_in_all(&exchange);
  exchange.request.path = kPath;
  exchange.request.method = "POST";
  const Response response = bench.serve(&exchange);
  CHECK(response.status == 401);
  CHECK(header_of(response, "WWW-Authenticate") == "Bearer");
  CHECK(exchange.reads == 0);
}

TEST_CASE("service: a missing secret gets 401, and so does the analysts' key") {
  Bench bench;
  CHECK(bench.post([](FakeExchange* exchange) { exchange->request.authorization.clear(); }).status == 401);
  CHECK(bench.post([](FakeExchange* exchange) { exchange->request.authorization = "Bearer k3y-of-the-analysts"; })
            .status == 401);
}

TEST_CASE("service: a wrong secret with a bad Content-Length is still 401") {
  Bench bench;
  const Response response = bench.post([](FakeExchange* exchange) {
    exchange->request.authorization = "Bearer wrong";
    exchange->request.length_valid = false;
  });
  CHECK(response.status == 401);
}

TEST_CASE("service: a body over the limit is 413 before its JSON is judged") {
  Bench bench;
  const Response response =
      bench.post([](FakeExchange* exchange) { exchange->sent_body = std::string(kBodyBytesDefault + 1, 'x'); });
  CHECK(response.status == 413);
}

TEST_CASE("service: a body of just the limit is accepted") {
  Bench bench;
  const Response response = bench.post([](FakeExchange* exchange) {
    exchange->sent_body.insert(1, std::string(kBodyBytesDefault - exchange->sent_body.size(), ' '));
  });
  CHECK(response.status == 200);
  CHECK(bench.ask("SELECT length(PayloadJson) FROM UnmatchedCrmEvents") == "1048576");
}

TEST_CASE("service: the limit is the setting's") {
  Bench bench;
  bench.config.body_bytes_max = 10;
  const Response response = bench.post();
  CHECK(response.status == 413);
  CHECK(response.body.find("10 bytes") != std::string::npos);
}

TEST_CASE("service: bad JSON is 400 with the reason, and nothing is stored") {
  Bench bench;
  const Response response = bench.post([](FakeExchange* exchange) { exchange->sent_body = "{\"crm_lead_id\":}"; });
  CHECK(response.status == 400);
  CHECK(response.body == R"({"ok":false,"error":"invalid JSON at byte 15: expected a value"})");
  CHECK(bench.ask("SELECT count(*) FROM UnmatchedCrmEvents") == "0");
}

TEST_CASE("service: a body shorter than announced is 400, and nothing is stored") {
  Bench bench;
  CHECK(bench.post([](FakeExchange* exchange) { exchange->cut_short = true; }).status == 400);
  CHECK(bench.ask("SELECT count(*) FROM UnmatchedCrmEvents") == "0");
}

TEST_CASE("service: a Content-Length that is no number is 400") {
  Bench bench;
  CHECK(bench.post([](FakeExchange* exchange) { exchange->request.length_valid = false; }).status == 400);
}

TEST_CASE("service: paths are matched byte for byte") {
  Bench bench;
  for (const char* path : {"", "/", "/webhooks/crm/lead/", "//webhooks/crm/lead", "/webhooks//crm/lead",
                           "/Webhooks/crm/lead", "/webhooks/crm/%6cead", "webhooks/crm/lead", "/webhooks/crm/lead2"}) {
    CAPTURE(path);
    CHECK(bench.post([path](FakeExchange* exchange) { exchange->request.path = path; }).status == 404);
  }
}

TEST_CASE("service: methods are matched byte for byte") {
  Bench bench;
  for (const char* method : {"", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post", "POST "}) {
    CAPTURE(method);
    CHECK(bench.post([method](FakeExchange* exchange) { exchange->request.method = method; }).status == 405);
  }
}

// --- Answers. ---

TEST_CASE("service: every answer has the contract's headers, whatever its status") {
  Bench bench;
  const std::vector<std::function<void(FakeExchange*)>> spoilers = {
      [](FakeExchange*) {},
      [](FakeExchange* exchange) { exchange->request.path = "/x"; },
      [](FakeExchange* exchange) { exchange->request.method = "GET"; },
      [](FakeExchange* exchange) { exchange->request.authorization.clear(); },
      [](FakeExchange* exchange) { exchange->sent_body.resize(kBodyBytesDefault + 1); },
      [](FakeExchange* exchange) { exchange->sent_body = "[]"; },
  };
  std::set<int> statuses;
  for (const auto& spoil : spoilers) {
    const Response response = bench.post(spoil);
    statuses.insert(response.status);
    CAPTURE(response.status);
    CHECK(header_of(response, "Content-Type") == "application/json; charset=utf-8");
    CHECK(header_of(response, "Cache-Control") == "no-store");
    CHECK(header_of(response, "X-Content-Type-Options") == "nosniff");
    CHECK(header_of(response, "X-Request-Id") == "fresh-id");
    CHECK(header_of(response, "Content-Length") == std::to_string(response.body.size()));
    CHECK_FALSE(scan_json(response.body).has_value());
  }
  CHECK(statuses == std::set<int>{200, 400, 401, 404, 405, 413});
}

TEST_CASE("service: a good request id is the caller's") {
  Bench bench;
  for (const std::string& id : {std::string("a"), std::string("AZaz09._-"), std::string(128, 'x')}) {
    const Response response = bench.post([&id](FakeExchange* exchange) { exchange->request.request_id = id; });
    CHECK(header_of(response, "X-Request-Id") == id);
  }
}

TEST_CASE("service: another request id is replaced by a fresh one") {
  Bench bench;
  for (const std::string& id :
       {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a\r\nSet-Cookie: x"), std::string("a/b"),
        std::string("caf\xC3\xA9"), std::string(1, '\0'), std::string("\"")}) {
    const Response response = bench.post([&id](FakeExchange* exchange) { exchange->request.request_id = id; });
    CHECK(header_of(response, "X-Request-Id") == "fresh-id");
  }
}

TEST_CASE("service: fresh ids are 32 hexadecimal digits, and none is given twice") {
  RandomIds ids;
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) {
    const std::string id = ids.next();
    if (id.size() != 32 || id.find_first_not_of("0123456789abcdef") != std::string::npos) FAIL("no good id: " << id);
    seen.insert(id);
  }
  CHECK(seen.size() == 1'000);
  CHECK(RandomIds().next() != RandomIds().next());
}

TEST_CASE("service: HEAD is answered as GET is, without the body") {
  Bench bench;
  const auto ask = [&bench](const std::string& method) {
    FakeExchange exchange;
    exchange.request.method = method;
    exchange.request.path = "/analytics/leads";
    exchange.request.api_key = "k3y-of-the-analysts";
    return bench.serve(&exchange);
  };
  const Response get = ask("GET");
  const Response head = ask("HEAD");
  CHECK(get.status == 200);
  CHECK(head.status == 200);
  CHECK_FALSE(get.body.empty());
  CHECK(head.body.empty());
  CHECK(header_of(head, "Content-Length") == std::to_string(get.body.size()));
}

TEST_CASE("service: HEAD on the webhook is 405 without a body, as long as the one that GET would have had") {
  Bench bench;
  const Response head = bench.post([](FakeExchange* exchange) { exchange->request.method = "HEAD"; });
  CHECK(head.status == 405);
  CHECK(head.body.empty());
  CHECK(std::stoi(header_of(head, "Content-Length")) > 0);
}

TEST_CASE("service: the analysts' routes take their key, and not the webhook's secret") {
  Bench bench;
  const auto status_with = [&bench](const std::string& key) {
    FakeExchange exchange;
    exchange.request.method = "GET";
    exchange.request.path = "/analytics/leads";
    exchange.request.authorization = "Bearer " + key;
    return bench.serve(&exchange).status;
  };
  CHECK(status_with("k3y-of-the-analysts") == 200);
  CHECK(status_with(kSecret) == 401);
  bench.config.analytics_key.clear();
  CHECK(status_with("k3y-of-the-analysts") == 503);
}

// --- When the store will not. ---

TEST_CASE("service: a database error is 500, its reason logged and not sent") {
  Bench bench;
  bench.ask("CREATE TRIGGER Refuse BEFORE INSERT ON UnmatchedCrmEvents BEGIN SELECT RAISE(ABORT, 'the reason'); END");
  const Response response = bench.post();
  CHECK(response.status == 500);
  CHECK(response.body == R"({"ok":false,"error":"Database error"})");
  CHECK(bench.log.text().find("the reason") != std::string::npos);
  CHECK(bench.ask("SELECT count(*) FROM UnmatchedCrmEvents") == "0");
}

TEST_CASE("service: a full queue is 503 with Retry-After") {
  Bench bench;
  RawDb other(bench.path);
  other.ask("BEGIN IMMEDIATE");
  Event event;
  event.crm_lead_id = "filler";
  event.payload = "{}";
  event.event_type = "updated";
  event.received_at = kTestTime;
  while (bench.store.append(event, [](const Appended&) {})) {
  }
  const Response response = bench.post();
  other.ask("COMMIT");
  CHECK(response.status == 503);
  CHECK(std::stoi(header_of(response, "Retry-After")) > 0);
}

TEST_CASE("service: each fault of the store has its status, and a retryable one says when") {
  CHECK(refuse_outcome(Outcome::kFailed).status == 500);
  CHECK(refuse_outcome(Outcome::kBusy).status == 503);
  CHECK(refuse_fault(Fault::kFailed).status == 500);
  CHECK(header_of(refuse_fault(Fault::kFailed), "Retry-After") == "(none)");
  for (const Fault fault : {Fault::kBusy, Fault::kDeadline}) {
    CHECK(refuse_fault(fault).status == 503);
    CHECK(std::stoi(header_of(refuse_fault(fault), "Retry-After")) > 0);
  }
}

// --- The log. ---

TEST_CASE("service: a request is one log line, with what the contract of the log names") {
  Bench bench;
  bench.ask("INSERT INTO Leads (Id, CrmLeadId) VALUES (7, 'crm-1')");
  bench.post();
  CHECK(bench.log.text() ==
        "{\"time\":\"2026-03-05T10:00:00.000Z\",\"level\":\"info\",\"id\":\"fresh-id\",\"method\":\"POST\","
        "\"path\":\"/webhooks/crm/lead\",\"status\":200,\"stored\":true,\"lead\":7,\"ms\":0.0}\n");
}

TEST_CASE("service: an unmatched event is logged with its crm_lead_id") {
  Bench bench;
  bench.post();
  CHECK(bench.log.text().find("\"stored\":false,\"crm_lead_id\":\"crm-1\"") != std::string::npos);
}

TEST_CASE("service: no log line holds a secret, a payload or a query, whatever the answer") {
  Bench bench;
  bench.post();
  bench.post([](FakeExchange* exchange) { exchange->request.authorization = "Bearer nearly-s3cret"; });
  bench.post([](FakeExchange* exchange) { exchange->sent_body = "{\"private words\":"; });
  bench.post([](FakeExchange* exchange) { exchange->request.query = "key=in-the-query"; });
  const std::string text = bench.log.text();
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
  for (const char* hidden : {kSecret, "s3cret", "private", "in-the-query", "Bearer"}) {
    CAPTURE(hidden);
    CHECK(text.find(hidden) == std::string::npos);
  }
}

TEST_CASE("service: a long path or crm_lead_id does not make a long log line") {
  Bench bench;
  const std::string long_text(100'000, 'x');
  SUBCASE("path") {
    bench.post([&long_text](FakeExchange* exchange) { exchange->request.path = "/" + long_text; });
  }
  SUBCASE("crm_lead_id") {
    bench.post(
        [&long_text](FakeExchange* exchange) { exchange->sent_body = "{\"crm_lead_id\":\"" + long_text + "\"}"; });
  }
  const std::string text = bench.log.text();
  CHECK(text.size() < 4'096);  // PIPE_BUF: what one write(2) into a pipe keeps together.
  CHECK_FALSE(scan_json(text).has_value());
}

TEST_CASE("service: answers of 500 and above are logged as errors, others are not") {
  Bench bench;
  bench.post([](FakeExchange* exchange) { exchange->sent_body = "{}"; });
  CHECK(bench.log.text().find("\"level\":\"error\"") == std::string::npos);
  bench.config.webhook_secret.clear();
  bench.post();
  CHECK(bench.log.text().find("\"level\":\"error\"") != std::string::npos);
}

}  // namespace
}  // namespace leadline
