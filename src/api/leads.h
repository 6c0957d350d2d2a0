// GET /analytics/leads…: a lead with everything that happened to it, the lists, the summary. Each is a function from a
// request to a response, in one read transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "api/handler.h"
#include "base/json.h"

namespace leadline {

[[nodiscard]] Response get_lead(const Context& context, const Request& request);
[[nodiscard]] Response list_leads(const Context& context, const Request& request);
[[nodiscard]] Response list_projects(const Context& context, const Request& request);
[[nodiscard]] Response list_sources(const Context& context, const Request& request);
[[nodiscard]] Response list_unmatched(const Context& context, const Request& request);
[[nodiscard]] Response get_summary(const Context& context, const Request& request);

// Whether list_leads would look through the leads for a text, which takes long where there are many.
[[nodiscard]] bool is_search(const Request& request);

// The lead's id in the path: a plain positive decimal, else none.
[[nodiscard]] std::optional<std::int64_t> parse_lead_id(std::string_view text);

// {"id":…,"crm_lead_id":…,…}: a lead as the API shows it.
void write_lead(const Lead& lead, JsonWriter* json);

}  // namespace leadline
