// Cells of tables and words of options as what they mean.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace lookback {

// Without the spaces and tabs around it.
inline std::string_view trimmed(std::string_view s) {
  const size_t begin = s.find_first_not_of(" \t");
  return begin == s.npos ? std::string_view() : s.substr(begin, s.find_last_not_of(" \t") - begin + 1);
}

// The number that all of it is, as std::from_chars reads one; nothing for anything else, and for one that T cannot
// hold.
template <class T>
std::optional<T> parse_number(std::string_view s) {
  T out{};
  const auto r = std::from_chars(s.data(), s.data() + s.size(), out);
  return r.ec == std::errc() && r.ptr == s.data() + s.size() ? std::optional(out) : std::nullopt;
}

}  // namespace lookback
