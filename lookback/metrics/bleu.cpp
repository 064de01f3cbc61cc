#include "lookback/metrics/bleu.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"
#include "lookback/metrics/ngrams.h"
#include "lookback/metrics/options_check.h"
#include "lookback/metrics/tokenize.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

struct BleuParts {
  double score = 0, brevity = 1;
  std::vector<double> precisions;  // percent, smoothed
};

int64_t closest_length(int64_t hypothesis, const std::vector<int64_t>& references) {
  return *std::min_element(references.begin(), references.end(), [&](int64_t a, int64_t b) {
    const int64_t da = std::abs(hypothesis - a), db = std::abs(hypothesis - b);
    return da != db ? da < db : a < b;
  });
}

class Bleu final : public CorpusMetric {
 public:
  explicit Bleu(BleuOptions options) : options_(std::move(options)) {
    check_options("bleu", options_);
    check<ConfigError>(options_.smooth_value == -1 || options_.smooth_value >= 0,
                       "bleu: smooth_value = ", options_.smooth_value, " is negative; -1 asks for the default");
    if (options_.smooth_value == -1) options_.smooth_value = options_.smooth == "floor" ? 0.1 : 1.0;
  }

  std::string name() const override { return "BLEU"; }
  bool higher_is_better() const override { return true; }

  std::string settings() const override {
    std::string smooth = options_.smooth;
    if (smooth == "floor" || smooth == "add-k") {
      char value[400];
      std::snprintf(value, sizeof value, "[%.2f]", options_.smooth_value);
      smooth += value;
    }
    return str_cat("case:", options_.lowercase ? "lc" : "mixed", "|eff:", options_.effective_order ? "yes" : "no",
                   "|tok:", options_.tokenize, "|smooth:", smooth);
  }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    Interner intern;
    const std::u32string words = intern.all(preprocessed(hypothesis));
    std::vector<std::u32string> reference_words;
    std::vector<int64_t> lengths;
    for (const std::string& r : references) {
      reference_words.push_back(intern.all(preprocessed(r)));
      lengths.push_back(static_cast<int64_t>(reference_words.back().size()));
    }
    const auto length = static_cast<int64_t>(words.size());
    const int64_t N = options_.max_order;
    Stats out(2 + 2 * N, 0.0);
    out[0] = static_cast<double>(length);
    out[1] = static_cast<double>(closest_length(length, lengths));
    for (int64_t n = 1; n <= N && n <= length; ++n) {
      NgramCounts most;  // of each n-gram, over the references
      for (const std::u32string& r : reference_words)
        for (const auto& [ngram, count] : count_ngrams(r, n)) {
          int64_t& m = most[ngram];
          m = std::max(m, count);
        }
      int64_t matches = 0;
      for (const auto& [ngram, count] : count_ngrams(words, n))
        if (const auto it = most.find(ngram); it != most.end()) matches += std::min(count, it->second);
      out[1 + n] = static_cast<double>(matches);
      out[1 + N + n] = static_cast<double>(length - n + 1);
    }
    return out;
  }

  double score(const Stats& sum) const override { return parts(sum).score; }

  std::string details(const Stats& sum) const override {
    const BleuParts p = parts(sum);
    std::string out;
    char buffer[400];
    for (const double precision : p.precisions) {
      std::snprintf(buffer, sizeof buffer, "%.1f", precision);
      out += (out.empty() ? "" : "/") + std::string(buffer);
    }
    const double ratio = sum[1] ? sum[0] / sum[1] : 0;
    std::snprintf(buffer, sizeof buffer, " (BP = %.3f ratio = %.3f hyp_len = %.0f ref_len = %.0f)", p.brevity, ratio,
                  sum[0], sum[1]);
    return out + buffer;
  }

 private:
  std::vector<std::u32string> preprocessed(std::string_view line) const {
    std::u32string t = decode_utf8(line);
    if (options_.lowercase) t = lower(t);
    return tokenize(strip_right(t), options_.tokenize);
  }

  BleuParts parts(const Stats& sum) const {
    const int64_t N = options_.max_order;
    BleuParts out;
    out.precisions.assign(N, 0.0);
    if (sum[0] < sum[1]) out.brevity = sum[0] > 0 ? elementary::exp(1 - sum[1] / sum[0]) : 0.0;
    if (std::all_of(sum.begin() + 2, sum.begin() + 2 + N, [](double matches) { return matches == 0; })) return out;

    double pseudo = 1;
    int64_t order = N;
    for (int64_t n = 1; n <= N; ++n) {
      double matches = sum[1 + n], total = sum[1 + N + n];
      if (options_.smooth == "add-k" && n > 1) matches += options_.smooth_value, total += options_.smooth_value;
      if (total == 0) break;
      if (options_.effective_order) order = n;
      double& precision = out.precisions[n - 1];
      if (matches != 0)
        precision = 100.0 * matches / total;
      else if (options_.smooth == "exp")
        precision = 100.0 / ((pseudo *= 2) * total);
      else if (options_.smooth == "floor")
        precision = 100.0 * options_.smooth_value / total;
    }
    double log_sum = 0;  // a precision of 0 makes the whole score 0
    for (int64_t n = 0; n < order; ++n) log_sum += elementary::log(out.precisions[n]);
    out.score = out.brevity * elementary::exp(log_sum / static_cast<double>(order));
    return out;
  }

  BleuOptions options_;
};

}  // namespace

void BleuOptions::fields(FieldVisitor& v) {
  v("tokenize", tokenize, "how lines become words: 13a, intl, char or none").choices(tokenizer_names());
  v("lowercase", lowercase, "compare without regard to case");
  v("smooth", smooth, "what replaces an n-gram precision of zero").choices({"none", "floor", "add-k", "exp"});
  v("smooth_value", smooth_value, "value for floor and add-k; -1 means 0.1 and 1").range(-1, 1e9);
  v("effective_order", effective_order, "leave out n-gram orders longer than the hypothesis; for single sentences");
  v("max_order", max_order, "longest n-gram").range(1, 100);
}

std::unique_ptr<CorpusMetric> make_bleu(const BleuOptions& options) { return std::make_unique<Bleu>(options); }

Score corpus_bleu(const Lines& hypotheses, const References& references, const BleuOptions& options) {
  return corpus_score(Bleu(options), hypotheses, references);
}

Score sentence_bleu(const std::string& hypothesis, const Lines& references, const BleuOptions& options) {
  return sentence_score(Bleu(options), hypothesis, references);
}

}  // namespace lookback::metrics
