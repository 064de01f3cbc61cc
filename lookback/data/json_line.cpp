#include "lookback/data/json_line.h"

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
    } else {
      check<FormatError>(found->is_number() || found->is_boolean(), "'", key, "' is neither text nor a number");
      out.emplace_back(found->dump());
    }
  }
  return out;
}

}  // namespace lookback::data
