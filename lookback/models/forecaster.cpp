#include "lookback/models/forecaster.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/likelihood.h"

namespace lookback {
namespace {

constexpr double kLeastVariance = 1e-5;  // as RevIN

std::unique_ptr<ForecastNetwork> make_network(const ForecasterOptions& o, const ForecastSizes& sizes) {
  if (o.kind == "seq2seq") return make_encoder_decoder_network(o, sizes);
  if (o.kind == "deepar" || o.autoregressive) return make_autoregressive_network(o, sizes);
  if (o.kind == "tft") return make_temporal_fusion_network(o, sizes);
  return make_direct_network(o, sizes);
}

// The options that only some kinds have.
struct OptionOfKinds {
  std::string_view option;
  StringList kinds;
};
const std::vector<OptionOfKinds>& options_of_kinds() {
  static const std::vector<OptionOfKinds> kOptions = {{"segment", {"segment"}},      {"autoregressive", {"lstm"}},
                                                      {"heads", {"tft", "seq2seq"}}, {"pooling", {"lstm", "segment"}},
                                                      {"decoder", {"seq2seq"}},      {"score", {"seq2seq"}}};
  return kOptions;
}

void check_kind(const ForecasterOptions& o) {
  for (const auto& [option, value] : changed_options(o)) {
    const auto group = std::string_view(option).substr(0, option.find('.'));
    const auto at = std::ranges::find(options_of_kinds(), group, &OptionOfKinds::option);
    check<ConfigError>(at == options_of_kinds().end() || std::ranges::count(at->kinds, o.kind) > 0, "model.", option,
                       " = ", value, " is of kind '",
                       at == options_of_kinds().end() ? "" : joined(at->kinds, "' and '"), "'; this is '", o.kind, "'");
  }
}

}  // namespace

int64_t width_of(const std::vector<ForecastVariable>& variables) {
  int64_t out = 0;
  for (const ForecastVariable& v : variables) out += v.width;
  return out;
}

Tensor ForecastNetwork::paths(const NetworkInput&, const Paths&) const {
  throw Error("forecaster: this network makes its forecasts at once");
}

Forecaster::Forecaster(const ForecasterOptions& options, const ForecastSizes& sizes, uint64_t seed)
    : options_(options), sizes_(sizes) {
  check_kind(options);
  check<ConfigError>(options.dropout.words == 0, "model.word_dropout = ", options.dropout.words,
                     ": a forecaster reads no words");
  check(width_of(sizes.past) >= 2 && width_of(sizes.past) - 2 >= width_of(sizes.future),
        "forecaster: the past has too few variables");
  network_ = make_network(options, sizes);
  check<ConfigError>(!options.linear || !network_->is_autoregressive(),
                     "model.linear = true is of forecasts made at once; kind = '", options.kind,
                     "' reads the value before each: set model.linear = false");
  check<ConfigError>(!sizes.likelihood || network_->is_autoregressive() || options.normalise != "difference",
                     "model.normalise = 'difference': the changes of a likelihood add up only where kind reads the "
                     "value before each; take another one or kind = 'deepar'");
  if (options.linear) linear_ = Linear(sizes.history, sizes.horizon * sizes.outputs, Linear::Bias::no);
  if (seed == kNoInit) return;
  initialise(params_of(*this), options.init, seed);
  for (const Var& v : network_->last_layer()) std::ranges::fill(v.value().span<float>(), 0.0f);
  if (options.linear) std::ranges::fill(linear_.weight.value().span<float>(), 0.0f);
}

void Forecaster::params(ParamVisitor& v) { network_->params(v), v("linear", linear_); }

void Forecaster::start_from(std::span<const double> weights) {
  const int64_t L = sizes_.history, H = sizes_.horizon, Q = sizes_.outputs;
  check(options_.linear && std::ssize(weights) == (L - 1) * H, "forecaster: no linear map of ", weights.size(),
        " weights");
  const Tensor& w = linear_.weight.value();
  for (int64_t h = 0; h < H; ++h)
    for (int64_t q = 0; q < Q; ++q)
      for (int64_t i = 0; i + 1 < L; ++i)
        w.data<float>()[(h * Q + q) * L + i] = static_cast<float>(weights[static_cast<size_t>(i * H + h)]);
  linear_.weight.touch();
}

// value = offset + spread * normalised, in each row.
struct Forecaster::Windows {
  NetworkInput in;
  Tensor offset;    // [B, H * outputs]
  Tensor spread;    // [B]
  Tensor relative;  // [B, L] what the linear map reads: less the last value, over spread
};

Forecaster::Windows Forecaster::normalised(const ForecastBatch& batch) const {
  const int64_t B = std::ssize(batch.lengths), L = sizes_.history, H = sizes_.horizon, Q = sizes_.outputs,
                P = width_of(sizes_.past), F = width_of(sizes_.future), S = width_of(sizes_.fixed),
                span = network_->reads_at_once();
  const auto fits = [](const Tensor& t, int64_t rows, int64_t columns) {
    return columns == 0 ? t.empty() : t.shape() == Shape{rows, columns};
  };
  check(B > 0 && fits(batch.history, B, L) && fits(batch.known, B, L), "forecaster: histories ", batch.history.shape(),
        ", known ", batch.known.shape(), " for ", B, " rows of ", L, " steps");
  check(fits(batch.past, B * L, P - 2) && fits(batch.future, B * H, F) && fits(batch.fixed, B, S),
        "forecaster: variables ", batch.past.shape(), ", ", batch.future.shape(), ", ", batch.fixed.shape(),
        "; wanted are [", B * L, ",", P - 2, "], [", B * H, ",", F, "], [", B, ",", S, "]");
  const Dtype d = network_->last_layer()[0].dtype();
  Windows out{.in = {.lengths = {}, .past = {}, .future = {}, .fixed = {}, .targets = {}},
              .offset = Tensor({B, H * Q}, d),
              .spread = Tensor({B}, d),
              .relative = options_.linear ? Tensor({B, L}, d) : Tensor()};
  int64_t rows = 0;
  for (const int64_t n : batch.lengths) {
    check(0 < n && n <= L, "forecaster: a history of ", n, " steps, where ", L, " are read");
    out.in.lengths.push_back((n + span - 1) / span * span);
    rows += out.in.lengths.back();
  }
  out.in.past = Tensor({rows, P}, d);
  if (F) out.in.future = batch.future.to(d);
  if (S) out.in.fixed = batch.fixed.to(d);
  const Tensor history = batch.history.to(d), known = batch.known.to(d), others = P > 2 ? batch.past.to(d) : Tensor();
  const bool changes = options_.normalise == "difference", instance = options_.normalise == "instance",
             teacher_force = network_->is_autoregressive() && !batch.targets.empty();
  check(!teacher_force || fits(batch.targets, B, H), "forecaster: targets ", batch.targets.shape(), " for ", B,
        " rows of ", H, " steps");
  const Tensor targets = teacher_force ? batch.targets.to(d) : Tensor();
  if (teacher_force) out.in.targets = Tensor({B, H}, d);
  with_float(d, [&]<class R>() {
    R* to = out.in.past.data<R>();
    for (int64_t b = 0; b < B; ++b) {
      const R *const y = history.data<R>() + b * L, *const there = known.data<R>() + b * L;
      const int64_t n = out.in.lengths[static_cast<size_t>(b)], begin = L - n;
      double centre = options_.normalise == "none" ? 0 : static_cast<double>(y[L - 1]), spread = 1;
      if (instance) {
        double sum = 0, squares = 0, count = 0;
        for (int64_t t = begin; t < L; ++t)
          if (there[t] != 0) sum += y[t], squares += static_cast<double>(y[t]) * y[t], ++count;
        if (count > 0) {
          centre = sum / count;
          spread = std::sqrt(std::max(0.0, squares / count - centre * centre) + kLeastVariance);
        }
      }
      out.spread.data<R>()[b] = static_cast<R>(spread);
      const R from = options_.linear || changes ? y[L - 1] : static_cast<R>(centre);
      for (int64_t h = 0; h < H; ++h) {
        // Of a likelihood's parameters the location moves with the values.
        R* const offset = out.offset.data<R>() + (b * H + h) * Q;
        std::fill_n(offset, Q, sizes_.likelihood ? R{0} : from);
        offset[0] = from;
      }
      for (int64_t t = begin; t < L; ++t) {
        const double base = changes ? y[std::max<int64_t>(0, t - 1)] : centre;
        *to++ = static_cast<R>((y[t] - base) / spread);
        *to++ = there[t];
        if (P > 2) to = std::copy_n(others.data<R>() + (b * L + t) * (P - 2), P - 2, to);
      }
      if (teacher_force) {
        R before = y[L - 1];
        for (int64_t h = 0; h < H; ++h) {
          const R now = targets.data<R>()[b * H + h], base = changes ? before : static_cast<R>(centre);
          if (changes) out.offset.data<R>()[(b * H + h) * Q] = before;
          out.in.targets.data<R>()[b * H + h] = static_cast<R>((now - base) / spread);
          if (!std::isnan(now)) before = now;
        }
      }
      for (int64_t t = 0; options_.linear && t < L; ++t)
        out.relative.data<R>()[b * L + t] = static_cast<R>((y[t] - y[L - 1]) / static_cast<R>(spread));
    }
  });
  return out;
}

Var Forecaster::run(const ForecastBatch& batch, Noise* noise, LookedAt* looked) const {
  const Windows windows = normalised(batch);
  Var out = (*network_)(windows.in, noise, looked);
  if (options_.normalise == "difference" && !is_autoregressive()) out = ops::running_sums(out, sizes_.outputs);
  if (options_.linear) out = ops::add(out, linear_(Var(windows.relative)));
  if (sizes_.likelihood)
    out = ops::likelihood_parameters(out, *sizes_.likelihood, windows.spread);
  else if (options_.normalise == "instance")
    out = ops::scale_rows(out, windows.spread);
  return ops::add(out, Var(windows.offset));
}

Var Forecaster::operator()(const ForecastBatch& batch, Noise* noise) const { return run(batch, noise, nullptr); }

Tensor Forecaster::paths(const ForecastBatch& batch, const ForecastNetwork::Paths& how) const {
  const NoGrad off;
  ForecastBatch past = batch;
  past.targets = Tensor();
  const Windows windows = normalised(past);
  const Tensor out = network_->paths(windows.in, how);
  const int64_t B = windows.in.B(), S = out.dim(1), H = sizes_.horizon;
  for (int64_t b = 0; b < B; ++b)
    for (int64_t s = 0; s < S; ++s) {
      float* const path = out.data<float>() + (b * S + s) * H;
      float base = windows.offset.data<float>()[b * H * sizes_.outputs];
      for (int64_t h = 0; h < H; ++h) {
        path[h] = base + windows.spread.data<float>()[b] * path[h];
        if (options_.normalise == "difference") base = path[h];
      }
    }
  return out;
}

Forecaster::Forecast Forecaster::forecast(const ForecastBatch& batch) const {
  const NoGrad off;
  Forecast out;
  out.values = run(batch, nullptr, &out.looked).value();
  return out;
}

}  // namespace lookback
