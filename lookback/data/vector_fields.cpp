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

int64_t count_separators(std::string_view line) {
  int64_t count = 0;
  for (std::string_view part; !line.empty(); line.remove_prefix(part.size())) {
    part = line.substr(0, 255);
    uint8_t in_part = 0;  // so that sixteen bytes and more are compared at once
    for (const char c : part) in_part = static_cast<uint8_t>(in_part + (c == ' ' || c == '\t'));
    count += in_part;
  }
  return count;
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

std::optional<float> take_float(std::string_view& line) {
  const bool plus = line.starts_with('+');
  const char *const begin = line.data() + plus, *const line_end = line.data() + line.size();
  if (plus && begin != line_end && *begin == '-') return std::nullopt;
  float value = 0;
  const auto [end, error] = std::from_chars(begin, line_end, value);
  if (error == std::errc::invalid_argument || (end != line_end && !separates(*end))) return std::nullopt;
  const std::string_view number(begin, static_cast<size_t>(end - begin));
  line.remove_prefix(static_cast<size_t>(end - line.data()));
  if (error != std::errc::result_out_of_range) return value;
  const bool negative = number.starts_with('-');
  value = is_tiny(number.substr(negative)) ? 0.0F : std::numeric_limits<float>::infinity();
  return negative ? -value : value;
}

std::optional<float> parse_float(std::string_view text) {
  const std::optional<float> value = take_float(text);
  return text.empty() ? value : std::nullopt;
}

}  // namespace lookback::data
