// The settings: which come from where, and which are refused.
#include "base/config.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "support.h"

namespace leadline {
namespace {

using Settings = std::map<std::string, std::string>;

Environment environment_of(const Settings& settings) {
  return [&settings](const char* name) -> const char* {
    const auto found = settings.find(name);
    return found == settings.end() ? nullptr : found->second.c_str();
  };
}

// The settings as read, on two cores and with a database.
std::optional<Config> read(Settings settings, std::string* why) {
  settings.try_emplace("DATABASE_URL", "sqlite:leads.db");
  return read_config(environment_of(settings), 2, why);
}

Config read_good(const Settings& settings) {
  std::string why;
  std::optional<Config> config = read(settings, &why);
  REQUIRE_MESSAGE(config.has_value(), why);
  return *config;
}

std::string refusal_of(const Settings& settings) {
  std::string why;
  REQUIRE_FALSE(read(settings, &why).has_value());
  return why;
}

TEST_CASE("config: CRM_WEBHOOK_SECRET is the secret, even where CRM_CALLBACK_SECRET is set too") {
  CHECK(read_good({{"CRM_WEBHOOK_SECRET", "a"}, {"CRM_CALLBACK_SECRET", "b"}}).webhook_secret == "a");
}

TEST_CASE("config: CRM_CALLBACK_SECRET stands in where CRM_WEBHOOK_SECRET is unset") {
  CHECK(read_good({{"CRM_CALLBACK_SECRET", "b"}}).webhook_secret == "b");
}

TEST_CASE("config: CRM_CALLBACK_SECRET stands in where CRM_WEBHOOK_SECRET is empty") {
  CHECK(read_good({{"CRM_WEBHOOK_SECRET", ""}, {"CRM_CALLBACK_SECRET", "b"}}).webhook_secret == "b");
}

TEST_CASE("config: without secrets and key they are empty, which is no error") {
  const Config config = read_good({});
  CHECK(config.webhook_secret.empty());
  CHECK(config.analytics_key.empty());
}

TEST_CASE("config: the other texts are taken as they are") {
  const Config config = read_good(
      {{"ANALYTICS_API_KEY", " key "}, {"LEADLINE_LISTEN", "unix:x"}, {"DATABASE_URL", "sqlite:/var/lib/leads.db"}});
  CHECK(config.analytics_key == " key ");
  CHECK(config.listen == "unix:x");
  CHECK(config.database_url == "sqlite:/var/lib/leads.db");
}

TEST_CASE("config: the defaults are the contract's") {
  const Config config = read_good({});
  CHECK(config.body_bytes_max == 1'048'576);
  CHECK(config.threads == 4);
  CHECK(config.log_level == LogLevel::kInfo);
  CHECK(config.listen.empty());
}

TEST_CASE("config: an empty setting is an absent one") {
  const Config config =
      read_good({{"LEADLINE_THREADS", ""}, {"LEADLINE_MAX_BODY_BYTES", ""}, {"LEADLINE_LOG_LEVEL", ""}});
  CHECK(config.threads == 4);
  CHECK(config.body_bytes_max == kBodyBytesDefault);
  CHECK(config.log_level == LogLevel::kInfo);
}

TEST_CASE("config: a machine that does not know its cores gets one thread, a huge one gets the most") {
  const Settings settings = {{"DATABASE_URL", "sqlite:x"}};
  std::string why;
  CHECK(read_config(environment_of(settings), 0, &why)->threads == 1);
  CHECK(read_config(environment_of(settings), 1'000, &why)->threads == kThreadsMost);
}

TEST_CASE("config: DATABASE_URL has no default") {
  for (const Settings& settings : {Settings{}, Settings{{"DATABASE_URL", ""}}}) {
    std::string why;
    CHECK_FALSE(read_config(environment_of(settings), 2, &why).has_value());
    CHECK(why.find("DATABASE_URL") != std::string::npos);
    CHECK(why.find('\n') == std::string::npos);
  }
}

TEST_CASE("config: the numbers are taken up to their limits") {
  CHECK(read_good({{"LEADLINE_THREADS", "1"}}).threads == 1);
  CHECK(read_good({{"LEADLINE_THREADS", "64"}}).threads == 64);
  CHECK(read_good({{"LEADLINE_MAX_BODY_BYTES", "1"}}).body_bytes_max == 1);
  CHECK(read_good({{"LEADLINE_MAX_BODY_BYTES", "67108864"}}).body_bytes_max == 67'108'864);
}

TEST_CASE("config: a bad number is refused by its name") {
  for (const char* name : {"LEADLINE_THREADS", "LEADLINE_MAX_BODY_BYTES"}) {
    for (const char* value : {"0", "-1", "+1", " 1", "1 ", "1k", "1.0", "0x10", "x", "67108865", "18446744073709551616",
                              "99999999999999999999999999"}) {
      CAPTURE(name);
      CAPTURE(value);
      CHECK(refusal_of({{name, value}}).starts_with(std::string(name) + " must be"));
    }
  }
}

TEST_CASE("config: one thread more than the most is refused") {
  CHECK(refusal_of({{"LEADLINE_THREADS", "65"}}) == "LEADLINE_THREADS must be a whole number from 1 to 64");
}

TEST_CASE("config: each level of the log has its name") {
  CHECK(read_good({{"LEADLINE_LOG_LEVEL", "debug"}}).log_level == LogLevel::kDebug);
  CHECK(read_good({{"LEADLINE_LOG_LEVEL", "info"}}).log_level == LogLevel::kInfo);
  CHECK(read_good({{"LEADLINE_LOG_LEVEL", "warn"}}).log_level == LogLevel::kWarn);
  CHECK(read_good({{"LEADLINE_LOG_LEVEL", "error"}}).log_level == LogLevel::kError);
}

TEST_CASE("config: an unknown level of the log is refused by its name") {
  for (const char* value : {"verbose", "INFO", "info ", "0"}) {
    CAPTURE(value);
    CHECK(refusal_of({{"LEADLINE_LOG_LEVEL", value}}).starts_with("LEADLINE_LOG_LEVEL must be"));
  }
}

TEST_CASE("config: a secret is never part of a refusal") {
  const std::string why =
      refusal_of({{"CRM_WEBHOOK_SECRET", "s3cret"}, {"ANALYTICS_API_KEY", "k3y"}, {"LEADLINE_THREADS", "many"}});
  CHECK(why.find("s3cret") == std::string::npos);
  CHECK(why.find("k3y") == std::string::npos);
}

}  // namespace
}  // namespace leadline
