#include "lookback/metrics/caption_scores.h"

#include <algorithm>
#include <array>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/metrics/ngrams.h"

namespace lookback::metrics {
namespace {

constexpr double kTiny = 1e-15, kSmall = 1e-9;  // pycocoevalcap's, above and below the line

class CaptionBleu final : public CorpusMetric {
 public:
  CaptionBleu(int64_t n, const CaptionOptions& options) : n_(n), options_(options) {
    check<ConfigError>(n >= 1 && n <= 4, "caption bleu: n = ", n, " is outside 1 to 4");
    caption_words("", options);
  }

  std::string name() const override { return str_cat("bleu", n_); }
  std::string settings() const override { return "tok:" + options_.tokenize; }
  bool higher_is_better() const override { return true; }

  // Words, those of the closest reference, then matches and n-grams of each order.
  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    Interner intern;
    const std::u32string words = intern.all(caption_words(hypothesis, options_));
    const auto length = std::ssize(words);
    std::vector<std::u32string> others;
    int64_t closest = -1;
    for (const std::string& r : references) {
      others.push_back(intern.all(caption_words(r, options_)));
      const int64_t size = std::ssize(others.back()), far = std::abs(size - length), near = std::abs(closest - length);
      if (closest < 0 || far < near || (far == near && size < closest)) closest = size;
    }
    Stats out(static_cast<size_t>(2 + 2 * n_));
    out[0] = static_cast<double>(length), out[1] = static_cast<double>(closest);
    for (int64_t n = 1; n <= n_; ++n) {
      NgramCounts most;
      for (const std::u32string& r : others)
        for (const auto& [ngram, count] : count_ngrams(r, n)) {
          int64_t& m = most[ngram];
          m = std::max(m, count);
        }
      int64_t matches = 0;
      for (const auto& [ngram, count] : count_ngrams(words, n))
        if (const auto it = most.find(ngram); it != most.end()) matches += std::min(count, it->second);
      out[static_cast<size_t>(2 * n)] = static_cast<double>(matches);
      out[static_cast<size_t>(2 * n + 1)] = static_cast<double>(std::max<int64_t>(length - n + 1, 0));
    }
    return out;
  }

  double score(const Stats& sum) const override {
    double product = 1;
    for (int64_t n = 1; n <= n_; ++n) product *= (matches(sum, n) + kTiny) / (total(sum, n) + kSmall);
    const double ratio = (sum[0] + kTiny) / (sum[1] + kSmall);
    const double mean = elementary::pow(product, 1.0 / static_cast<double>(n_));
    return 100 * mean * (ratio < 1 ? elementary::exp(1 - 1 / ratio) : 1);
  }

  std::string details(const Stats& sum) const override {
    std::string out;
    for (int64_t n = 1; n <= n_; ++n) {
      const double precision = total(sum, n) > 0 ? 100 * matches(sum, n) / total(sum, n) : 0;
      out += (n > 1 ? "/" : "") + fixed(precision, 1);
    }
    return str_cat(out, " (hyp_len = ", sum[0], " ref_len = ", sum[1], ")");
  }

 private:
  static double matches(const Stats& sum, int64_t n) { return sum[static_cast<size_t>(2 * n)]; }
  static double total(const Stats& sum, int64_t n) { return sum[static_cast<size_t>(2 * n + 1)]; }

  int64_t n_;
  CaptionOptions options_;
};

class CaptionRouge final : public CorpusMetric {
 public:
  explicit CaptionRouge(const CaptionOptions& options) : options_(options) { caption_words("", options); }

  std::string name() const override { return "rouge_l"; }
  std::string settings() const override { return "beta:1.2|tok:" + options_.tokenize; }
  bool higher_is_better() const override { return true; }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    Interner intern;
    const std::u32string words = words_of(hypothesis, intern);
    double precision = 0, recall = 0;
    for (const std::string& r : references) {
      const std::u32string other = words_of(r, intern);
      const double common = lcs(words, other);
      precision = std::max(precision, common / static_cast<double>(words.size()));
      recall = std::max(recall, common / static_cast<double>(other.size()));
    }
    constexpr double kBeta2 = 1.2 * 1.2;
    const bool some = precision > 0 && recall > 0;
    return {some ? (1 + kBeta2) * precision * recall / (recall + kBeta2 * precision) : 0, 1};
  }
  double score(const Stats& sum) const override { return 100 * sum[0] / sum[1]; }

 private:
  std::u32string words_of(std::string_view line, Interner& intern) const {
    std::vector<std::u32string> words = caption_words(line, options_);
    if (words.empty()) words.emplace_back();
    return intern.all(words);
  }

  static double lcs(std::u32string_view a, std::u32string_view b) {
    std::vector<int32_t> row(b.size() + 1);
    for (const char32_t c : a) {
      int32_t diagonal = 0;
      for (size_t j = 0; j < b.size(); ++j) {
        const int32_t above = row[j + 1];
        row[j + 1] = c == b[j] ? diagonal + 1 : std::max(above, row[j]);
        diagonal = above;
      }
    }
    return row.back();
  }

  CaptionOptions options_;
};

}  // namespace

std::unique_ptr<CorpusMetric> make_caption_bleu(int64_t n, const CaptionOptions& options) {
  return std::make_unique<CaptionBleu>(n, options);
}

std::unique_ptr<CorpusMetric> make_caption_rouge_l(const CaptionOptions& options) {
  return std::make_unique<CaptionRouge>(options);
}

}  // namespace lookback::metrics
