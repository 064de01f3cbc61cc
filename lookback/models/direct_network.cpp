// An encoder over what was, its states pooled, and all steps of the horizon at once.
#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/models/forecast_network.h"
#include "lookback/nn/linear.h"
#include "lookback/ops/basic.h"

namespace lookback {
namespace {

// Rows b, each of them `times` times in succession.
ops::RowIds repeated(std::span<const int32_t> rows, int64_t times) {
  std::vector<int32_t> out;
  for (const int32_t row : rows) out.insert(out.end(), static_cast<size_t>(times), row);
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
    output_ = Linear(pooling_.width(), sizes.horizon * sizes.outputs, Linear::Bias::yes);
    if (sizes.future.empty()) return;
    const int64_t D = encoder_.width();
    context_ = Linear(pooling_.width(), D, Linear::Bias::yes);
    step_ = Linear(width_of(sizes.future), D, Linear::Bias::no);
    step_output_ = Linear(D, sizes.outputs, Linear::Bias::no);
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
    v("context", context_), v("step", step_), v("step_output", step_output_);
  }

  Var operator()(const NetworkInput& in, Noise* noise, LookedAt* looked) const override {
    const Ragged shape(lengths_in_segments(in));
    const Pooled pooled = pooling_(encoder_({Var(rows_of(in, shape)), shape, RowOrder::by_sequence}, dropout_, noise));
    if (looked) looked->weights = weights_of(in, pooled, shape);
    const std::vector<int32_t> ranks = shape.rank_of_sequence();
    const Var summary = DropoutSite(dropout_, noise).step(ops::gather_rows(pooled.x, ops::row_ids(ranks)));
    const Var at_once = output_(summary);
    if (sizes_.future.empty()) return at_once;
    // tanh(W summary + V what is known of the step), the same for every step.
    std::vector<int32_t> all(static_cast<size_t>(in.B()));
    for (size_t b = 0; b < all.size(); ++b) all[b] = static_cast<int32_t>(b);
    const Var joined = ops::tanh(ops::add(ops::gather_rows(context_(summary), repeated(all, sizes_.horizon)),
                                          step_(Var(in.future.to(at_once.dtype())))));
    return ops::add(at_once, ops::reshape(step_output_(joined), at_once.shape()));
  }

 private:
  std::vector<int64_t> lengths_in_segments(const NetworkInput& in) const {
    std::vector<int64_t> out;
    for (const int64_t n : in.lengths) out.push_back(n / span_);
    return out;
  }

  // A segment is a row: its steps side by side, then what holds for the whole series. In the order of ranks.
  Tensor rows_of(const NetworkInput& in, const Ragged& shape) const {
    const int64_t P = in.past.dim(1) * span_, S = in.fixed.empty() ? 0 : in.fixed.dim(1);
    std::vector<int64_t> begin{0};
    for (const int64_t n : in.lengths) begin.push_back(begin.back() + n / span_);
    Tensor out({shape.rows(), P + S}, in.past.dtype());
    with_float(out.dtype(), [&]<class R>() {
      R* to = out.data<R>();
      for (const int32_t b : shape.sequence_of_rank())
        for (int64_t row = begin[static_cast<size_t>(b)]; row < begin[static_cast<size_t>(b) + 1]; ++row) {
          to = std::copy_n(in.past.data<R>() + row * P, P, to);
          if (S) to = std::copy_n(in.fixed.data<R>() + b * S, S, to);
        }
    });
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
  bool has_attention_ = false;
  Encoder encoder_;
  Pooling pooling_;
  Linear output_, context_, step_, step_output_;
};

}  // namespace

std::unique_ptr<ForecastNetwork> make_direct_network(const ForecasterOptions& options, const ForecastSizes& sizes) {
  return std::make_unique<DirectNetwork>(options, sizes);
}

}  // namespace lookback
