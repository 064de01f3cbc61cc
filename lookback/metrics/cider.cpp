#include "lookback/metrics/cider.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "lookback/base/elementary.h"
#include "lookback/base/parallel.h"
#include "lookback/metrics/ngrams.h"

namespace lookback::metrics {
namespace {

constexpr int64_t kOrders = 4;
constexpr double kSigma = 6;

// Kept in an order of their own, not of a hash: sums have the same bits everywhere.
using Counts = std::map<std::u32string, int64_t>;

Counts counts_of(std::u32string_view words) {
  Counts out;
  for (int64_t n = 1; n <= kOrders; ++n)
    for (int64_t i = 0; i + n <= std::ssize(words); ++i)
      ++out[std::u32string(words.substr(static_cast<size_t>(i), static_cast<size_t>(n)))];
  return out;
}

struct Vector {
  std::array<std::map<std::u32string, double>, kOrders> weights;  // TF-IDF
  std::array<double, kOrders> norms{};
  double length = 0;  // as pycocoevalcap counts it: pairs of words
};

class Frequencies {
 public:
  explicit Frequencies(const std::vector<std::vector<Counts>>& references)
      : log_documents_(elementary::log(static_cast<double>(references.size()))) {
    for (const std::vector<Counts>& of_image : references) {
      std::set<std::u32string_view> seen;
      for (const Counts& counts : of_image)
        for (const auto& [ngram, count] : counts) seen.insert(ngram);
      for (const std::u32string_view ngram : seen) ++documents_[std::u32string(ngram)];
    }
  }

  Vector weighted(const Counts& counts) const {
    Vector out;
    for (const auto& [ngram, count] : counts) {
      const size_t n = ngram.size() - 1;
      const auto it = documents_.find(ngram);
      const double documents = it == documents_.end() ? 1 : static_cast<double>(it->second);
      const double weight = static_cast<double>(count) * (log_documents_ - elementary::log(documents));
      out.weights[n][ngram] = weight;
      out.norms[n] += weight * weight;
      if (n == 1) out.length += static_cast<double>(count);
    }
    for (double& norm : out.norms) norm = std::sqrt(norm);
    return out;
  }

 private:
  std::unordered_map<std::u32string, int64_t> documents_;
  double log_documents_;
};

// Summed over orders.
double similarity(const Vector& hypothesis, const Vector& reference) {
  const double delta = hypothesis.length - reference.length;
  const double penalty = elementary::exp(-delta * delta / (2 * kSigma * kSigma));
  double out = 0;
  for (size_t n = 0; n < kOrders; ++n) {
    double sum = 0;
    for (const auto& [ngram, weight] : hypothesis.weights[n])
      if (const auto it = reference.weights[n].find(ngram); it != reference.weights[n].end())
        sum += std::min(weight, it->second) * it->second;
    const double norms = hypothesis.norms[n] * reference.norms[n];
    if (norms != 0) sum /= norms;
    out += sum * penalty;
  }
  return out;
}

class CiderD final : public CorpusMetric {
 public:
  explicit CiderD(const CaptionOptions& options) : options_(options) { caption_words("", options); }

  std::string name() const override { return "cider_d"; }
  std::string settings() const override { return "n:4|sigma:6|df:scored|tok:" + options_.tokenize; }
  bool higher_is_better() const override { return true; }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    return segments({std::string(hypothesis)}, {{Lines(references.begin(), references.end())}}).front();
  }

  std::vector<Stats> segments(const Lines& hypotheses, const SegmentReferences& references) const override {
    Interner intern;
    std::vector<std::vector<Counts>> counts(references.lines.size());
    std::vector<Counts> own;
    for (size_t i = 0; i < counts.size(); ++i) {
      own.push_back(counts_of(intern.all(caption_words(hypotheses[i], options_))));
      for (const std::string& r : references.lines[i])
        counts[i].push_back(counts_of(intern.all(caption_words(r, options_))));
    }
    const Frequencies frequencies(counts);
    std::vector<Stats> out(counts.size());
    parallel_for(std::ssize(out), 16, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        const Vector hypothesis = frequencies.weighted(own[i]);
        double sum = 0;
        for (const Counts& r : counts[i]) sum += similarity(hypothesis, frequencies.weighted(r));
        out[i] = {10 * sum / static_cast<double>(kOrders) / static_cast<double>(counts[i].size()), 1};
      }
    });
    return out;
  }

  double score(const Stats& sum) const override { return sum[0] / sum[1]; }

 private:
  CaptionOptions options_;
};

}  // namespace

std::unique_ptr<CorpusMetric> make_cider_d(const CaptionOptions& options) { return std::make_unique<CiderD>(options); }

}  // namespace lookback::metrics
