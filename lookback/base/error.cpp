#include "lookback/base/error.h"

#include <sstream>

namespace lookback::detail {

std::string joined(std::initializer_list<Part> parts) {
  std::ostringstream out;
  for (const Part& part : parts) part.write_(out, part.value_);
  return std::move(out).str();
}

}  // namespace lookback::detail
