// POST /analytics/leads: takes in what a form handler knows of a person. PATCH /analytics/leads/:id: links a lead to
// the CRM, or sets its status. And the same judgement of a new lead for the import.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/handler.h"

namespace leadline {

// Trims the texts and judges the whole. Returns what is wrong with it, naming the field; nothing where it is good.
[[nodiscard]] std::optional<std::string> tidy_new_lead(NewLead* lead);

// The text field of that name, or null where there is none.
[[nodiscard]] std::string NewLead::*new_lead_field(std::string_view name);

// Reads a new lead out of a JSON text. Where it is none, returns none and sets `*why`.
[[nodiscard]] std::optional<NewLead> parse_new_lead(std::string_view json, std::string* why);

void post_lead(const Context& context, Request* request, const Reply& reply);
void patch_lead(const Context& context, Request* request, const Reply& reply);

}  // namespace leadline
