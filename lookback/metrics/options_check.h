// Options set in code obey the same ranges and choices as those read from a command line.
#pragma once

#include <string>
#include <string_view>

#include "lookback/base/fields.h"

namespace lookback::metrics {

// Throws ConfigError headed by `what` if a field is outside its range or choices.
template <class Options>
void check_options(std::string_view what, Options& options) {
  for (Field& f : fields_of(options)) set_field(f, field_value(f), std::string(what));
}

}  // namespace lookback::metrics
