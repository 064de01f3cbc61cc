#include "lookback/metrics/chrf.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/metrics/ngrams.h"
#include "lookback/metrics/options_check.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

bool is_ascii_punctuation(char32_t c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

// Words with one punctuation mark taken off: the last if there is one at the end, else the first. '(hi)' becomes
// '(hi' and ')', as in the original.
std::vector<std::u32string_view> separate_punctuation(std::u32string_view text) {
  std::vector<std::u32string_view> out;
  for (const std::u32string_view w : split(text)) {
    size_t cut = 0;
    if (w.size() > 1 && is_ascii_punctuation(w.back()))
      cut = w.size() - 1;
    else if (w.size() > 1 && is_ascii_punctuation(w.front()))
      cut = 1;
    if (cut > 0) out.push_back(w.substr(0, cut));
    out.push_back(w.substr(cut));
  }
  return out;
}

// A line ready to be counted.
struct Symbols {
  std::u32string characters;
  std::u32string words;  // numbered by the segment's Interner
};

class Chrf final : public CorpusMetric {
 public:
  explicit Chrf(const ChrfOptions& options) : options_(options) {
    check_options("chrf", options_);
    check<ConfigError>(orders() > 0, "chrf: char_order and word_order are both 0; set one of them");
  }

  std::string name() const override {
    return "chrF" + std::to_string(options_.beta) + std::string(options_.word_order, '+');
  }
  bool higher_is_better() const override { return true; }

  std::string settings() const override {
    return str_cat("case:", options_.lowercase ? "lc" : "mixed", "|eff:", options_.eps_smoothing ? "no" : "yes",
                   "|nc:", options_.char_order, "|nw:", options_.word_order,
                   "|space:", options_.whitespace ? "yes" : "no");
  }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    Interner intern;
    const Symbols h = prepared(hypothesis, intern);
    std::vector<NgramCounts> h_counts;
    for (int64_t k = 0; k < orders(); ++k) h_counts.push_back(counts(h, k));
    Stats best;
    double best_score = -1;
    for (const std::string& reference : references) {
      const Symbols r = prepared(reference, intern);
      Stats stats(3 * orders(), 0.0);
      for (int64_t k = 0; k < orders(); ++k) fill(h_counts[k], counts(r, k), &stats[3 * k]);
      const double f = score(stats);
      if (f > best_score) best_score = f, best = stats;
    }
    return best;
  }

  double score(const Stats& sum) const override {
    constexpr double kEps = 1e-16;
    const auto factor = static_cast<double>(options_.beta * options_.beta);
    double f_sum = 0, precision_sum = 0, recall_sum = 0;
    int64_t both = 0;
    for (int64_t k = 0; k < orders(); ++k) {
      const double hypothesis = sum[3 * k], reference = sum[3 * k + 1], matches = sum[3 * k + 2];
      const double precision = hypothesis > 0 ? matches / hypothesis : kEps;
      const double recall = reference > 0 ? matches / reference : kEps;
      const double denominator = factor * precision + recall;
      f_sum += denominator > 0 ? (1 + factor) * precision * recall / denominator : kEps;
      if (hypothesis > 0 && reference > 0) precision_sum += precision, recall_sum += recall, ++both;
    }
    if (options_.eps_smoothing) return 100 * f_sum / static_cast<double>(orders());
    if (both == 0 || precision_sum + recall_sum == 0) return 0;
    const double p = precision_sum / static_cast<double>(both), r = recall_sum / static_cast<double>(both);
    return 100 * ((1 + factor) * p * r / (factor * p + r));
  }

 private:
  int64_t orders() const { return options_.char_order + options_.word_order; }

  Symbols prepared(std::string_view line, Interner& intern) const {
    std::u32string t = decode_utf8(line);
    if (options_.lowercase) t = lower(t);
    Symbols out;
    if (options_.word_order > 0) out.words = intern.all(separate_punctuation(t));
    if (!options_.whitespace) std::erase_if(t, is_space);
    out.characters = std::move(t);
    return out;
  }

  // Order k of the list: characters 1..char_order, then words 1..word_order.
  NgramCounts counts(const Symbols& s, int64_t k) const {
    return k < options_.char_order ? count_ngrams(s.characters, k + 1)
                                   : count_ngrams(s.words, k - options_.char_order + 1);
  }

  static void fill(const NgramCounts& h, const NgramCounts& r, double* out) {
    int64_t hypothesis = 0, reference = 0, matches = 0;
    for (const auto& [ngram, count] : r) reference += count;
    for (const auto& [ngram, count] : h) {
      hypothesis += count;
      if (const auto it = r.find(ngram); it != r.end()) matches += std::min(count, it->second);
    }
    // An order the reference does not have is not held against the hypothesis.
    out[0] = r.empty() ? 0.0 : static_cast<double>(hypothesis);
    out[1] = static_cast<double>(reference);
    out[2] = static_cast<double>(matches);
  }

  ChrfOptions options_;
};

}  // namespace

void ChrfOptions::fields(FieldVisitor& v) {
  v("char_order", char_order, "longest character n-gram").range(0, 100);
  v("word_order", word_order, "longest word n-gram; 2 is chrF++").range(0, 100);
  v("beta", beta, "how much more recall counts than precision").range(1, 1000);
  v("lowercase", lowercase, "compare without regard to case");
  v("whitespace", whitespace, "count white space in character n-grams");
  v("eps_smoothing", eps_smoothing, "average F over all orders, like chrF++.py, NLTK and Moses");
}

std::unique_ptr<CorpusMetric> make_chrf(const ChrfOptions& options) { return std::make_unique<Chrf>(options); }

Score corpus_chrf(const Lines& hypotheses, const References& references, const ChrfOptions& options) {
  return corpus_score(Chrf(options), hypotheses, references);
}

Score sentence_chrf(const std::string& hypothesis, const Lines& references, const ChrfOptions& options) {
  return sentence_score(Chrf(options), hypothesis, references);
}

}  // namespace lookback::metrics
