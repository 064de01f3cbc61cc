#include "lookback/data/vector_fields.h"

#include <charconv>
#include <limits>

#include "lookback/base/utf8.h"

namespace lookback::data {

std::string shown(std::string_view text) {
  constexpr size_t kLongest = 40;
  return "'" + with_replacements(text.substr(0, kLongest)) + (text.size() > kLongest ? "...'" : "'");
}

std::optional<size_t> find_word_end(ByteReader& bytes, char end) {
  size_t found = bytes.peek().find(end);
  if (found == std::string_view::npos) found = bytes.peek(kMaxWordBytes + 1).find(end);
  if (found > kMaxWordBytes) return std::nullopt;
  return found;
}

std::string_view trimmed_end(std::string_view line) {
  while (!line.empty() && separates(line.back())) line.remove_suffix(1);
  return line;
}

int64_t count_fields(std::string_view line) {
  int64_t n = 0;
  bool inside = false;
  for (const char c : line) {
    n += !inside && !separates(c);
    inside = !separates(c);
  }
  return n;
}

std::optional<size_t> find_last_fields(std::string_view line, int64_t fields) {
  size_t at = line.size();
  for (; fields > 0; --fields) {
    while (at > 0 && separates(line[at - 1])) --at;
    if (at == 0) return std::nullopt;
    while (at > 0 && !separates(line[at - 1])) --at;
  }
  return at;
}

namespace {

// Of a number out of range: whether it is so for being small.
bool is_tiny(std::string_view number) {
  const size_t exponent = number.find_first_of("eE");
  if (exponent != std::string_view::npos) return number.substr(exponent + 1, 1) == "-";
  return number.starts_with("0") || number.starts_with(".");
}

}  // namespace

std::optional<float> parse_float(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return std::nullopt;
  if (error != std::errc::result_out_of_range) return value;
  const bool negative = text.starts_with('-');
  value = is_tiny(text.substr(negative)) ? 0.0F : std::numeric_limits<float>::infinity();
  return negative ? -value : value;
}

}  // namespace lookback::data
