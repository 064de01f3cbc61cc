// An encoder over what was, its states pooled, and all steps of the horizon at once: each with weights of its own or,
// in segments, each segment with the same ones and a place in the horizon that is learnt (Lin et al. 2023, SegRNN).
#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/models/history_rows.h"
#include "lookback/nn/linear.h"
#include "lookback/ops/basic.h"

namespace lookback {
namespace {

// Rows 0 .. n - 1, each of them `times` times in succession.
ops::RowIds repeated(int64_t n, int64_t times) {
  std::vector<int32_t> out;
  for (int64_t row = 0; row < n; ++row) out.insert(out.end(), static_cast<size_t>(times), static_cast<int32_t>(row));
  return ops::row_ids(std::move(out));
}

class DirectNetwork final : public ForecastNetwork {
 public:
  DirectNetwork(const ForecasterOptions& options, const ForecastSizes& sizes)
      : sizes_(sizes),
        dropout_(options.dropout),
        hops_(options.pooling.hops),
        span_(options.kind == "segment" ? options.segment : 1) {
    check<ConfigError>(sizes.history % span_ == 0, "model.segment = ", span_,
                       " does not divide data.history = ", sizes.history);
    encoder_ = Encoder(options.encoder, span_ * width_of(sizes.past) + width_of(sizes.fixed));
    check<ConfigError>(encoder_.shortening() == 1, "model.encoder: a forecaster's blocks keep the number of steps");
    pooling_ = Pooling(options.pooling, encoder_, "model.pooling");
    has_attention_ = options.pooling.has_attention();
    const int64_t D = encoder_.width();
    if (span_ > 1) {
      segments_ = (sizes.horizon + span_ - 1) / span_;
      place_.weight = Var::parameter(Tensor::zeros({segments_, D}));
    }
    output_ = segments_ ? Linear(D, span_ * sizes.outputs, Linear::Bias::yes)
                        : Linear(pooling_.width(), sizes.horizon * sizes.outputs, Linear::Bias::yes);
    if (segments_ || !sizes.future.empty()) context_ = Linear(pooling_.width(), D, Linear::Bias::yes);
    if (sizes.future.empty()) return;
    step_ = Linear(span_ * width_of(sizes.future), D, Linear::Bias::no);
    if (!segments_) step_output_ = Linear(D, sizes.outputs, Linear::Bias::no);
  }

  bool has_attention() const override { return has_attention_; }
  int64_t reads_at_once() const override { return span_; }
  std::vector<Var> last_layer() const override {
    std::vector<Var> out{output_.weight, output_.bias};
    if (step_output_.weight) out.push_back(step_output_.weight);
    return out;
  }
  void params(ParamVisitor& v) override {
    v("encoder", encoder_), v("pooling", pooling_), v("output", output_);
    v("context", context_), v("place", place_), v("step", step_), v("step_output", step_output_);
  }

  Var operator()(const NetworkInput& in, Noise* noise, LookedAt* looked) const override {
    const Ragged shape(lengths_in_segments(in));
    const Pooled pooled = pooling_(encoder_(history_rows(in, shape, span_), dropout_, noise));
    if (looked) looked->weights = weights_of(in, pooled, shape);
    const std::vector<int32_t> ranks = shape.rank_of_sequence();
    const Var summary = DropoutSite(dropout_, noise).step(ops::gather_rows(pooled.x, ops::row_ids(ranks)));
    if (segments_) return by_segment(summary, in, noise);
    const Var at_once = output_(summary);
    if (sizes_.future.empty()) return at_once;
    // tanh(W summary + V what is known of the step), the same for every step.
    const Var joined = ops::tanh(ops::add(ops::gather_rows(context_(summary), repeated(in.B(), sizes_.horizon)),
                                          step_(Var(in.future.to(at_once.dtype())))));
    return ops::add(at_once, ops::reshape(step_output_(joined), at_once.shape()));
  }

 private:
  // tanh(W summary + place + V what is known of the segment), then the same weights for every segment.
  Var by_segment(const Var& summary, const NetworkInput& in, Noise* noise) const {
    const int64_t B = in.B(), H = sizes_.horizon, J = segments_, Q = sizes_.outputs;
    std::vector<int32_t> places, steps;
    for (int64_t b = 0; b < B; ++b) {
      for (int64_t j = 0; j < J; ++j) places.push_back(static_cast<int32_t>(j));
      for (int64_t h = 0; h < H; ++h) steps.push_back(static_cast<int32_t>(b * J * span_ + h));
    }
    Var x = ops::add(ops::gather_rows(context_(summary), repeated(B, J)),
                     ops::gather_rows(place_.weight, ops::row_ids(std::move(places))));
    if (step_.weight) x = ops::add(x, step_(Var(future_in_segments(in).to(x.dtype()))));
    const Var out = output_(DropoutSite(dropout_, noise).step(ops::tanh(x)));
    if (J * span_ == H) return ops::reshape(out, {B, H * Q});
    return ops::reshape(ops::gather_rows(ops::reshape(out, {B * J * span_, Q}), ops::row_ids(std::move(steps))),
                        {B, H * Q});
  }

  // [B * J, span * F]; beyond the horizon are zeros.
  Tensor future_in_segments(const NetworkInput& in) const {
    const int64_t B = in.B(), H = sizes_.horizon, J = segments_, F = in.future.dim(1);
    if (J * span_ == H) return in.future.reshape({B * J, span_ * F});
    Tensor out = Tensor::zeros({B * J, span_ * F}, in.future.dtype());
    with_float(out.dtype(), [&]<class R>() {
      for (int64_t b = 0; b < B; ++b)
        std::copy_n(in.future.data<R>() + b * H * F, H * F, out.data<R>() + b * J * span_ * F);
    });
    return out;
  }

  std::vector<int64_t> lengths_in_segments(const NetworkInput& in) const {
    std::vector<int64_t> out;
    for (const int64_t n : in.lengths) out.push_back(n / span_);
    return out;
  }

  std::vector<Tensor> weights_of(const NetworkInput& in, const Pooled& pooled, const Ragged& shape) const {
    std::vector<Tensor> out;
    if (!pooled.weights) return out;
    const std::vector<int32_t> ranks = shape.rank_of_sequence();
    for (int64_t b = 0; b < in.B(); ++b) {
      const int64_t rank = ranks[static_cast<size_t>(b)];
      out.push_back(over_tokens(pooled.weights.value().rows(rank * hops_, (rank + 1) * hops_),
                                std::vector<int64_t>(static_cast<size_t>(hops_), in.lengths[static_cast<size_t>(b)]),
                                span_));
    }
    return out;
  }

  ForecastSizes sizes_;
  DropoutOptions dropout_;
  int64_t hops_, span_;
  int64_t segments_ = 0;  // of the horizon, with kind = 'segment'
  bool has_attention_ = false;
  Encoder encoder_;
  Pooling pooling_;
  Linear output_, context_, step_, step_output_;
  Embedding place_;  // [segments, D]
};

}  // namespace

std::unique_ptr<ForecastNetwork> make_direct_network(const ForecasterOptions& options, const ForecastSizes& sizes) {
  return std::make_unique<DirectNetwork>(options, sizes);
}

}  // namespace lookback
