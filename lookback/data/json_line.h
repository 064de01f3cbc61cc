// One example as one JSON object on a line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lookback::data {

// The members called `keys`, in that order: strings as they are, those of a list with commas between, numbers and
// booleans as JSON writes them, nothing for null and what is not there. Other members are passed over. Where
// `one_a_line` is true for a key, the strings of its list are lines; line ends inside of them become blanks. Throws
// FormatError "not JSON: ..." and so on, without saying where: the caller knows.
std::vector<std::optional<std::string>> json_members(std::string_view line, const std::vector<std::string>& keys,
                                                     const std::vector<bool>& one_a_line = {});

// For json_members: of each column or field of these names whether it is a list of texts, one a line, as the history
// and the knowledge of a dialogue, a story, and tokens or texts with their tags are.
std::vector<bool> are_one_a_line(const std::vector<std::string>& names);
// Whether a column of this name may be missing in an object, and is then empty: the knowledge of a dialogue.
bool may_be_missing(std::string_view name);

}  // namespace lookback::data
