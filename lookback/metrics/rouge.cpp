#include "lookback/metrics/rouge.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/base/utf8.h"
#include "lookback/metrics/ngrams.h"
#include "lookback/metrics/porter_stemmer.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

using Words = std::u32string;          // by number
using Sentences = std::vector<Words>;  // none of them empty

constexpr size_t kLongestUnstemmed = 3;

struct Overlap {
  int64_t matches = 0, hypothesis = 0, reference = 0;

  double precision() const { return ratio(hypothesis); }
  double recall() const { return ratio(reference); }
  double f1() const {
    const double p = precision(), r = recall();
    return p + r > 0 ? 2 * p * r / (p + r) : 0;
  }

 private:
  double ratio(int64_t of) const { return of == 0 ? 0 : static_cast<double>(matches) / static_cast<double>(of); }
};

Words joined(const Sentences& sentences) {
  Words out;
  for (const Words& s : sentences) out += s;
  return out;
}

Overlap ngram_overlap(const Sentences& hypothesis, const Sentences& reference, int64_t n) {
  const Words h_words = joined(hypothesis), r_words = joined(reference);
  const NgramCounts h = count_ngrams(h_words, n), r = count_ngrams(r_words, n);
  const auto total = [&](const Words& words) { return std::max<int64_t>(std::ssize(words) - n + 1, 0); };
  Overlap out{.hypothesis = total(h_words), .reference = total(r_words)};
  for (const auto& [ngram, count] : h)
    if (const auto at = r.find(ngram); at != r.end()) out.matches += std::min(count, at->second);
  return out;
}

// Length of the longest common subsequence. Where `up` is given, up[i * |b| + j] says whether the subsequence of the
// prefixes that end in a[i] and b[j], which differ, is that without a[i]; of equals it is.
int64_t lcs(const Words& a, const Words& b, std::vector<bool>* up = nullptr) {
  if (up) up->assign(a.size() * b.size(), false);
  std::vector<int32_t> row(b.size() + 1);
  for (size_t i = 0; i < a.size(); ++i) {
    int32_t diagonal = 0;
    for (size_t j = 0; j < b.size(); ++j) {
      const int32_t above = row[j + 1];
      const bool equal = a[i] == b[j];
      if (up && !equal && above >= row[j]) (*up)[i * b.size() + j] = true;
      row[j + 1] = equal ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

Overlap lcs_overlap(const Sentences& hypothesis, const Sentences& reference) {
  const Words h = joined(hypothesis), r = joined(reference);
  return {lcs(r, h), std::ssize(h), std::ssize(r)};
}

// Marks the words of a that one longest common subsequence with b has.
void mark_common(const Words& a, const Words& b, std::vector<bool>& marked) {
  std::vector<bool> up;
  lcs(a, b, &up);
  for (size_t i = a.size(), j = b.size(); i > 0 && j > 0;) {
    if (a[i - 1] == b[j - 1]) {
      marked[i - 1] = true;
      --i, --j;
    } else if (up[(i - 1) * b.size() + j - 1]) {
      --i;
    } else {
      --j;
    }
  }
}

std::unordered_map<char32_t, int64_t> counted(const Words& words) {
  std::unordered_map<char32_t, int64_t> out;
  for (const char32_t w : words) ++out[w];
  return out;
}

Overlap summary_overlap(const Sentences& hypothesis, const Sentences& reference) {
  const Words h_words = joined(hypothesis), r_words = joined(reference);
  // A reference's sentences have no more of a word than the reference, so that only the hypothesis' can be used up.
  auto left = counted(h_words);
  Overlap out{.hypothesis = std::ssize(h_words), .reference = std::ssize(r_words)};
  for (const Words& r : reference) {
    std::vector<bool> marked(r.size());
    for (const Words& h : hypothesis) mark_common(r, h, marked);
    for (size_t k = 0; k < r.size(); ++k)
      if (marked[k] && left[r[k]] > 0) ++out.matches, --left[r[k]];
  }
  return out;
}

// The words of a text, any other character being a gap between them.
std::u32string lettered(std::string_view text) {
  std::u32string out = lower(decode_utf8(text));
  for (char32_t& c : out)
    if (!(c >= U'a' && c <= U'z') && !(c >= U'0' && c <= U'9')) c = U' ';
  return out;
}

std::u32string stemmed(std::u32string_view word) {
  const std::string stem = porter_stem(std::string(word.begin(), word.end()));
  return {stem.begin(), stem.end()};
}

class Rouge final : public CorpusMetric {
 public:
  using Compare = std::function<Overlap(const Sentences& hypothesis, const Sentences& reference)>;

  Rouge(std::string name, const RougeOptions& options, Compare compare)
      : name_(std::move(name)), options_(options), compare_(std::move(compare)) {
    check<ConfigError>(valid_utf8(options.separator), "rouge: separator is not UTF-8");
  }

  std::string name() const override { return name_; }
  bool higher_is_better() const override { return true; }
  std::string settings() const override {
    return str_cat("stem:", options_.stem ? "yes" : "no",
                   "|sep:", options_.separator.empty() ? "none" : options_.separator);
  }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    Interner intern;
    const Sentences h = sentences(hypothesis, intern);
    Overlap best = compare_(h, sentences(references.front(), intern));
    for (const std::string& r : references.subspan(1))
      if (const Overlap o = compare_(h, sentences(r, intern)); o.f1() > best.f1()) best = o;
    return {best.f1(), best.precision(), best.recall(), 1};
  }

  double score(const Stats& sum) const override { return 100 * sum[0] / sum[3]; }
  std::string details(const Stats& sum) const override {
    return str_cat("(P = ", fixed(100 * sum[1] / sum[3], 2), " R = ", fixed(100 * sum[2] / sum[3], 2), ")");
  }

 private:
  Sentences sentences(std::string_view text, Interner& intern) const {
    const std::string lines = with_line_breaks(text);
    Sentences out;
    for (size_t begin = 0, end; begin <= lines.size(); begin = end + 1) {
      end = std::min(lines.find('\n', begin), lines.size());
      const std::string_view sentence = std::string_view(lines).substr(begin, end - begin);
      if (Words words = numbered(sentence, intern); !words.empty()) out.push_back(std::move(words));
    }
    return out;
  }

  std::string with_line_breaks(std::string_view text) const {
    const std::string& separator = options_.separator;
    if (separator.empty()) return std::string(text);
    std::string out;
    for (size_t begin = 0, end; begin <= text.size(); begin = end + separator.size()) {
      end = std::min(text.find(separator, begin), text.size());
      out.append(text.substr(begin, end - begin)).push_back('\n');
    }
    return out;
  }

  Words numbered(std::string_view sentence, Interner& intern) const {
    const std::u32string text = lettered(sentence);
    Words out;
    for (const std::u32string_view word : split(text))
      out.push_back(options_.stem && word.size() > kLongestUnstemmed ? intern(stemmed(word)) : intern(word));
    return out;
  }

  std::string name_;
  RougeOptions options_;
  Compare compare_;
};

}  // namespace

void RougeOptions::fields(FieldVisitor& v) {
  v("stem", stem, "compare words of more than 3 characters by their Porter stems");
  v("separator", separator, "what stands between sentences on a line");
}

std::unique_ptr<CorpusMetric> make_rouge_n(int64_t n, const RougeOptions& options) {
  check<ConfigError>(n >= 1 && n <= 9, "rouge: n = ", n, " is outside 1 to 9");
  return std::make_unique<Rouge>(str_cat("rouge", n), options,
                                 [n](const Sentences& h, const Sentences& r) { return ngram_overlap(h, r, n); });
}

std::unique_ptr<CorpusMetric> make_rouge_l(const RougeOptions& options) {
  return std::make_unique<Rouge>("rougeL", options, &lcs_overlap);
}

std::unique_ptr<CorpusMetric> make_rouge_lsum(const RougeOptions& options) {
  return std::make_unique<Rouge>("rougeLsum", options, &summary_overlap);
}

}  // namespace lookback::metrics
