#include "lookback/nn/encoder.h"

namespace lookback {
namespace {

constexpr ops::Direction kDirections[] = {ops::Direction::forward, ops::Direction::reverse};

Var side_by_side(const std::vector<Var>& parts) { return parts.size() == 1 ? parts[0] : ops::concat_columns(parts); }

}  // namespace

Encoder::Encoder(const EncoderOptions& options, int64_t input_width) : options_(options) {
  for (int64_t k = 0; k < options.layers; ++k) {
    Layer layer;
    for (int64_t d = 0; d < (options.bidirectional ? 2 : 1); ++d)
      layer.directions.push_back(
          recurrent_weights(cell_kind(options.cell), k ? options.width() : input_width, options.hidden));
    if (options.layer_norm) layer.norm = LayerNorm(options.width());
    layers_.push_back(std::move(layer));
  }
}

Encoded Encoder::operator()(const Sequence& embedded, const DropoutOptions& dropout, Noise* noise) const {
  const Steps& steps = embedded.shape.steps();
  const auto sequences = ops::row_ids(steps.sequence_of_rows());
  const auto run = cell_kind(options_.cell) == CellKind::gru ? &ops::gru : &ops::lstm;
  Encoded out{.memory = {Var(), embedded.shape, RowOrder::by_sequence}, .final = {}};
  Var x = DropoutSite(dropout, noise).sequence(rows_in(embedded, RowOrder::by_step), sequences);
  for (size_t k = 0; k < layers_.size(); ++k) {
    const Layer& layer = layers_[k];
    // Between layers only the cells read dropped units; what a residual adds stays whole.
    const Var in = k ? DropoutSite(dropout, noise).sequence(x, sequences) : x;
    std::vector<Var> h, last_h, last_c;
    for (size_t d = 0; d < layer.directions.size(); ++d) {
      ops::RecurrentWeights w = layer.directions[d];
      w.w_hh = drop_weights(w.w_hh, dropout, noise);
      const auto one = run(in, steps, w, options_.time.along(kDirections[d]), {});
      h.push_back(one.h), last_h.push_back(one.last_h);
      if (one.last_c) last_c.push_back(one.last_c);
    }
    out.final.push_back({side_by_side(last_h), last_c.empty() ? Var() : side_by_side(last_c)});
    const bool adds = options_.residual && x.dim(1) == options_.width();
    if (k + 1 == layers_.size() && !adds && !options_.layer_norm) {  // one copy of a long source instead of two
      out.memory.x = ops::concat_columns(h, ops::row_ids(steps.rows_by_sequence()));
      return out;
    }
    Var y = side_by_side(h);
    if (options_.layer_norm) y = ops::layer_norm(y, layer.norm.gamma, layer.norm.beta);
    x = adds ? ops::add(x, y) : y;
  }
  out.memory.x = rows_in({x, embedded.shape, RowOrder::by_step}, RowOrder::by_sequence);
  return out;
}

void Encoder::params(ParamVisitor& v) {
  struct Weights {
    Encoder& encoder;
    void params(ParamVisitor& v) {
      for (size_t k = 0; k < encoder.layers_.size(); ++k)
        for (size_t d = 0; d < encoder.layers_[k].directions.size(); ++d)
          recurrent_params(v, encoder.layers_[k].directions[d], k, kDirections[d]);
    }
  } weights{*this};
  v(options_.cell, weights);
  for (size_t k = 0; k < layers_.size(); ++k) {
    const std::string layer = "layers." + std::to_string(k) + ".norm";
    v(layer, layers_[k].norm);
  }
}

}  // namespace lookback
