#include "api/auth.h"

#include <strings.h>

#include "base/check.h"

namespace leadline {
namespace {

// Every byte of `given` is looked at, and compared with something, whatever came before.
bool equal_in_constant_time(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(secret[i % secret.size()]);
  }
  return difference == 0;
}

// What follows "Bearer " (the scheme's case does not matter), or nothing.
std::string_view bearer_token(std::string_view authorization) {
  static constexpr std::string_view kScheme = "Bearer ";
  if (authorization.size() < kScheme.size()) return {};
  if (strncasecmp(authorization.data(), kScheme.data(), kScheme.size()) != 0) return {};
  authorization.remove_prefix(kScheme.size());
  authorization.remove_prefix(std::min(authorization.size(), authorization.find_first_not_of(' ')));
  return authorization;
}

}  // namespace

bool shows_secret(const Request& request, std::string_view secret) {
  CHECK(!secret.empty());
  const bool by_token = equal_in_constant_time(bearer_token(request.authorization), secret);
  const bool by_key = equal_in_constant_time(request.api_key, secret);
  return by_token || by_key;
}

}  // namespace leadline
