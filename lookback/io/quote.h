// Names from files, made fit for one line of an error message.
#pragma once

#include <string>
#include <string_view>

namespace lookback::io {

// 'name' in quotes; control characters and invalid bytes as '?', cut after 80 bytes.
std::string quote(std::string_view name);

}  // namespace lookback::io
