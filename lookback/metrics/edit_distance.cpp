#include "lookback/metrics/edit_distance.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/metrics/ngrams.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

// (errors, substitutions) of the best alignment of two prefixes. With the errors fewest, the fewest substitutions
// means the most hits, and the two prefix lengths give the rest: deletions - insertions is their difference.
using Cost = std::pair<int64_t, int64_t>;

template <class Sequence>
EditCounts count_edits(const Sequence& hypothesis, const Sequence& reference) {
  const auto n = static_cast<int64_t>(hypothesis.size()), m = static_cast<int64_t>(reference.size());
  std::vector<Cost> row(n + 1);
  for (int64_t j = 0; j <= n; ++j) row[j] = {j, 0};
  for (int64_t i = 1; i <= m; ++i) {
    Cost diagonal = std::exchange(row[0], {i, 0});
    for (int64_t j = 1; j <= n; ++j) {
      const int64_t differ = reference[i - 1] != hypothesis[j - 1];
      const Cost replace{diagonal.first + differ, diagonal.second + differ};
      const Cost remove{row[j].first + 1, row[j].second}, insert{row[j - 1].first + 1, row[j - 1].second};
      diagonal = std::exchange(row[j], std::min({replace, remove, insert}));
    }
  }
  const auto [errors, substitutions] = row[n];
  EditCounts out{.substitutions = substitutions};
  out.deletions = (errors - substitutions + m - n) / 2;
  out.insertions = (errors - substitutions - m + n) / 2;
  out.hits = m - substitutions - out.deletions;
  return out;
}

std::u32string single_spaced(std::u32string_view line) {
  std::u32string out;
  for (const std::u32string_view w : split(line)) {
    if (!out.empty()) out += U' ';
    out += w;
  }
  return out;
}

using Edits = EditCounts (*)(std::string_view, std::string_view, const ErrorRateOptions&);

class ErrorRate final : public CorpusMetric {
 public:
  ErrorRate(const char* name, Edits edits, const ErrorRateOptions& options)
      : name_(name), edits_(edits), options_(options) {}

  std::string name() const override { return name_; }
  bool higher_is_better() const override { return false; }
  std::string settings() const override {
    return str_cat("case:", options_.lowercase ? "lc" : "mixed", "|punct:", options_.no_punct ? "no" : "yes");
  }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    EditCounts best = edits_(hypothesis, references.front(), options_);
    for (const std::string& r : references.subspan(1)) {
      const EditCounts e = edits_(hypothesis, r, options_);
      if (e.rate() < best.rate()) best = e;
    }
    return best.stats();
  }

  double score(const Stats& sum) const override { return 100 * EditCounts::of(sum).rate(); }
  std::string details(const Stats& sum) const override { return EditCounts::of(sum).details(); }

 private:
  const char* name_;
  Edits edits_;
  ErrorRateOptions options_;
};

}  // namespace

std::u32string prepared_line(std::string_view line, const ErrorRateOptions& options) {
  std::u32string t = decode_utf8(line);
  if (options.lowercase) t = lower(t);
  if (options.no_punct) std::erase_if(t, is_punctuation);
  return t;
}

double EditCounts::rate() const {
  if (reference_length() == 0) return errors() > 0 ? 1 : 0;
  return static_cast<double>(errors()) / static_cast<double>(reference_length());
}

Stats EditCounts::stats() const {
  return {static_cast<double>(hits), static_cast<double>(substitutions), static_cast<double>(deletions),
          static_cast<double>(insertions)};
}

EditCounts EditCounts::of(const Stats& stats) {
  const auto whole = [&](size_t k) { return static_cast<int64_t>(stats[k]); };
  return {.hits = whole(0), .substitutions = whole(1), .deletions = whole(2), .insertions = whole(3)};
}

std::string EditCounts::details() const {
  return str_cat("(sub = ", substitutions, " del = ", deletions, " ins = ", insertions,
                 " ref_len = ", reference_length(), ")");
}

EditCounts edit_counts(std::u32string_view hypothesis, std::u32string_view reference) {
  return count_edits(hypothesis, reference);
}

EditCounts edit_counts(std::span<const int64_t> hypothesis, std::span<const int64_t> reference) {
  return count_edits(hypothesis, reference);
}

EditCounts word_edits(std::string_view hypothesis, std::string_view reference, const ErrorRateOptions& options) {
  Interner intern;
  const std::u32string h = prepared_line(hypothesis, options), r = prepared_line(reference, options);
  const std::u32string h_words = intern.all(split(h)), r_words = intern.all(split(r));
  return edit_counts(h_words, r_words);
}

EditCounts char_edits(std::string_view hypothesis, std::string_view reference, const ErrorRateOptions& options) {
  return edit_counts(single_spaced(prepared_line(hypothesis, options)),
                     single_spaced(prepared_line(reference, options)));
}

void ErrorRateOptions::fields(FieldVisitor& v) {
  v("lowercase", lowercase, "compare without regard to case");
  v("no_punct", no_punct, "leave Unicode punctuation out");
}

std::unique_ptr<CorpusMetric> make_wer(const ErrorRateOptions& options) {
  return std::make_unique<ErrorRate>("WER", &word_edits, options);
}

std::unique_ptr<CorpusMetric> make_cer(const ErrorRateOptions& options) {
  return std::make_unique<ErrorRate>("CER", &char_edits, options);
}

Score corpus_wer(const Lines& hypotheses, const References& references, const ErrorRateOptions& options) {
  return corpus_score(*make_wer(options), hypotheses, references);
}

Score corpus_cer(const Lines& hypotheses, const References& references, const ErrorRateOptions& options) {
  return corpus_score(*make_cer(options), hypotheses, references);
}

}  // namespace lookback::metrics
