#include "lookback/metrics/distinct.h"

#include <optional>
#include <unordered_set>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/metrics/ngrams.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

// Each line's words, by number.
std::vector<std::u32string> numbered(const Lines& lines, int64_t n) {
  check<ConfigError>(n >= 1, "n-grams: n = ", n, " is below 1");
  Interner intern;
  std::vector<std::u32string> out;
  for (const std::string& line : lines) {
    const std::optional<size_t> bad = find_invalid_utf8(line);
    check<FormatError>(!bad, "line ", out.size() + 1, ": byte ", bad.value_or(0) + 1,
                       " is not UTF-8; convert the text to UTF-8");
    const std::u32string text = decode_utf8(line);
    out.push_back(intern.all(split(text)));
  }
  return out;
}

using Ngrams = std::unordered_set<std::u32string_view>;

// Adds the n-grams of a line; how many they are.
int64_t collect(std::u32string_view line, int64_t n, Ngrams& seen) {
  const int64_t count = std::ssize(line) - n + 1;
  for (int64_t i = 0; i < count; ++i) seen.insert(line.substr(i, n));
  return count > 0 ? count : 0;
}

double percent(size_t part, int64_t of) { return 100 * static_cast<double>(part) / static_cast<double>(of); }

}  // namespace

double distinct(const Lines& lines, int64_t n) {
  const std::vector<std::u32string> words = numbered(lines, n);
  Ngrams seen;
  int64_t total = 0;
  for (const std::u32string& line : words) total += collect(line, n, seen);
  return total == 0 ? 0 : percent(seen.size(), total);
}

double repeated_ngrams(const Lines& lines, int64_t n) {
  double sum = 0;
  int64_t counted = 0;
  for (const std::u32string& line : numbered(lines, n)) {
    Ngrams seen;
    const int64_t total = collect(line, n, seen);
    if (total == 0) continue;
    sum += 100 - percent(seen.size(), total);
    ++counted;
  }
  return counted == 0 ? 0 : sum / static_cast<double>(counted);
}

}  // namespace lookback::metrics
