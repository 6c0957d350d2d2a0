// Cursors: where a list goes on, as opaque text. A cursor is tied to the list and the filters that it was made with.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/leads.h"

namespace leadline {

// `scope` names the list and all its filters.
[[nodiscard]] std::string write_cursor(const Position& position, std::string_view scope);

// None where the text is no cursor, or one of another scope.
[[nodiscard]] std::optional<Position> read_cursor(std::string_view text, std::string_view scope);

}  // namespace leadline
