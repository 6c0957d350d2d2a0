// A query string's parameters (application/x-www-form-urlencoded: "+" is a blank, %XX a byte). Only the names that the
// caller knows are looked at: others are ignored. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace leadline {

// A parameter that is known. Empty: absent.
struct Parameter {
  std::string_view name;
  std::string value;
};

// Fills `known`. Returns what is wrong, naming the parameter: given twice, a bad %XX, not UTF-8, or U+0000.
[[nodiscard]] std::optional<std::string> read_parameters(std::string_view query, std::span<Parameter> known);

}  // namespace leadline
