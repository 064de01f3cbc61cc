// Attention on the terminal, as `explain` and `demo` draw it.
#pragma once

#include <string>
#include <vector>

#include "lookback/viz/figure.h"

namespace lookback::cli {

// As wide as standard output, with colour where that is welcome.
std::string on_terminal(const std::vector<viz::Figure>& figures);

// Throws ConfigError for a file that holds something else than a drawing of ours, and IoError.
void check_replaceable_drawing(const std::string& path);

}  // namespace lookback::cli
