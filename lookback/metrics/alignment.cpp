#include "lookback/metrics/alignment.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "lookback/base/error.h"
#include "lookback/metrics/ngrams.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

constexpr int64_t kFewestSkipped = 3, kFewestLooped = 3;

// The cost of edit_counts and how the best alignment of two prefixes ends.
struct Best {
  int64_t errors = 0, substitutions = 0;
  EditKind last = EditKind::hit;

  auto cost() const { return std::pair(errors, substitutions); }
};

class Words {  // numbered, so that comparing them is fast
 public:
  std::vector<int64_t> operator()(std::span<const std::string> words) {
    std::vector<int64_t> out;
    for (const std::string& w : words) out.push_back(numbers_.try_emplace(w, std::ssize(numbers_)).first->second);
    return out;
  }

 private:
  std::map<std::string, int64_t, std::less<>> numbers_;
};

bool steers_terminal(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200E && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

// A word as it is printed, and the columns it takes.
std::pair<std::string, int64_t> printed(const std::string& word) {
  std::u32string t = decode_utf8(word);
  std::ranges::replace_if(t, steers_terminal, U'\uFFFD');
  return {encode_utf8(t), terminal_width(t)};
}

std::string right_aligned(const std::string& word, int64_t columns, int64_t width) {
  return std::string(static_cast<size_t>(width - columns), ' ') + word;
}

// How often the n-gram at words[at] stands there in a row.
int64_t times_at(std::span<const int64_t> words, size_t at, std::span<const int64_t> ngram) {
  int64_t times = 0;
  for (; at + ngram.size() <= words.size() && std::ranges::equal(words.subspan(at, ngram.size()), ngram); ++times)
    at += ngram.size();
  return times;
}

int64_t most_times(std::span<const int64_t> words, std::span<const int64_t> ngram) {
  int64_t most = 0;
  for (size_t at = 0; at < words.size(); ++at) most = std::max(most, times_at(words, at, ngram));
  return most;
}

std::vector<std::string> words_of(std::string_view line, const ErrorRateOptions& options) {
  std::vector<std::string> out;
  const std::u32string prepared = prepared_line(line, options);
  for (const std::u32string_view w : split(prepared)) out.push_back(encode_utf8(w));
  return out;
}

}  // namespace

std::vector<AlignedToken> aligned(std::span<const std::string> hypothesis, std::span<const std::string> reference) {
  Words number;
  const std::vector<int64_t> h = number(hypothesis), r = number(reference);
  const size_t n = h.size(), m = r.size();
  std::vector<EditKind> last((m + 1) * (n + 1));  // of the best alignment of every two prefixes
  std::vector<Best> row(n + 1);
  for (size_t i = 0; i <= m; ++i) {
    Best diagonal;
    for (size_t j = 0; j <= n; ++j) {
      Best best;
      const auto consider = [&](Best from, EditKind kind, bool first) {
        from.errors += kind != EditKind::hit;
        from.substitutions += kind == EditKind::substitution;
        from.last = kind;
        if (first || from.cost() < best.cost()) best = from;
      };
      const bool both = i > 0 && j > 0;
      if (both) consider(diagonal, r[i - 1] == h[j - 1] ? EditKind::hit : EditKind::substitution, true);
      if (i > 0) consider(row[j], EditKind::deletion, !both);
      if (j > 0) consider(row[j - 1], EditKind::insertion, i == 0);
      diagonal = std::exchange(row[j], best);
      last[i * (n + 1) + j] = best.last;
    }
  }
  std::vector<AlignedToken> out;
  for (size_t i = m, j = n; i > 0 || j > 0;) {
    AlignedToken& token = out.emplace_back();
    token.kind = last[i * (n + 1) + j];
    if (token.kind != EditKind::insertion) token.reference = static_cast<int64_t>(--i);
    if (token.kind != EditKind::deletion) token.hypothesis = static_cast<int64_t>(--j);
  }
  std::ranges::reverse(out);
  return out;
}

EditCounts LineAlignment::counts() const {
  const auto count = [&](EditKind kind) { return std::ranges::count(tokens, kind, &AlignedToken::kind); };
  return {.hits = count(EditKind::hit),
          .substitutions = count(EditKind::substitution),
          .deletions = count(EditKind::deletion),
          .insertions = count(EditKind::insertion)};
}

LineAlignment align_words(std::string_view hypothesis, std::span<const std::string> references,
                          const ErrorRateOptions& options) {
  check<FormatError>(!references.empty(), "alignment: there is no reference");
  const std::string* nearest = &references.front();
  double lowest = word_edits(hypothesis, *nearest, options).rate();
  for (const std::string& r : references.subspan(1)) {
    const double rate = word_edits(hypothesis, r, options).rate();
    if (rate < lowest) lowest = rate, nearest = &r;
  }
  LineAlignment out{
      .hypothesis = words_of(hypothesis, options), .reference = words_of(*nearest, options), .tokens = {}};
  out.tokens = aligned(out.hypothesis, out.reference);
  return out;
}

std::string alignment_text(const LineAlignment& line) {
  constexpr const char* kMarks[] = {" ", "S", "D", "I"};
  std::string reference = "REF:", hypothesis = "HYP:", marks = "    ";
  for (const AlignedToken& token : line.tokens) {
    auto [r, r_columns] = token.reference < 0 ? std::pair<std::string, int64_t>{"", 0}
                                              : printed(line.reference[static_cast<size_t>(token.reference)]);
    auto [h, h_columns] = token.hypothesis < 0 ? std::pair<std::string, int64_t>{"", 0}
                                               : printed(line.hypothesis[static_cast<size_t>(token.hypothesis)]);
    const int64_t width = std::max({r_columns, h_columns, int64_t{1}});
    if (token.reference < 0) r.assign(static_cast<size_t>(width), '*'), r_columns = width;
    if (token.hypothesis < 0) h.assign(static_cast<size_t>(width), '*'), h_columns = width;
    reference += " " + right_aligned(r, r_columns, width);
    hypothesis += " " + right_aligned(h, h_columns, width);
    marks += " " + right_aligned(kMarks[static_cast<size_t>(token.kind)], 1, width);
  }
  marks.erase(marks.find_last_not_of(' ') + 1);
  return reference + "\n" + hypothesis + "\n" + marks + "\n";
}

std::vector<Confusion> confusions(std::span<const LineAlignment> lines) {
  std::map<std::tuple<EditKind, std::string, std::string>, int64_t> counts;
  for (const LineAlignment& line : lines)
    for (const AlignedToken& t : line.tokens)
      if (t.kind != EditKind::hit)
        ++counts[{t.kind, t.reference < 0 ? "" : line.reference[static_cast<size_t>(t.reference)],
                  t.hypothesis < 0 ? "" : line.hypothesis[static_cast<size_t>(t.hypothesis)]}];
  std::vector<Confusion> out;
  for (const auto& [what, count] : counts) {
    const auto& [kind, reference, hypothesis] = what;
    out.push_back({.kind = kind, .reference = reference, .hypothesis = hypothesis, .count = count});
  }
  std::ranges::stable_sort(out, std::greater<>(), &Confusion::count);
  return out;
}

bool has_skip(const LineAlignment& line) {
  int64_t run = 0;
  for (const AlignedToken& t : line.tokens)
    if (run = t.kind == EditKind::deletion ? run + 1 : 0; run >= kFewestSkipped) return true;
  return false;
}

bool has_loop(const LineAlignment& line) {
  Words number;
  const std::vector<int64_t> r = number(line.reference), h = number(line.hypothesis);
  const size_t size = h.size();
  for (size_t n = 1; 3 * n <= size; ++n) {
    size_t equal = 0;  // words up to here that equal those n before
    for (size_t at = n; at < size; ++at) {
      equal = h[at] == h[at - n] ? equal + 1 : 0;
      if (equal < 2 * n) continue;
      // The last n-gram that ends here stands at least three times in a row.
      const std::span<const int64_t> ngram = std::span(h).subspan(at + 1 - n, n);
      const auto times = static_cast<int64_t>(equal / n) + 1;
      const int64_t more = times - std::max<int64_t>(1, most_times(r, ngram));
      if (more >= 2 && more * static_cast<int64_t>(n) >= kFewestLooped) return true;
    }
  }
  return false;
}

AttentionFailures attention_failures(std::span<const LineAlignment> lines) {
  return {.skips = std::ranges::count_if(lines, has_skip), .loops = std::ranges::count_if(lines, has_loop)};
}

}  // namespace lookback::metrics
