// Comma-separated values (RFC 4180), and tab-separated ones.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lookback::data {

// The cells of the record that begins with `line`. While a quote is open, `more` gives the next line. Returns why it
// is no record, or "".
std::string parse_csv(std::string line, const std::function<bool(std::string&)>& more, std::vector<std::string>& cells);

// The cells of a line with tabs between them.
std::vector<std::string> split_tabs(std::string_view line);

}  // namespace lookback::data
