#include "api/service.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>
#include <variant>

#include "api/auth.h"
#include "api/health.h"
#include "api/intake.h"
#include "api/leads.h"
#include "api/refusals.h"
#include "api/webhook.h"

namespace leadline {
namespace {

constexpr std::size_t kHeadersMost = 7;  // The five of every answer, and two that a refusal may add.

enum class Key { kNone, kWebhook, kAnalytics };

using Reader = Service::ReadHandler;
using Writer = void (*)(const Context& context, Request* request, const Reply& reply);

struct Route {
  std::string_view method;
  std::string_view path;  // ":id" stands for one segment.
  Key key;
  std::variant<Reader, Writer> handler;  // A writer is answered later; its request may have a body.
  bool (*is_slow)(const Request& request) = nullptr;
};

// A literal path stands before a pattern that it would match too.
constexpr std::array kRoutes = {
    Route{"POST", "/webhooks/crm/lead", Key::kWebhook, Writer{post_crm_event}},
    Route{"GET", "/analytics/leads", Key::kAnalytics, Reader{list_leads}, is_search},
    Route{"POST", "/analytics/leads", Key::kAnalytics, Writer{post_lead}},
    Route{"GET", "/analytics/leads/projects", Key::kAnalytics, Reader{list_projects}},
    Route{"GET", "/analytics/leads/sources", Key::kAnalytics, Reader{list_sources}},
    Route{"GET", "/analytics/leads/unmatched", Key::kAnalytics, Reader{list_unmatched}},
    Route{"GET", "/analytics/leads/summary", Key::kAnalytics, Reader{get_summary}},
    Route{"GET", "/analytics/leads/:id", Key::kAnalytics, Reader{get_lead}},
    Route{"PATCH", "/analytics/leads/:id", Key::kAnalytics, Writer{patch_lead}},
    Route{"GET", "/healthz", Key::kNone, Reader{get_health}},
    Route{"GET", "/readyz", Key::kNone, Writer{get_readiness}},
};

// Whether `path` is the route's; `*id` gets what ":id" stands for.
bool matches(std::string_view pattern, std::string_view path, std::string* id) {
  const std::size_t variable = pattern.find(":id");
  if (variable == std::string_view::npos) return pattern == path;
  const std::string_view before = pattern.substr(0, variable);
  const std::string_view after = pattern.substr(variable + 3);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after)) return false;
  const std::string_view segment = path.substr(before.size(), path.size() - before.size() - after.size());
  *id = segment;
  return segment.find('/') == std::string_view::npos;
}

struct Found {
  const Route* route = nullptr;  // Null where no route has the path, or none the method.
  std::string allow;             // The path's methods; empty where no route has the path.
};

Found find_route(Request* request) {
  Found found;
  std::string_view path;  // The first that matches hides the others.
  const std::string_view method = request->method == "HEAD" ? "GET" : std::string_view(request->method);
  for (const Route& route : kRoutes) {
    if (path.empty() ? !matches(route.path, request->path, &request->id) : route.path != path) continue;
    path = route.path;
    if (route.method == method) found.route = &route;
    found.allow += (found.allow.empty() ? "" : ", ") + std::string(route.method);
    if (route.method == "GET") found.allow += ", HEAD";
  }
  return found;
}

Response refuse_method(const std::string& allow) {
  Response response = refusal(405, "Method not allowed");
  response.headers.push_back({"Allow", allow});
  return response;
}

bool is_good_request_id(std::string_view id) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return !id.empty() && id.size() <= kRequestIdBytesMax && std::all_of(id.begin(), id.end(), good);
}

Response refuse_body(BodyRead read, std::uint64_t bytes_max) {
  if (read == BodyRead::kCutShort) return refusal(400, "the body is shorter than Content-Length");
  return refusal(413, "the body is longer than " + std::to_string(bytes_max) + " bytes");
}

}  // namespace

std::vector<std::pair<std::string, std::string>> routes() {
  std::vector<std::pair<std::string, std::string>> names;
  names.reserve(kRoutes.size());
  for (const Route& route : kRoutes) names.emplace_back(route.method, route.path);
  return names;
}

RandomIds::RandomIds() {
  std::random_device random;
  const auto draw = [&random] { return (static_cast<std::uint64_t>(random()) << 32U) | random(); };
  prefix_ = draw();
  count_ = draw();
}

std::string RandomIds::next() {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string text(32, '0');
  const std::array<std::uint64_t, 2> halves = {prefix_, count_.fetch_add(1, std::memory_order_relaxed)};
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = kHex[halves[i / 16] >> (60 - i % 16 * 4) & 0xFU];
  return text;
}

void ensure_request_id(const std::function<std::string()>& next_id, Request* request) {
  if (!is_good_request_id(request->request_id)) request->request_id = next_id();
}

void complete_response(const Request& request, Response* response) {
  response->headers.reserve(kHeadersMost);
  response->headers.push_back({"Content-Type", "application/json; charset=utf-8"});
  response->headers.push_back({"Content-Length", std::to_string(response->body.size())});
  response->headers.push_back({"Cache-Control", "no-store"});
  response->headers.push_back({"X-Content-Type-Options", "nosniff"});
  response->headers.push_back({"X-Request-Id", request.request_id});
  if (request.method == "HEAD") response->body.clear();
}

Service::Service(const Config& config, Store* store, const Log& log, TimeAndChance ambient)
    : config_(config),
      store_(store),
      log_(log),
      clock_(std::move(ambient.clock)),
      next_id_(std::move(ambient.next_id)) {}

void Service::serve(Exchange* exchange) {
  Request& request = exchange->request;
  request.begun_us = clock_.steady_us();
  ensure_request_id(next_id_, &request);
  route(exchange);
}

void Service::route(Exchange* exchange) {
  Request& request = exchange->request;
  const Found found = find_route(&request);
  if (found.allow.empty()) return answer(exchange, refusal(404, "Not found"));
  if (found.route == nullptr) return answer(exchange, refuse_method(found.allow));
  const Route& route = *found.route;
  const std::string& secret = route.key == Key::kWebhook ? config_.webhook_secret : config_.analytics_key;
  if (route.key != Key::kNone && secret.empty()) {
    return answer(exchange, refusal(503, route.key == Key::kWebhook ? "CRM webhook secret not configured"
                                                                    : "Analytics API key not configured"));
  }
  if (route.key != Key::kNone && !shows_secret(request, secret)) {
    return answer(exchange, refusal(401, "Missing or invalid secret"));
  }
  if (const Reader* const reader = std::get_if<Reader>(&route.handler)) {
    if (route.is_slow == nullptr || !route.is_slow(request)) return read(exchange, *reader);
    const bool taken = slow_lane_.run([this, exchange, reader = *reader] {
      read(exchange, reader);
      log_.flush();
    });
    if (!taken) answer(exchange, refuse_search());
    return;
  }
  if (!request.length_valid) return answer(exchange, refusal(400, "Content-Length must be a whole number"));
  const BodyRead read = exchange->read_body(config_.body_bytes_max);
  if (read != BodyRead::kWhole) return answer(exchange, refuse_body(read, config_.body_bytes_max));
  std::get<Writer>(route.handler)({store_, clock_}, &request,
                                  [this, exchange](Response response) { answer(exchange, std::move(response)); });
}

void Service::read(Exchange* exchange, ReadHandler handler) const {
  Response response;
  try {
    response = handler({store_, clock_}, exchange->request);
  } catch (const StoreError& error) {
    if (error.fault() != Fault::kDeadline) log_.message(LogLevel::kError, error.what());
    response = refuse_fault(error.fault());
  }
  answer(exchange, std::move(response));
}

void Service::answer(Exchange* exchange, Response response) const {
  complete_response(exchange->request, &response);
  log_request(exchange->request, response);
  exchange->send(response);
}

void Service::log_request(const Request& request, const Response& response) const {
  const std::int64_t took_us = clock_.steady_us() - request.begun_us;
  const LogLevel level = response.status >= 500 ? LogLevel::kError : LogLevel::kInfo;
  log_.write(level, [&request, &response, took_us](JsonWriter* json) {
    json->key("id")
        .text(request.request_id)
        .key("method")
        .text(request.method)
        .key("path")
        .text(std::string_view(request.path).substr(0, kLoggedBytesMax));
    json->key("status").number(response.status);
    if (response.stored) json->key("stored").boolean(*response.stored);
    if (response.lead_id) json->key("lead").number(*response.lead_id);
    if (!response.unmatched_crm_lead_id.empty()) {
      json->key("crm_lead_id").text(std::string_view(response.unmatched_crm_lead_id).substr(0, kLoggedBytesMax));
    }
    json->key("ms").source(std::to_string(took_us / 1000) + '.' + std::to_string(took_us % 1000 / 100));
  });
}

}  // namespace leadline
