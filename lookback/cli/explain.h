// Attention on the terminal, as `explain` and `demo` draw it.
#pragma once

#include <string>
#include <vector>

#include "lookback/viz/attention_map.h"

namespace lookback::cli {

// As wide as standard output, with colour where that is welcome.
std::string on_terminal(const std::vector<viz::AttentionMap>& maps);

}  // namespace lookback::cli
