// Recurrent layers that walk history and horizon alike: a step reads the value before it and what is known of itself,
// and says what its own value is (Salinas et al. 2020, DeepAR). In forecasts the value before is the model's own.
#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/models/forecast_network.h"
#include "lookback/nn/linear.h"
#include "lookback/nn/recurrent_stack.h"
#include "lookback/ops/basic.h"

namespace lookback {
namespace {

constexpr int64_t kPathsAtOnce = 4096;

std::string past_only(const ForecastSizes& sizes) {
  StringList out;
  for (size_t k = 1; k < sizes.past.size(); ++k)
    if (std::ranges::find(sizes.future, sizes.past[k].name, &ForecastVariable::name) == sizes.future.end())
      out.push_back(sizes.past[k].name);
  return joined(out);
}

const EncoderOptions& checked(const ForecasterOptions& o, const ForecastSizes& sizes) {
  check<ConfigError>(o.encoder.blocks.empty(),
                     "model.encoder.blocks: a forecaster that reads its own forecasts is a stack of recurrent layers");
  check<ConfigError>(!o.encoder.bidirectional,
                     "model.encoder.bidirectional = true: a forecaster that reads its own forecasts goes forwards");
  for (const auto& [option, value] : changed_options(o))
    check<ConfigError>(!option.starts_with("pooling."), "model.", option, " = ", value,
                       ": a forecaster that reads its own forecasts pools nothing");
  check<ConfigError>(width_of(sizes.past) - 2 == width_of(sizes.future), "model.kind = '", o.kind,
                     "' reads past-only variables nowhere, for the horizon does not have them: ", past_only(sizes));
  check<ConfigError>(sizes.likelihood || sizes.outputs == 1, "model.kind = '", o.kind,
                     "': a step reads one number of the step before, not ", sizes.outputs,
                     " quantiles; a likelihood gives them too: loss.kind = 'gaussian' or 'student_t'");
  check<ConfigError>(sizes.likelihood || o.kind != "deepar",
                     "model.kind = 'deepar' samples from a likelihood: set loss.kind = 'gaussian' or 'student_t', or "
                     "kind = 'lstm' and autoregressive = true for points");
  return o.encoder;
}

class AutoregressiveNetwork final : public ForecastNetwork {
 public:
  AutoregressiveNetwork(const ForecasterOptions& options, const ForecastSizes& sizes)
      : sizes_(sizes),
        dropout_(options.dropout),
        F_(width_of(sizes.future)),
        S_(width_of(sizes.fixed)),
        encoder_(checked(options, sizes), 2 + F_ + S_),
        output_(encoder_.width(), sizes.outputs, Linear::Bias::yes) {}

  bool is_autoregressive() const override { return true; }
  std::vector<Var> last_layer() const override { return {output_.weight, output_.bias}; }
  void params(ParamVisitor& v) override { v("encoder", encoder_), v("output", output_); }

  Var operator()(const NetworkInput& in, Noise* noise, LookedAt*) const override {
    const int64_t B = in.B(), H = sizes_.horizon;
    check(in.targets.shape() == Shape{B, H}, "forecaster: a network that reads the value before needs targets [", B,
          ",", H, "], got ", in.targets.shape());
    std::vector<int64_t> lengths;
    for (const int64_t n : in.lengths) lengths.push_back(n + H);
    const Ragged shape(lengths);
    const Encoded encoded = run({rows_of(in, shape), shape, RowOrder::by_sequence}, noise);
    std::vector<int32_t> rows;
    for (const int32_t rank : shape.rank_of_sequence())
      for (int64_t h = 0; h < H; ++h) rows.push_back(static_cast<int32_t>(shape.memory().begin(rank + 1) - H + h));
    const ops::RowIds horizon = ops::row_ids(std::move(rows));
    const Var states = DropoutSite(dropout_, noise).step(ops::gather_rows(encoded.memory.x, horizon));
    return ops::reshape(output_(states), {B, H * sizes_.outputs});
  }

  Tensor paths(const NetworkInput& in, const Paths& how) const override {
    const NoGrad off;
    const int64_t B = in.B();
    check(how.samples == 1 || sizes_.likelihood, "forecaster: a network that gives points has one path, not ",
          how.samples);
    check(!sizes_.likelihood || std::ssize(how.rows) == B, "forecaster: ", how.rows.size(), " names for ", B, " rows");
    const Ragged shape(in.lengths);
    const std::vector<CellState> history = run({rows_of(in, shape), shape, RowOrder::by_sequence}, nullptr).final;
    const std::vector<int32_t> ranks = shape.rank_of_sequence();
    Tensor out({B, how.samples, sizes_.horizon});
    for (int64_t first = 0; first < B * how.samples; first += kPathsAtOnce)
      walk(in, how, history, ranks, {first, std::min(B * how.samples, first + kPathsAtOnce)}, out);
    return out;
  }

 private:
  Encoded run(const Sequence& rows, Noise* noise, const std::vector<CellState>& before = {}) const {
    return encoder_(rows, {rows.order, dropout_, noise, true}, before);
  }

  // [value before, whether it is known, what is known of the step, what holds for the series] of each step of the
  // histories, and of the horizon where `shape` has it. Before its first value nothing is known.
  Var rows_of(const NetworkInput& in, const Ragged& shape) const {
    const int64_t P = 2 + F_, H = sizes_.horizon;
    Tensor out({shape.rows(), P + S_}, in.past.dtype());
    std::vector<int64_t> begin{0};
    for (const int64_t n : in.lengths) begin.push_back(begin.back() + n);
    with_float(out.dtype(), [&]<class R>() {
      R* to = out.data<R>();
      for (int64_t rank = 0; rank < shape.sequences(); ++rank) {
        const auto b = static_cast<size_t>(shape.sequence_of_rank()[static_cast<size_t>(rank)]);
        const int64_t n = in.lengths[b], series = static_cast<int64_t>(b);
        const R* const past = in.past.data<R>() + begin[b] * P;
        for (int64_t t = 0; t < shape.memory().length(rank); ++t) {
          if (t == 0) {
            *to++ = 0, *to++ = 0;
          } else if (t <= n) {
            to = std::copy_n(past + (t - 1) * P, 2, to);
          } else {
            // What is not known is read as the value before it, as in histories.
            const R y = in.targets.data<R>()[series * H + t - n - 1];
            *to = std::isnan(y) ? *(to - P - S_) : y;
            *++to = !std::isnan(y), ++to;
          }
          if (F_) to = std::copy_n(t < n ? past + t * P + 2 : in.future.data<R>() + (series * H + t - n) * F_, F_, to);
          if (S_) to = std::copy_n(in.fixed.data<R>() + series * S_, S_, to);
        }
      }
    });
    return Var(out);
  }

  struct Range {
    int64_t first, end;
  };

  // Paths [first, end), that of series b and sample s being b * samples + s, through the horizon.
  void walk(const NetworkInput& in, const Paths& how, const std::vector<CellState>& history,
            const std::vector<int32_t>& ranks, Range range, const Tensor& out) const {
    const int64_t N = range.end - range.first, H = sizes_.horizon, P = 2 + F_, I = P + S_;
    std::vector<int32_t> series, at;
    for (int64_t k = range.first; k < range.end; ++k) {
      series.push_back(static_cast<int32_t>(k / how.samples));
      at.push_back(ranks[static_cast<size_t>(series.back())]);
    }
    const ops::RowIds from = ops::row_ids(std::move(at));
    std::vector<Rng> random;
    for (int64_t k = range.first; sizes_.likelihood && k < range.end; ++k)
      random.emplace_back(how.seed, how.rows[static_cast<size_t>(k / how.samples)] ^
                                        static_cast<uint64_t>(k % how.samples) * 0x9E3779B97F4A7C15U);
    std::vector<CellState> state;
    for (const CellState& s : history)
      state.push_back({ops::gather_rows(s.h, from), s.c ? ops::gather_rows(s.c, from) : Var()});
    const Ragged shape(std::vector<int64_t>(static_cast<size_t>(N), 1));
    const Tensor rows({N, I}, in.past.dtype());
    with_float(rows.dtype(), [&]<class R>() {
      std::vector<int64_t> end;
      for (const int64_t n : in.lengths) end.push_back((end.empty() ? 0 : end.back()) + n);
      for (int64_t k = 0; k < N; ++k) {
        const auto b = static_cast<size_t>(series[static_cast<size_t>(k)]);
        std::copy_n(in.past.data<R>() + (end[b] - 1) * P, 2, rows.data<R>() + k * I);
        if (S_) std::copy_n(in.fixed.data<R>() + static_cast<int64_t>(b) * S_, S_, rows.data<R>() + k * I + P);
      }
      for (int64_t h = 0; h < H; ++h) {
        for (int64_t k = 0; F_ && k < N; ++k)
          std::copy_n(in.future.data<R>() + (series[static_cast<size_t>(k)] * H + h) * F_, F_,
                      rows.data<R>() + k * I + 2);
        Encoded step = run({Var(rows), shape, RowOrder::by_step}, nullptr, state);
        state = std::move(step.final);
        const std::vector<R> values = values_of<R>(output_(step.memory.x), random);
        for (int64_t k = 0; k < N; ++k) {
          const R y = values[static_cast<size_t>(k)];
          rows.data<R>()[k * I] = y, rows.data<R>()[k * I + 1] = 1;
          out.data<float>()[(range.first + k) * H + h] = static_cast<float>(y);
        }
      }
    });
  }

  // One for each path: drawn, where the outputs are parameters of a likelihood.
  template <class R>
  std::vector<R> values_of(const Var& outputs, std::vector<Rng>& random) const {
    const int64_t N = outputs.shape()[0];
    if (!sizes_.likelihood) return {outputs.value().data<R>(), outputs.value().data<R>() + N};
    const Tensor parameters =
        ops::likelihood_parameters(outputs, *sizes_.likelihood, Tensor::full({N}, 1, outputs.dtype())).value();
    std::vector<R> out;
    std::vector<double> of_step(static_cast<size_t>(sizes_.outputs));
    for (int64_t k = 0; k < N; ++k) {
      std::copy_n(parameters.data<R>() + k * sizes_.outputs, sizes_.outputs, of_step.begin());
      out.push_back(static_cast<R>(ops::sample(*sizes_.likelihood, of_step, random[static_cast<size_t>(k)])));
    }
    return out;
  }

  ForecastSizes sizes_;
  DropoutOptions dropout_;
  int64_t F_, S_;
  RecurrentStack encoder_;
  Linear output_;
};

}  // namespace

std::unique_ptr<ForecastNetwork> make_autoregressive_network(const ForecasterOptions& options,
                                                             const ForecastSizes& sizes) {
  return std::make_unique<AutoregressiveNetwork>(options, sizes);
}

}  // namespace lookback
