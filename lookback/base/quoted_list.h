// Lists of strings or whole numbers as a recipe writes them, where TOML itself is not at hand.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lookback {

// ["a", 'b', 12] in TOML on one line: strings in "..." with escapes, or in '...' as they are, and whole numbers; white
// space around them and a comma at the end are allowed. Throws ConfigError "where is not a list: ...".
std::vector<std::string> parse_quoted_list(std::string_view list, const std::string& where);

}  // namespace lookback
