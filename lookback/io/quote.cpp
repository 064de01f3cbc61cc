#include "lookback/io/quote.h"

#include <algorithm>

#include "lookback/base/utf8.h"

namespace lookback::io {

std::string quote(std::string_view name) {
  constexpr size_t kLongest = 80;
  std::string out = "'";
  for (size_t at = 0; at < name.size();) {
    if (at >= kLongest) return out + "...'";
    const size_t length = utf8_length_at(name, at);
    const auto lead = static_cast<unsigned char>(name[at]);
    if (length == 0 || lead < 0x20 || lead == 0x7F)
      out += '?';
    else
      out += name.substr(at, length);
    at += std::max<size_t>(length, 1);
  }
  return out + "'";
}

}  // namespace lookback::io
