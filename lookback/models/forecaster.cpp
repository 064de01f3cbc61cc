#include "lookback/models/forecaster.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/ops/basic.h"

namespace lookback {
namespace {

// Values, whether they are known, and the calendar.
int64_t features_of(const Forecaster::Sizes& sizes) { return 2 + sizes.calendar; }

// Values that are read at once.
int64_t span_of(const ForecasterOptions& o) { return o.kind == "segment" ? o.segment : 1; }

// [B, H * levels] the last value of each row.
Tensor last_values(const Tensor& history, int64_t columns, Dtype d) {
  const int64_t B = history.dim(0), L = history.dim(1);
  const Tensor from = history.to(d);
  Tensor out({B, columns}, d);
  with_float(d, [&]<class R>() {
    for (int64_t b = 0; b < B; ++b) std::fill_n(out.data<R>() + b * columns, columns, from.data<R>()[b * L + L - 1]);
  });
  return out;
}

}  // namespace

Forecaster::Forecaster(const ForecasterOptions& options, const Sizes& sizes, uint64_t seed)
    : options_(options), sizes_(sizes) {
  const int64_t span = span_of(options);
  check<ConfigError>(options.kind == "segment" || options.segment == ForecasterOptions().segment,
                     "model.segment = ", options.segment, " is of kind 'segment'; this is '", options.kind, "'");
  check<ConfigError>(sizes.history % span == 0, "model.segment = ", span,
                     " does not divide data.history = ", sizes.history);
  check<ConfigError>(options.dropout.words == 0, "model.word_dropout = ", options.dropout.words,
                     ": a forecaster reads no words");
  encoder_ = Encoder(options.encoder, span * features_of(sizes));
  check<ConfigError>(encoder_.shortening() == 1, "model.encoder: a forecaster's blocks keep the number of steps");
  pooling_ = Pooling(options.pooling, encoder_, "model.pooling");
  output_ = Linear(pooling_.width(), sizes.horizon * sizes.levels, Linear::Bias::yes);
  if (options.linear) linear_ = Linear(sizes.history, sizes.horizon * sizes.levels, Linear::Bias::no);
  if (seed == kNoInit) return;
  initialise(params_of(*this), options.init, seed);
  // What the encoder adds begins as nothing: training starts from the linear map, or from the last value.
  for (const Var& v : {output_.weight, output_.bias, linear_.weight})
    if (v) std::ranges::fill(v.value().span<float>(), 0.0f);
}

void Forecaster::params(ParamVisitor& v) {
  v("encoder", encoder_), v("pooling", pooling_), v("output", output_), v("linear", linear_);
}

void Forecaster::start_from(std::span<const double> weights) {
  const int64_t L = sizes_.history, H = sizes_.horizon, Q = sizes_.levels;
  check(options_.linear && std::ssize(weights) == (L - 1) * H, "forecaster: no linear map of ", weights.size(),
        " weights");
  const Tensor& w = linear_.weight.value();
  for (int64_t h = 0; h < H; ++h)
    for (int64_t q = 0; q < Q; ++q)
      for (int64_t i = 0; i + 1 < L; ++i)
        w.data<float>()[(h * Q + q) * L + i] = static_cast<float>(weights[static_cast<size_t>(i * H + h)]);
  linear_.weight.touch();
}

struct Forecaster::Read {
  Var values;  // [B, H * levels]
  Pooled pooled;
};

Forecaster::Read Forecaster::read(const ForecastBatch& batch, Noise* noise) const {
  const int64_t B = batch.history.dim(0), L = sizes_.history, F = sizes_.calendar, span = span_of(options_);
  check(batch.history.shape() == Shape{B, L} && batch.known.shape() == Shape{B, L}, "forecaster: histories ",
        batch.history.shape(), ", known ", batch.known.shape(), " for ", L, " steps");
  check(F == 0 || batch.calendar.shape() == Shape{B, L * F}, "forecaster: calendar ", batch.calendar.shape());
  const Dtype d = output_.weight.dtype();
  Tensor relative({B, L}, d), x({B * L / span, span * features_of(sizes_)}, d);
  with_float(d, [&]<class R>() {
    const Tensor history = batch.history.to(d), known = batch.known.to(d),
                 calendar = F ? batch.calendar.to(d) : Tensor();
    R* to = x.data<R>();
    for (int64_t b = 0; b < B; ++b) {
      const R *const row = history.data<R>() + b * L, *const there = known.data<R>() + b * L;
      R* const out = relative.data<R>() + b * L;
      for (int64_t t = 0; t < L; ++t) out[t] = row[t] - row[L - 1];
      for (int64_t t = 0; t < L; t += span) {
        to = std::copy_n(out + t, span, to);
        to = std::copy_n(there + t, span, to);
        if (F) to = std::copy_n(calendar.data<R>() + (b * L + t) * F, span * F, to);
      }
    }
  });
  const Ragged shape(std::vector<int64_t>(static_cast<size_t>(B), L / span));
  const Encoded encoded = encoder_({Var(x), shape, RowOrder::by_sequence}, options_.dropout, noise);
  const Pooled pooled = pooling_(encoded);
  // Sequences of one length keep their order.
  Var changes = output_(DropoutSite(options_.dropout, noise).step(pooled.x));
  if (options_.linear) changes = ops::add(changes, linear_(Var(relative)));
  return {ops::add(changes, Var(last_values(batch.history, changes.dim(1), d))), pooled};
}

Var Forecaster::operator()(const ForecastBatch& batch, Noise* noise) const { return read(batch, noise).values; }

Forecaster::Forecast Forecaster::forecast(const ForecastBatch& batch) const {
  const NoGrad off;
  const Read got = read(batch, nullptr);
  Forecast out{.values = got.values.value(), .weights = {}};
  if (!got.pooled.weights) return out;
  const int64_t hops = options_.pooling.hops;
  for (int64_t b = 0; b < batch.history.dim(0); ++b)
    out.weights.push_back(over_tokens(got.pooled.weights.value().rows(b * hops, (b + 1) * hops),
                                      std::vector<int64_t>(static_cast<size_t>(hops), sizes_.history),
                                      span_of(options_)));
  return out;
}

}  // namespace lookback
