// One example as one JSON object on a line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lookback::data {

// The members called `keys`, in that order: strings as they are, those of a list with commas between, numbers and
// booleans as JSON writes them, nothing for null and what is not there. Other members are passed over. Throws
// FormatError "not JSON: ..." and so on, without saying where: the caller knows.
std::vector<std::optional<std::string>> json_members(std::string_view line, const std::vector<std::string>& keys);

}  // namespace lookback::data
