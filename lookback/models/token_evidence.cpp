#include "lookback/models/token_evidence.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "lookback/base/elementary.h"
#include "lookback/models/lbfgs.h"

namespace lookback {
namespace {

constexpr int32_t kAlone = -1;   // no token behind it
constexpr double kRidge = 1e-6;  // of a blend, so that classes that can be told apart wholly leave it finite
constexpr double kMostShare = 100;

uint64_t key_of(int32_t token, int32_t behind) {
  return static_cast<uint64_t>(static_cast<uint32_t>(token)) << 32 | static_cast<uint32_t>(behind);
}

// f(token, behind) for the features of a text.
template <class F>
void each_feature(std::span<const int32_t> tokens, F&& f) {
  for (size_t k = 0; k < tokens.size(); ++k) {
    f(tokens[k], kAlone);
    if (k + 1 < tokens.size()) f(tokens[k], tokens[k + 1]);
  }
}

}  // namespace

TokenEvidence TokenEvidence::learn(const Sentences& texts, const Sentences& labels, int64_t classes) {
  check<ShapeError>(texts.size() == labels.size(), texts.size(), " texts and ", labels.size(), " labels");
  check<ShapeError>(classes > 0, "evidence of ", classes, " classes");
  const auto K = static_cast<size_t>(classes);
  // How often texts have each feature, and those of each class.
  std::map<std::pair<int32_t, int32_t>, std::vector<double>> counts;
  std::vector<double> totals(K + 1);
  for (size_t n = 0; n < texts.size(); ++n)
    each_feature(texts[n], [&](int32_t token, int32_t behind) {
      std::vector<double>& count = counts.try_emplace({token, behind}, K + 1).first->second;
      ++count[K], ++totals[K];
      for (const int32_t label : labels[n]) ++count[static_cast<size_t>(label)], ++totals[static_cast<size_t>(label)];
    });
  const auto F = static_cast<int64_t>(counts.size());
  Tensor features({F, 2}, Dtype::i32), log_odds({F, classes});
  const auto log_total = [&](double total) { return elementary::log(total + static_cast<double>(F)); };
  int32_t* feature = features.data<int32_t>();
  float* out = log_odds.data<float>();
  for (const auto& [of, count] : counts) {
    *feature++ = of.first, *feature++ = of.second;
    for (size_t k = 0; k < K; ++k)
      *out++ = static_cast<float>(elementary::log(count[k] + 1) - log_total(totals[k]) -
                                  elementary::log(count[K] - count[k] + 1) + log_total(totals[K] - totals[k]));
  }
  return {std::move(features), std::move(log_odds)};
}

TokenEvidence::TokenEvidence(Tensor features, Tensor log_odds)
    : features_(std::move(features)), log_odds_(std::move(log_odds)) {
  check<ShapeError>(features_.dtype() == Dtype::i32 && features_.shape().rank() == 2 && features_.dim(1) == 2 &&
                        log_odds_.dtype() == Dtype::f32 && log_odds_.shape().rank() == 2 &&
                        log_odds_.dim(0) == features_.dim(0) && log_odds_.dim(1) > 0,
                    "evidence has features i32 [F, 2] and log odds f32 [F, classes]");
  check<ShapeError>(std::ranges::all_of(log_odds_.span<float>(), [](float x) { return std::isfinite(x); }),
                    "evidence is not finite");
  const int32_t* const at = features_.data<int32_t>();
  rows_.reserve(static_cast<size_t>(features_.dim(0)));
  for (int64_t f = 0; f < features_.dim(0); ++f)
    check<ShapeError>(rows_.emplace(key_of(at[2 * f], at[2 * f + 1]), f).second, "evidence has a feature twice");
}

std::vector<double> TokenEvidence::of(std::span<const int32_t> tokens) const {
  std::vector<double> out(static_cast<size_t>(classes()));
  double n = 0;
  each_feature(tokens, [&](int32_t token, int32_t behind) {
    ++n;
    const auto row = rows_.find(key_of(token, behind));
    if (row == rows_.end()) return;
    const float* const odds = log_odds_.data<float>() + row->second * classes();
    for (size_t k = 0; k < out.size(); ++k) out[k] += odds[k];
  });
  for (double& x : out) x /= std::sqrt(std::max(n, 1.0));
  return out;
}

Blend fitted_blend(std::span<const int64_t> gold, std::span<const double> logits, std::span<const double> evidence) {
  check<ShapeError>(logits.size() == evidence.size(), logits.size(), " logits and ", evidence.size(),
                    " numbers of evidence");
  if (gold.empty()) return {};
  check<ShapeError>(logits.size() % gold.size() == 0, logits.size(), " logits of ", gold.size(), " examples");
  const size_t N = gold.size(), K = logits.size() / N;
  // The mean negative log-likelihood at x = (1 / temperature, share).
  const auto loss = [&](const std::vector<double>& x, std::vector<double>& gradient) {
    double sum = 0;
    std::vector<double> p(K);
    std::ranges::fill(gradient, 0.0);
    for (size_t n = 0; n < N; ++n) {
      const auto z = logits.subspan(n * K, K), e = evidence.subspan(n * K, K);
      for (size_t k = 0; k < K; ++k) p[k] = x[0] * z[k] + x[1] * e[k];
      const auto right = static_cast<size_t>(gold[n]);
      const double of_right = p[right];
      sum += elementary::softmax(p) - of_right;
      for (size_t k = 0; k < K; ++k) {
        const double d = p[k] - (k == right);
        gradient[0] += d * z[k], gradient[1] += d * e[k];
      }
    }
    const auto count = static_cast<double>(N);
    for (size_t i = 0; i < 2; ++i) gradient[i] = gradient[i] / count + 2 * kRidge * x[i];
    return sum / count + kRidge * (x[0] * x[0] + x[1] * x[1]);
  };
  const std::vector<double> x = minimise(loss, {1, 0});
  return {.temperature = std::clamp(1 / std::max(x[0], 0.01), 0.01, 100.0), .share = std::clamp(x[1], 0.0, kMostShare)};
}

}  // namespace lookback
