#include "lookback/data/json_line.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lookback/base/error.h"

namespace lookback::data {

std::vector<std::optional<std::string>> json_members(std::string_view line, const std::vector<std::string>& keys) {
  nlohmann::json object;
  try {
    object = nlohmann::json::parse(line);
  } catch (const nlohmann::json::parse_error& e) {
    throw FormatError(str_cat("not JSON, at byte ", e.byte));
  }
  check<FormatError>(object.is_object(), "no JSON object");
  std::vector<std::optional<std::string>> out;
  for (const std::string& key : keys) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) {
      out.emplace_back();
    } else if (found->is_string()) {
      out.emplace_back(found->get<std::string>());
    } else if (found->is_array() && std::ranges::all_of(*found, [](const auto& x) { return x.is_string(); })) {
      std::string list;
      for (const auto& x : *found) list += (list.empty() ? "" : ",") + x.template get<std::string>();
      out.emplace_back(std::move(list));
    } else {
      check<FormatError>(found->is_number() || found->is_boolean(), "'", key,
                         "' is neither text, nor a list of texts, nor a number");
      out.emplace_back(found->dump());
    }
  }
  return out;
}

}  // namespace lookback::data
