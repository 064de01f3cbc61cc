// Comma-separated values (RFC 4180).
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lookback::data {

// The cells of the record that begins with `line`. While a quote is open, `more` gives the next line. Returns why it
// is no record, or "".
std::string parse_csv(std::string line, const std::function<bool(std::string&)>& more, std::vector<std::string>& cells);

}  // namespace lookback::data
