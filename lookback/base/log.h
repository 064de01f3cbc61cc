// The library never prints: what it has to tell goes to a sink the caller gives.
#pragma once

#include <functional>
#include <string_view>

namespace lookback {

enum class Severity { info, warning, error };

using LogSink = std::function<void(Severity, std::string_view)>;

}  // namespace lookback
