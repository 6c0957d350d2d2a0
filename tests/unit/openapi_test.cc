// docs/openapi.yaml describes the routes that there are, and no others. Reads the file by its lines: a path stands at
// two blanks under "paths:", a method at four. That the rest of it is OpenAPI is the linter's business
// (tests/openapi/run). The Makefile runs the unit tests from the repository's root.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <string>
#include <string_view>

#include "api/service.h"

namespace leadline {
namespace {

// "GET /analytics/leads/:id"
using Operations = std::multiset<std::string>;

Operations operations_served() {
  Operations operations;
  for (const auto& [method, path] : routes()) operations.insert(method + ' ' + path);
  return operations;
}

// "/analytics/leads/{id}" as the table of routes has it.
std::string route_path(std::string path) {
  std::replace(path.begin(), path.end(), '{', ':');
  path.erase(std::remove(path.begin(), path.end(), '}'), path.end());
  return path;
}

bool is_method(std::string_view word) {
  static constexpr std::array<std::string_view, 8> kMethods = {"get",     "put",  "post",  "delete",
                                                               "options", "head", "patch", "trace"};
  return std::find(kMethods.begin(), kMethods.end(), word) != kMethods.end();
}

// The key that stands alone on the line, behind exactly `indent` blanks; empty where none does.
std::string key_at(const std::string& line, std::size_t indent) {
  const bool is_key = line.find_first_not_of(' ') == indent && line.back() == ':';
  return is_key ? line.substr(indent, line.size() - indent - 1) : std::string();
}

Operations operations_described(std::istream& yaml) {
  Operations operations;
  bool in_paths = false;
  std::string path;
  for (std::string line; std::getline(yaml, line);) {
    if (!line.empty() && line.front() != ' ' && line.front() != '#') in_paths = line == "paths:";
    if (!in_paths) continue;
    if (const std::string key = key_at(line, 2); !key.empty()) path = route_path(key);
    std::string method = key_at(line, 4);
    if (!is_method(method)) continue;
    for (char& c : method) c = static_cast<char>(c - 'a' + 'A');
    operations.insert(method + ' ' + path);
  }
  return operations;
}

TEST_CASE("openapi: each route is described once, and nothing else is") {
  std::ifstream yaml("docs/openapi.yaml");
  REQUIRE_MESSAGE(yaml.is_open(), "docs/openapi.yaml is not there: run the unit tests from the repository's root");
  const Operations described = operations_described(yaml);
  const Operations served = operations_served();
  REQUIRE_FALSE(served.empty());
  for (const std::string& operation : served) {
    CHECK_MESSAGE(described.count(operation) == 1, operation, " is described ", described.count(operation), " times");
  }
  for (const std::string& operation : described) {
    CHECK_MESSAGE(served.count(operation) == 1, operation, " is described and not served");
  }
}

}  // namespace
}  // namespace leadline
