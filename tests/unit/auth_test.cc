// Which requests show a secret.
#include "api/auth.h"

#include <doctest/doctest.h>

#include <string>

#include "support.h"

namespace leadline {
namespace {

constexpr std::string_view kSecret = "s3cret-Value";

bool bearer(const std::string& authorization, std::string_view secret = kSecret) {
  Request request;
  request.authorization = authorization;
  return shows_secret(request, secret);
}

bool api_key(const std::string& key, std::string_view secret = kSecret) {
  Request request;
  request.api_key = key;
  return shows_secret(request, secret);
}

TEST_CASE("auth: a bearer token is accepted") { CHECK(bearer("Bearer s3cret-Value")); }

TEST_CASE("auth: the scheme's case does not matter") {
  CHECK(bearer("bearer s3cret-Value"));
  CHECK(bearer("BEARER s3cret-Value"));
  CHECK(bearer("bEaReR s3cret-Value"));
}

TEST_CASE("auth: several blanks after the scheme are accepted") { CHECK(bearer("Bearer   s3cret-Value")); }

TEST_CASE("auth: an API key is accepted") { CHECK(api_key("s3cret-Value")); }

TEST_CASE("auth: one valid header is enough, whatever the other holds") {
  Request request;
  request.authorization = "Bearer s3cret-Value";
  request.api_key = "wrong";
  CHECK(shows_secret(request, kSecret));
  request.authorization = "Basic dTpw";
  request.api_key = "s3cret-Value";
  CHECK(shows_secret(request, kSecret));
}

TEST_CASE("auth: a request without either header shows nothing") { CHECK_FALSE(shows_secret(Request{}, kSecret)); }

TEST_CASE("auth: a secret that differs in any one byte is wrong") {
  for (std::size_t i = 0; i < kSecret.size(); ++i) {
    std::string wrong(kSecret);
    wrong[i] = static_cast<char>(wrong[i] ^ 1);
    CAPTURE(wrong);
    CHECK_FALSE(api_key(wrong));
    CHECK_FALSE(bearer("Bearer " + wrong));
  }
}

TEST_CASE("auth: a beginning of the secret, or more than it, is wrong") {
  for (const char* wrong : {"s", "s3cret-Valu", "s3cret-Value1", "s3cret-Values3cret-Value", "s3cret-Value "}) {
    CAPTURE(wrong);
    CHECK_FALSE(api_key(wrong));
    CHECK_FALSE(bearer(std::string("Bearer ") + wrong));
  }
}

TEST_CASE("auth: the secret twice over is not the secret, even for one of a single byte") {
  CHECK_FALSE(api_key("xx", "x"));
  CHECK(api_key("x", "x"));
}

TEST_CASE("auth: the secret's case matters") { CHECK_FALSE(api_key("S3CRET-VALUE")); }

TEST_CASE("auth: other schemes, and a scheme without a token, are wrong") {
  for (const char* wrong : {"Bearer", "Bearer ", "Bearer    ", "s3cret-Value", "Basic s3cret-Value",
                            "Bearers3cret-Value", "Bearer\ts3cret-Value", " Bearer s3cret-Value",
                            "Bearer: s3cret-Value", "Bearer s3cret Value", "Bearer \"s3cret-Value\"", "Token x"}) {
    CAPTURE(wrong);
    CHECK_FALSE(bearer(wrong));
  }
}

TEST_CASE("auth: an API key takes no scheme") { CHECK_FALSE(api_key("Bearer s3cret-Value")); }

TEST_CASE("auth: a secret with blanks and bytes beyond ASCII is compared byte for byte") {
  CHECK(bearer("Bearer caf\xC3\xA9 noir", "caf\xC3\xA9 noir"));
  CHECK_FALSE(bearer("Bearer cafe\xCC\x81 noir", "caf\xC3\xA9 noir"));
  CHECK(api_key("\xFF\x80", "\xFF\x80"));
}

}  // namespace
}  // namespace leadline
