#include "lookback/decode/ensemble.h"

#include <algorithm>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/decode/check_output.h"
#include "lookback/decode/fast_math.h"
#include "lookback/decode/row_scan.h"

namespace lookback::decode {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// out = log(mean_m e^(rows[m] - shifts[m])), one model at a time over pieces that stay in cache.
void mean_of_probabilities(const std::vector<const float*>& rows, const std::vector<float>& shifts, int64_t V,
                           float* out) {
  const float log_models = log_from_one(static_cast<float>(rows.size()));
  constexpr int64_t kPiece = 512;
  float highest[kPiece], sum[kPiece], e[kPiece];
  for (int64_t at = 0; at < V; at += kPiece) {
    const int64_t n = std::min(kPiece, V - at);
    std::fill_n(highest, n, -kInfinity);
    std::fill_n(sum, n, 0.0f);
    for (size_t m = 0; m < rows.size(); ++m)
      for (int64_t k = 0; k < n; ++k) highest[k] = std::max(highest[k], rows[m][at + k] - shifts[m]);
    for (size_t m = 0; m < rows.size(); ++m) {
      for (int64_t k = 0; k < n; ++k) e[k] = clamp((rows[m][at + k] - shifts[m]) - highest[k]);
      for (int64_t k = 0; k < n; ++k) sum[k] += exp_clamped(e[k]);
    }
    // Where no model gives a chance, -inf minus -inf was NaN.
    for (int64_t k = 0; k < n; ++k)
      out[at + k] = highest[k] == -kInfinity ? -kInfinity : highest[k] + (log_from_one(sum[k]) - log_models);
  }
}

void mean_of_log_probabilities(const std::vector<const float*>& rows, const std::vector<float>& shifts, int64_t V,
                               float* out) {
  const float share = 1.0f / static_cast<float>(rows.size());
  std::fill_n(out, V, 0.0f);
  for (size_t m = 0; m < rows.size(); ++m)
    for (int64_t k = 0; k < V; ++k) out[k] += rows[m][k] - shifts[m];
  for (int64_t k = 0; k < V; ++k) out[k] *= share;
}

// Mean of the weights [N, T] of the models that have attention.
Tensor mean_weights(const std::vector<StepOutput>& outputs) {
  Tensor mean;
  int count = 0;
  for (const StepOutput& out : outputs) {
    if (out.weights.empty()) continue;
    if (count++ == 0) {
      mean = out.weights.clone();
      continue;
    }
    check(out.weights.shape() == mean.shape(), "Ensemble: attention weights differ in shape, ", mean.shape(), " and ",
          out.weights.shape());
    for (int64_t k = 0; k < mean.size(); ++k) mean.data<float>()[k] += out.weights.data<float>()[k];
  }
  if (count > 1)
    for (float& w : mean.span<float>()) w /= static_cast<float>(count);
  return mean;
}

}  // namespace

Ensemble::Ensemble(std::vector<std::unique_ptr<StepDecoder>> decoders, EnsembleMean mean)
    : decoders_(std::move(decoders)), mean_(mean) {
  check<ConfigError>(!decoders_.empty(), "Ensemble: needs at least one decoder");
  for (const auto& decoder : decoders_)
    check<ConfigError>(decoder->vocabulary() == vocabulary(), "Ensemble: vocabularies of ", vocabulary(), " and ",
                       decoder->vocabulary(), " tokens cannot be averaged");
}

StepOutput Ensemble::step(std::span<const int32_t> tokens, int64_t) {
  const int64_t N = static_cast<int64_t>(tokens.size());
  std::vector<StepOutput> outputs;
  for (const auto& decoder : decoders_) {
    outputs.push_back(decoder->step(tokens));
    check_output(outputs.back(), N, vocabulary(), "Ensemble");
    check(outputs.back().logits.shape() == outputs[0].logits.shape(), "Ensemble: logits differ in shape, ",
          outputs.back().logits.shape(), " and ", outputs[0].logits.shape());
  }
  const int64_t V = outputs[0].logits.dim(1);
  StepOutput mean{Tensor({N, V}), mean_weights(outputs), outputs[0].candidates};
  // A mean of rows that are no distributions is none.
  mean.log_probs = std::ranges::any_of(outputs, [](const StepOutput& out) { return out.log_probs; });
  parallel_for(N, 32768 / std::max<int64_t>(1, V), [&](int64_t begin, int64_t end) {
    std::vector<const float*> rows(outputs.size());
    std::vector<float> shifts(outputs.size());
    RowScan scan;
    for (int64_t row = begin; row < end; ++row) {
      float* out = mean.logits.data<float>() + row * V;
      bool good = true;
      for (size_t m = 0; m < outputs.size(); ++m) {
        rows[m] = outputs[m].logits.data<float>() + row * V;
        scan_step({rows[m], static_cast<size_t>(V)}, outputs[m].log_probs, 0, {}, scan);
        shifts[m] = static_cast<float>(scan.log_sum_exp);
        good &= scan.fault == RowFault::none;
      }
      if (!good)  // search names the sentence
        std::fill_n(out, V, std::numeric_limits<float>::quiet_NaN());
      else if (mean_ == EnsembleMean::probabilities)
        mean_of_probabilities(rows, shifts, V, out);
      else
        mean_of_log_probabilities(rows, shifts, V, out);
      if (good && mean.log_probs)  // which rounding may lift
        for (int64_t k = 0; k < V; ++k) out[k] = std::min(out[k], 0.0f);
    }
  });
  return mean;
}

void Ensemble::reorder(std::span<const int32_t> from) {
  for (const auto& decoder : decoders_) decoder->reorder(from);
}

void Ensemble::admit(int64_t n) {
  for (const auto& decoder : decoders_) decoder->admit(n);
}

std::unique_ptr<StepDecoder> one_or_ensemble(std::vector<std::unique_ptr<StepDecoder>> decoders, EnsembleMean mean) {
  if (decoders.size() == 1) return std::move(decoders[0]);
  return std::make_unique<Ensemble>(std::move(decoders), mean);
}

}  // namespace lookback::decode
