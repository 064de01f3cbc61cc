// The temporal fusion transformer (Lim et al. 2021, "Temporal fusion transformers for interpretable multi-horizon time
// series forecasting"): the variables of each step weighted and added up, LSTM layers over the history and on over the
// horizon, attention of the horizon's steps over all before them; all joined by gated residual networks. Its parts are
// as in the paper, dropout before every gate but the last. Attention weights are not dropped.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "lookback/base/error.h"
#include "lookback/models/forecast_network.h"
#include "lookback/nn/gated_residual.h"
#include "lookback/nn/pooling.h"
#include "lookback/nn/recurrent.h"
#include "lookback/ops/attention.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/linear.h"

namespace lookback {
namespace {

using Ids = std::vector<int32_t>;

void check_options(const ForecasterOptions& o) {
  EncoderOptions plain = ForecasterOptions().encoder;
  plain.hidden = o.encoder.hidden, plain.layers = o.encoder.layers, plain.time = o.encoder.time;
  EncoderOptions given = o.encoder;
  for (const auto& [option, value] : changed_fields(fields_of(given), fields_of(plain)))
    throw ConfigError(str_cat("model.encoder.", option, " = ", value,
                              " does not go with kind = 'tft', whose encoder is LSTM layers in one direction"));
  check<ConfigError>(o.encoder.hidden % o.heads == 0, "model.heads = ", o.heads,
                     " does not divide model.encoder.hidden = ", o.encoder.hidden);
}

std::vector<Linear> maps_of(const std::vector<ForecastVariable>& variables, int64_t C) {
  std::vector<Linear> out;
  for (const ForecastVariable& v : variables) out.emplace_back(v.width, C, Linear::Bias::yes);
  return out;
}

// Each variable of rows ids[n] of x by its map, [N, C].
std::vector<Var> mapped(std::span<const Linear> maps, const Tensor& x, const Ids& ids) {
  std::vector<Var> out;
  const int64_t N = std::ssize(ids);
  int64_t first = 0;
  for (const Linear& map : maps) {
    const int64_t width = map.weight.dim(1);
    const Tensor columns({N, width}, x.dtype());
    with_float(x.dtype(), [&]<class R>() {
      for (int64_t n = 0; n < N; ++n)
        std::copy_n(x.data<R>() + ids[static_cast<size_t>(n)] * x.dim(1) + first, width, columns.data<R>() + n * width);
    });
    out.push_back(map(Var(columns)));
    first += width;
  }
  return out;
}

// A batch by rank (see Ragged), and the rows that the network has for it: those of the history by step, then H by B of
// the horizon by step.
struct Batch {
  Batch(const NetworkInput& in, int64_t horizon)
      : history(in.lengths), steps(Steps::dense(horizon, in.B())), order(history.sequence_of_rank()) {
    Ids series = history.steps().sequence_of_rows();
    past = ops::row_ids(series);
    future = ops::row_ids(steps.sequence_of_rows());
    series.insert(series.end(), future->begin(), future->end());
    both = ops::row_ids(std::move(series));
  }
  int64_t B() const { return steps.B(); }
  int64_t H() const { return steps.T(); }
  int64_t N() const { return history.rows(); }
  int64_t length(int64_t rank) const { return history.memory().length(rank); }
  // Step t of a series, those of the horizon after its history's.
  int64_t row(int64_t rank, int64_t t) const {
    const int64_t n = length(rank);
    return t < n ? history.steps().row(t, rank) : N() + steps.row(t - n, rank);
  }

  Ragged history;
  Steps steps;
  Ids order;                       // the series of each rank
  ops::RowIds past, future, both;  // the rank of each row
};

class TemporalFusionNetwork final : public ForecastNetwork {
 public:
  TemporalFusionNetwork(const ForecasterOptions& options, const ForecastSizes& sizes)
      : sizes_(sizes), dropout_(options.dropout), time_(options.encoder.time), heads_(options.heads) {
    check_options(options);
    const int64_t C = options.encoder.hidden, V = std::ssize(sizes.past), F = std::ssize(sizes.future),
                  S = std::ssize(sizes.fixed);
    check(F < V && std::ranges::equal(sizes.future, std::span(sizes.past).last(static_cast<size_t>(F)), {},
                                      &ForecastVariable::width, &ForecastVariable::width),
          "forecaster: the past has to end with the variables of the future");
    past_ = maps_of(sizes.past, C);
    fixed_ = maps_of(sizes.fixed, C);
    if (F == 0) step_.weight = Var::parameter(Tensor::zeros({sizes.horizon, C}));
    past_selection_ = VariableSelection(V, C, S > 0);
    if (F) future_selection_ = VariableSelection(F, C, S > 0);
    const GatedResidual::Sizes square{.input = C, .hidden = C, .output = C};
    if (S) {
      fixed_selection_ = VariableSelection(S, C, false);
      if (V > 1) selection_context_ = GatedResidual(square);
      enrichment_context_ = GatedResidual(square);
      initial_h_ = GatedResidual(square);
      initial_c_ = GatedResidual(square);
    }
    for (int64_t k = 0; k < options.encoder.layers; ++k) {
      encoder_.push_back(recurrent_weights(CellKind::lstm, C, C));
      decoder_.push_back(recurrent_weights(CellKind::lstm, C, C));
    }
    lstm_gate_ = GatedAddNorm(C, C);
    enrichment_ = GatedResidual({.input = C, .hidden = C, .output = C, .context = S ? C : 0});
    query_ = Linear(C, C, Linear::Bias::no);
    key_ = Linear(C, C, Linear::Bias::no);
    value_ = Linear(C, C / heads_, Linear::Bias::no);
    attended_ = Linear(C / heads_, C, Linear::Bias::no);
    attention_gate_ = GatedAddNorm(C, C);
    feed_forward_ = GatedResidual(square);
    output_gate_ = GatedAddNorm(C, C);
    output_ = Linear(C, sizes.outputs, Linear::Bias::yes);
  }

  bool has_attention() const override { return true; }
  std::vector<Var> last_layer() const override { return {output_.weight, output_.bias}; }

  void params(ParamVisitor& v) override {
    v("past", past_), v("fixed", fixed_), v("step", step_);
    v("past_selection", past_selection_);
    if (!sizes_.future.empty()) v("future_selection", future_selection_);
    if (!sizes_.fixed.empty()) {
      v("fixed_selection", fixed_selection_);
      if (sizes_.past.size() > 1) v("selection_context", selection_context_);
      v("enrichment_context", enrichment_context_), v("initial_h", initial_h_), v("initial_c", initial_c_);
    }
    LstmLayers encoder{encoder_}, decoder{decoder_};
    v("encoder", encoder), v("decoder", decoder), v("lstm_gate", lstm_gate_), v("enrichment", enrichment_);
    v("query", query_), v("key", key_), v("value", value_), v("attended", attended_);
    v("attention_gate", attention_gate_), v("feed_forward", feed_forward_), v("output_gate", output_gate_);
    v("output", output_);
  }

  Var operator()(const NetworkInput& in, Noise* noise, LookedAt* looked) const override {
    const Batch batch(in, sizes_.horizon);
    const GatedRun past{batch.past, dropout_, noise}, future{batch.future, dropout_, noise},
        both{batch.both, dropout_, noise};
    const Contexts context = contexts_of(in, batch, noise, looked);

    const auto history = past_selection_(past_of(in, batch), context.selection, past);
    const auto horizon = future_of(in, batch, context, future);
    const Var states = run_lstm(history.x, horizon.x, batch, context, noise);
    const Var temporal = lstm_gate_(states, ops::concat_rows({history.x, horizon.x}), both);
    const Var enriched = enrichment_({temporal}, context.enrichment, both);

    // From here on only the horizon.
    const int64_t begin = batch.N(), end = begin + batch.B() * batch.H();
    const Var own = ops::slice_rows(enriched, begin, end);
    const Var attended = attention_gate_(attention(enriched, own, batch, looked), own, future);
    const Var out = output_gate_(feed_forward_({attended}, {}, future), ops::slice_rows(temporal, begin, end),
                                 {batch.future, dropout_, nullptr});
    if (looked) {
      looked->past = means(history.weights, batch.past, batch, sizes_.past);
      looked->future = means(horizon.weights, batch.future, batch, sizes_.future);
    }
    return ops::reshape(ops::gather_rows(output_(out), rows_as_given(batch)), {batch.B(), batch.H() * sizes_.outputs});
  }

 private:
  struct LstmLayers {
    std::vector<ops::RecurrentWeights>& layers;
    void params(ParamVisitor& v) {
      for (size_t k = 0; k < layers.size(); ++k) recurrent_params(v, layers[k], k, ops::Direction::forward);
    }
  };

  // What the fixed variables say to other parts, [B, C] by rank each; all absent without such variables.
  struct Contexts {
    Var selection, enrichment, h, c;
  };

  Contexts contexts_of(const NetworkInput& in, const Batch& batch, Noise* noise, LookedAt* looked) const {
    if (sizes_.fixed.empty()) return {};
    Ids ranks(batch.order.size());
    std::iota(ranks.begin(), ranks.end(), 0);
    const GatedRun run{ops::row_ids(std::move(ranks)), dropout_, noise};
    const auto fixed = fixed_selection_(mapped(fixed_, in.fixed, batch.order), {}, run);
    if (looked) looked->fixed = means(fixed.weights, run.series, batch, sizes_.fixed);
    Contexts out;
    if (sizes_.past.size() > 1) out.selection = selection_context_({fixed.x}, {}, run);
    out.enrichment = enrichment_context_({fixed.x}, {}, run);
    out.h = initial_h_({fixed.x}, {}, run);
    out.c = initial_c_({fixed.x}, {}, run);
    return out;
  }

  std::vector<Var> past_of(const NetworkInput& in, const Batch& batch) const {
    std::vector<int64_t> begin{0};
    for (const int64_t n : in.lengths) begin.push_back(begin.back() + n);
    Ids ids;
    const Steps& steps = batch.history.steps();
    for (int64_t t = 0; t < steps.T(); ++t)
      for (int64_t rank = 0; rank < steps.alive(t); ++rank)
        ids.push_back(static_cast<int32_t>(begin[static_cast<size_t>(batch.order[static_cast<size_t>(rank)])] + t));
    return mapped(past_, in.past, ids);
  }

  // Without variables, steps differ by a learnt vector each.
  VariableSelection::Selected future_of(const NetworkInput& in, const Batch& batch, const Contexts& context,
                                        const GatedRun& run) const {
    Ids ids;
    const bool known = !sizes_.future.empty();
    for (int64_t h = 0; h < batch.H(); ++h)
      for (const int32_t b : batch.order) ids.push_back(static_cast<int32_t>(known ? b * batch.H() + h : h));
    if (!known) return {ops::gather_rows(step_.weight, ops::row_ids(std::move(ids))), {}};
    // The same maps as in the past.
    const auto maps = std::span(past_).last(sizes_.future.size());
    return future_selection_(mapped(maps, in.future, ids), sizes_.future.size() > 1 ? context.selection : Var(), run);
  }

  // The states of the history and of the horizon, [N + H * B, C].
  Var run_lstm(Var history, Var horizon, const Batch& batch, const Contexts& context, Noise* noise) const {
    const auto options = time_.along(ops::Direction::forward);
    for (size_t k = 0; k < encoder_.size(); ++k) {
      if (k) {
        const DropoutSite site(dropout_, noise);
        history = site.sequence(history, batch.past), horizon = site.sequence(horizon, batch.future);
      }
      ops::RecurrentWeights encoder = encoder_[k], decoder = decoder_[k];
      encoder.w_hh = drop_weights(encoder.w_hh, dropout_, noise);
      decoder.w_hh = drop_weights(decoder.w_hh, dropout_, noise);
      const auto before = ops::lstm(history, batch.history.steps(), encoder, options, {context.h, context.c});
      history = before.h;
      horizon = ops::lstm(horizon, batch.steps, decoder, options, {before.last_h, before.last_c}).h;
    }
    return ops::concat_rows({history, horizon});
  }

  // Heads with queries and keys of their own and values in common: the mean of their weights over the values. Each step
  // of the horizon sees the history and the horizon up to itself. x [N + H * B, C], own [H * B, C] -> [H * B, C].
  Var attention(const Var& x, const Var& own, const Batch& batch, LookedAt* looked) const {
    const int64_t B = batch.B(), H = batch.H(), A = x.dim(1) / heads_;
    // Head k of rank r is sentence r * heads + k of the keys.
    std::vector<int64_t> lengths, lengths_of_heads;
    Ids value_rows, key_rows, series, sentence, end;
    for (int64_t rank = 0; rank < B; ++rank) {
      const int64_t T = batch.length(rank) + H;
      lengths.push_back(T);
      lengths_of_heads.insert(lengths_of_heads.end(), static_cast<size_t>(heads_), T);
      for (int64_t t = 0; t < T; ++t) value_rows.push_back(static_cast<int32_t>(batch.row(rank, t)));
      for (int64_t k = 0; k < heads_; ++k)
        for (int64_t t = 0; t < T; ++t) key_rows.push_back(static_cast<int32_t>(batch.row(rank, t) * heads_ + k));
    }
    for (int64_t h = 0; h < H; ++h)
      for (int64_t rank = 0; rank < B; ++rank)
        for (int64_t k = 0; k < heads_; ++k) {
          series.push_back(static_cast<int32_t>(rank));
          sentence.push_back(static_cast<int32_t>(rank * heads_ + k));
          end.push_back(static_cast<int32_t>(batch.length(rank) + h + 1));
        }
    const ops::RowIds first = ops::row_ids(Ids(end.size())), last = ops::row_ids(std::move(end));
    const ops::Visible keys{MemoryLayout(lengths_of_heads), ops::row_ids(std::move(sentence)), first, last},
        values{MemoryLayout(lengths), ops::row_ids(std::move(series)), first, last};
    const Var energies = ops::score_dot(
        ops::reshape(query_(own), {H * B * heads_, A}),
        ops::gather_rows(ops::reshape(key_(x), {x.dim(0) * heads_, A}), ops::row_ids(std::move(key_rows))), keys,
        1 / std::sqrt(static_cast<double>(A)));
    const auto heads = ops::attend(energies, ops::gather_rows(value_(x), ops::row_ids(std::move(value_rows))), values);
    if (looked) look_at(*looked, heads.weights.value(), batch);
    const Ragged alike(std::vector<int64_t>(static_cast<size_t>(H * B), heads_));
    return attended_(mean_pooled({heads.context, alike, RowOrder::by_sequence}));
  }

  // The mean over heads, of each series as given: over its history, and over the horizon.
  void look_at(LookedAt& looked, const Tensor& weights, const Batch& batch) const {
    looked.weights.resize(batch.order.size()), looked.horizon_weights.resize(batch.order.size());
    for (int64_t rank = 0; rank < batch.B(); ++rank) {
      const int64_t L = batch.length(rank), H = batch.H();
      const auto series = static_cast<size_t>(batch.order[static_cast<size_t>(rank)]);
      const Tensor history = Tensor::zeros({H, L}, weights.dtype()), horizon = Tensor::zeros({H, H}, weights.dtype());
      with_float(weights.dtype(), [&]<class R>() {
        for (int64_t h = 0; h < H; ++h)
          for (int64_t k = 0; k < heads_; ++k) {
            const R* const w = weights.data<R>() + ((h * batch.B() + rank) * heads_ + k) * weights.dim(1);
            for (int64_t t = 0; t < L + h + 1; ++t)
              (t < L ? history.data<R>()[h * L + t] : horizon.data<R>()[h * H + t - L]) +=
                  w[t] / static_cast<R>(heads_);
          }
      });
      looked.weights[series] = history, looked.horizon_weights[series] = horizon;
    }
  }

  // [B, variables] of each series as given, the mean over its rows of weights [N, variables].
  Tensor means(const Var& weights, const ops::RowIds& rank_of_row, const Batch& batch,
               const std::vector<ForecastVariable>& variables) const {
    const int64_t V = std::ssize(variables), B = batch.B();
    if (V == 0) return {};
    if (V == 1) return Tensor::full({B, 1}, 1, output_.weight.dtype());
    Tensor out = Tensor::zeros({B, V}, weights.dtype());
    std::vector<int64_t> rows(static_cast<size_t>(B));
    for (const int32_t rank : *rank_of_row) ++rows[static_cast<size_t>(rank)];
    with_float(out.dtype(), [&]<class R>() {
      for (size_t n = 0; n < rank_of_row->size(); ++n) {
        const auto rank = static_cast<size_t>((*rank_of_row)[n]);
        for (int64_t k = 0; k < V; ++k)
          out.data<R>()[batch.order[rank] * V + k] +=
              weights.value().data<R>()[static_cast<int64_t>(n) * V + k] / static_cast<R>(rows[rank]);
      }
    });
    return out;
  }

  // The horizon's rows series after series, as given.
  static ops::RowIds rows_as_given(const Batch& batch) {
    Ids ids(static_cast<size_t>(batch.B() * batch.H()));
    for (int64_t rank = 0; rank < batch.B(); ++rank)
      for (int64_t h = 0; h < batch.H(); ++h)
        ids[static_cast<size_t>(batch.order[static_cast<size_t>(rank)] * batch.H() + h)] =
            static_cast<int32_t>(batch.steps.row(h, rank));
    return ops::row_ids(std::move(ids));
  }

  ForecastSizes sizes_;
  DropoutOptions dropout_;
  ThroughTime time_;
  int64_t heads_;
  std::vector<Linear> past_, fixed_;  // variable by variable
  Embedding step_;                    // [H, C] where nothing is known of the future
  VariableSelection past_selection_, future_selection_, fixed_selection_;
  GatedResidual selection_context_, enrichment_context_, initial_h_, initial_c_;
  std::vector<ops::RecurrentWeights> encoder_, decoder_;
  GatedAddNorm lstm_gate_;
  GatedResidual enrichment_;
  Linear query_, key_, value_, attended_;
  GatedAddNorm attention_gate_;
  GatedResidual feed_forward_;
  GatedAddNorm output_gate_;
  Linear output_;
};

}  // namespace

std::unique_ptr<ForecastNetwork> make_temporal_fusion_network(const ForecasterOptions& options,
                                                              const ForecastSizes& sizes) {
  return std::make_unique<TemporalFusionNetwork>(options, sizes);
}

}  // namespace lookback
