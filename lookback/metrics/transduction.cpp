#include "lookback/metrics/transduction.h"

#include "lookback/base/error.h"
#include "lookback/metrics/edit_distance.h"
#include "lookback/metrics/ngrams.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

class OverSymbols : public CorpusMetric {
 public:
  explicit OverSymbols(const SymbolOptions& options) : words_(options.unit == "word") {
    check<ConfigError>(words_ || options.unit == "char", "unit = '", options.unit, "': choose char or word");
  }

  bool higher_is_better() const override { return false; }
  std::string settings() const override { return str_cat("unit:", words_ ? "word" : "char"); }

 protected:
  // The symbols of a text by number; of equal ones the number is the same within one `intern`.
  std::u32string symbols(std::string_view line, Interner& intern) const {
    const std::u32string text = decode_utf8(line);
    return words_ ? intern.all(split(text)) : std::u32string(strip(text));
  }

 private:
  bool words_;
};

class WordErrorRate final : public OverSymbols {
 public:
  using OverSymbols::OverSymbols;
  std::string name() const override { return "word_error_rate"; }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    Interner intern;
    const std::u32string h = symbols(hypothesis, intern);
    bool right = false;
    for (const std::string& r : references) right |= symbols(r, intern) == h;
    return {right ? 0.0 : 1.0, 1.0};
  }
  double score(const Stats& sum) const override { return 100 * sum[0] / sum[1]; }
  std::string details(const Stats& sum) const override {
    return str_cat("(", static_cast<int64_t>(sum[0]), " of ", static_cast<int64_t>(sum[1]), ")");
  }
};

class SymbolErrorRate final : public OverSymbols {
 public:
  using OverSymbols::OverSymbols;
  std::string name() const override { return "symbol_error_rate"; }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    Interner intern;
    const std::u32string h = symbols(hypothesis, intern);
    EditCounts best = edit_counts(h, symbols(references.front(), intern));
    for (const std::string& r : references.subspan(1)) {
      const EditCounts e = edit_counts(h, symbols(r, intern));
      const bool longer = e.errors() == best.errors() && e.reference_length() > best.reference_length();
      if (e.errors() < best.errors() || longer) best = e;
    }
    return best.stats();
  }
  double score(const Stats& sum) const override { return 100 * EditCounts::of(sum).rate(); }
  std::string details(const Stats& sum) const override { return EditCounts::of(sum).details(); }
};

}  // namespace

void SymbolOptions::fields(FieldVisitor& v) {
  v("unit", unit, "what is compared: char, characters; word, what stands between white space")
      .choices({"char", "word"});
}

std::unique_ptr<CorpusMetric> make_word_error_rate(const SymbolOptions& options) {
  return std::make_unique<WordErrorRate>(options);
}

std::unique_ptr<CorpusMetric> make_symbol_error_rate(const SymbolOptions& options) {
  return std::make_unique<SymbolErrorRate>(options);
}

}  // namespace lookback::metrics
