#include "base/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace leadline {
namespace {

std::string value_or_empty(const Environment& environment, const char* name) {
  const char* const value = environment(name);
  return value == nullptr ? std::string() : std::string(value);
}

// These return what is wrong with a setting, or nothing.
//
// Reads a whole number from 1 to `most`; where the setting is absent, `*number` stays.
template <class Number>
std::string read_number(const Environment& environment, const char* name, std::uint64_t most, Number* number) {
  const std::string text = value_or_empty(environment, name);
  if (text.empty()) return {};
  const char* const end = text.data() + text.size();
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < 1 || value > most) {
    return std::string(name) + " must be a whole number from 1 to " + std::to_string(most);
  }
  *number = static_cast<Number>(value);
  return {};
}

std::string read_log_level(const Environment& environment, LogLevel* level) {
  const std::string text = value_or_empty(environment, "LEADLINE_LOG_LEVEL");
  if (text.empty()) return {};
  const auto* const named = std::find(kLogLevelNames.begin(), kLogLevelNames.end(), text);
  if (named == kLogLevelNames.end()) return "LEADLINE_LOG_LEVEL must be debug, info, warn or error";
  *level = static_cast<LogLevel>(named - kLogLevelNames.begin());
  return {};
}

}  // namespace

std::optional<Config> read_config(const Environment& environment, int cores, std::string* why) {
  Config config;
  config.webhook_secret = value_or_empty(environment, "CRM_WEBHOOK_SECRET");
  if (config.webhook_secret.empty()) config.webhook_secret = value_or_empty(environment, "CRM_CALLBACK_SECRET");
  config.analytics_key = value_or_empty(environment, "ANALYTICS_API_KEY");
  config.listen = value_or_empty(environment, "LEADLINE_LISTEN");
  config.database_url = value_or_empty(environment, "DATABASE_URL");
  if (config.database_url.empty()) {
    *why = "DATABASE_URL is not set: it must be sqlite:PATH, a file outside of the web root";
    return std::nullopt;
  }
  config.threads = std::clamp(cores * kThreadsPerCore, 1, kThreadsMost);
  *why = read_number(environment, "LEADLINE_THREADS", kThreadsMost, &config.threads);
  if (why->empty()) *why = read_number(environment, "LEADLINE_MAX_BODY_BYTES", kBodyBytesMost, &config.body_bytes_max);
  if (why->empty()) *why = read_log_level(environment, &config.log_level);
  if (!why->empty()) return std::nullopt;
  return config;
}

}  // namespace leadline
