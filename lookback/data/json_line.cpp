#include "lookback/data/json_line.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lookback/base/error.h"

namespace lookback::data {

namespace {

std::string joined_by_commas(const nlohmann::json& list) {
  std::string out;
  for (const auto& x : list) out += (out.empty() ? "" : ",") + x.get<std::string>();
  return out;
}

std::string joined_as_lines(const nlohmann::json& list) {
  std::string out;
  for (size_t k = 0; k < list.size(); ++k) {
    std::string text = list[k].get<std::string>();
    std::ranges::replace_if(
        text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
    out += (k == 0 ? "" : "\n") + text;
  }
  return out;
}

}  // namespace

std::vector<bool> are_one_a_line(const std::vector<std::string>& names) {
  std::vector<bool> out;
  for (const std::string& name : names)
    out.push_back(name == "history" || name == "knowledge" || name == "story" || name == "tokens" || name == "texts" ||
                  name == "tags");
  return out;
}

bool may_be_missing(std::string_view name) { return name == "knowledge"; }

std::vector<std::optional<std::string>> json_members(std::string_view line, const std::vector<std::string>& keys,
                                                     const std::vector<bool>& one_a_line) {
  nlohmann::json object;
  try {
    object = nlohmann::json::parse(line);
  } catch (const nlohmann::json::parse_error& e) {
    throw FormatError(str_cat("not JSON, at byte ", e.byte));
  }
  check<FormatError>(object.is_object(), "no JSON object");
  std::vector<std::optional<std::string>> out;
  for (size_t k = 0; k < keys.size(); ++k) {
    const std::string& key = keys[k];
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) {
      out.emplace_back();
    } else if (found->is_string()) {
      out.emplace_back(found->get<std::string>());
    } else if (found->is_array() && std::ranges::all_of(*found, [](const auto& x) { return x.is_string(); })) {
      out.emplace_back(k < one_a_line.size() && one_a_line[k] ? joined_as_lines(*found) : joined_by_commas(*found));
    } else {
      check<FormatError>(found->is_number() || found->is_boolean(), "'", key,
                         "' is neither text, nor a list of texts, nor a number");
      out.emplace_back(found->dump());
    }
  }
  return out;
}

}  // namespace lookback::data
