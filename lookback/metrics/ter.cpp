#include "lookback/metrics/ter.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/metrics/ngrams.h"
#include "lookback/metrics/tokenize.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

class Ter final : public CorpusMetric {
 public:
  explicit Ter(const TerOptions& o)
      : steps_{.normalized = o.normalized,
               .no_punct = o.no_punct,
               .asian_support = o.asian_support,
               .case_sensitive = o.case_sensitive} {}

  std::string name() const override { return "TER"; }
  bool higher_is_better() const override { return false; }

  std::string settings() const override {
    const auto yes_no = [](bool b) { return b ? "yes" : "no"; };
    return str_cat("case:", steps_.case_sensitive ? "mixed" : "lc", "|tok:tercom|norm:", yes_no(steps_.normalized),
                   "|punct:", yes_no(!steps_.no_punct), "|asian:", yes_no(steps_.asian_support));
  }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    Interner intern;
    const std::u32string words = intern.all(preprocessed(hypothesis));
    int64_t fewest = INT64_MAX, length = 0;
    for (const std::string& reference : references) {
      const std::u32string r = intern.all(preprocessed_twice(reference));
      fewest = std::min(fewest, translation_edits(words, r));
      length += static_cast<int64_t>(r.size());
    }
    return {static_cast<double>(fewest), static_cast<double>(length) / static_cast<double>(references.size())};
  }

  double score(const Stats& sum) const override {
    if (sum[1] > 0) return 100 * (sum[0] / sum[1]);
    return sum[0] > 0 ? 100 : 0;
  }

 private:
  std::vector<std::u32string> preprocessed(std::string_view line) const {
    const std::u32string t = decode_utf8(line);
    return tokenize_tercom(strip_right(t), steps_);
  }

  // sacreBLEU tokenizes references when it reads them and again when it counts them, hypotheses only once. It matters
  // where tokenizing is not idempotent: "John's," is "john's ," in a hypothesis and "john 's ," in a reference.
  std::vector<std::u32string> preprocessed_twice(std::string_view line) const {
    std::u32string once;
    for (const std::u32string& word : preprocessed(line)) once += (once.empty() ? U"" : U" ") + word;
    return tokenize_tercom(once, steps_);
  }

  TercomSteps steps_;
};

}  // namespace

void TerOptions::fields(FieldVisitor& v) {
  v("normalized", normalized, "separate punctuation and undo XML escapes first");
  v("no_punct", no_punct, "leave punctuation out");
  v("asian_support", asian_support, "with normalized: CJK characters apart; with no_punct: CJK punctuation out too");
  v("case_sensitive", case_sensitive, "tell upper from lower case");
}

std::unique_ptr<CorpusMetric> make_ter(const TerOptions& options) { return std::make_unique<Ter>(options); }

Score corpus_ter(const Lines& hypotheses, const References& references, const TerOptions& options) {
  return corpus_score(Ter(options), hypotheses, references);
}

Score sentence_ter(const std::string& hypothesis, const Lines& references, const TerOptions& options) {
  return sentence_score(Ter(options), hypothesis, references);
}

}  // namespace lookback::metrics
