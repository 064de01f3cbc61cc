#include "lookback/nn/recurrent_stack.h"

#include "lookback/base/error.h"

namespace lookback {
namespace {

constexpr ops::Direction kDirections[] = {ops::Direction::forward, ops::Direction::reverse};

Var side_by_side(const std::vector<Var>& parts) { return parts.size() == 1 ? parts[0] : ops::concat_columns(parts); }

}  // namespace

RecurrentStack::RecurrentStack(const EncoderOptions& options, int64_t input_width)
    : options_(options),
      input_width_(input_width),
      input_parts_(std::make_shared<std::array<ProjectedEmbeddingCache, 2>>()) {
  for (int64_t k = 0; k < options.layers; ++k) {
    Layer layer;
    for (int64_t d = 0; d < (options.bidirectional ? 2 : 1); ++d)
      layer.directions.push_back(recurrent_weights(cell_kind(options.cell), k ? width() : input_width, options.hidden));
    if (options.layer_norm) layer.norm = LayerNorm(width());
    layers_.push_back(std::move(layer));
  }
}

std::vector<ops::RecurrentOut> RecurrentStack::run(const Var& x, const Steps& steps, size_t layer,
                                                   const CellState& before, const BlockRun& block) const {
  std::vector<ops::RecurrentLayer> layers;
  for (size_t d = 0; d < layers_[layer].directions.size(); ++d) {
    ops::RecurrentWeights w = layers_[layer].directions[d];
    w.w_hh = drop_weights(w.w_hh, block.dropout, block.noise);
    layers.push_back({w, options_.time.along(kDirections[d]), {before.h, before.c}});
  }
  return cell_kind(options_.cell) == CellKind::gru ? ops::gru_layers(x, steps, layers)
                                                   : ops::lstm_layers(x, steps, layers);
}

std::vector<ops::RecurrentOut> RecurrentStack::run(const Var& table, const ops::RowIds& ids, const Steps& steps,
                                                   const CellState& before) const {
  const bool gru = cell_kind(options_.cell) == CellKind::gru;
  std::vector<ops::LayerOfParts> layers;
  for (size_t d = 0; d < layers_[0].directions.size(); ++d) {
    const ops::RecurrentWeights& w = layers_[0].directions[d];
    const auto parts = (*input_parts_)[d](table, ids, {w.w_ih, w.b_ih, w.b_hh}, [&](const Var& x) {
      return gru ? ops::gru_input_part(x, w) : ops::lstm_input_part(x, w);
    });
    layers.push_back({{parts.x, parts.ids}, w, kDirections[d], {before.h, before.c}});
  }
  return gru ? ops::gru_from_parts(layers, steps) : ops::lstm_from_parts(layers, steps);
}

Encoded RecurrentStack::operator()(const Sequence& input, const BlockRun& block,
                                   const std::vector<CellState>& before) const {
  check(before.empty() || (!options_.bidirectional && before.size() == layers_.size()),
        "recurrent layers: ", before.size(), " states to go on from, for ", layers_.size(), " layers of one direction");
  const Ragged& shape = input.shape;
  const Steps& steps = shape.steps();
  Encoded out{.memory = {Var(), shape, block.out}, .final = {}};
  const bool by_word = input.rows && !grad_enabled() && !block.noise;
  const auto adds_input = [&](size_t k) { return options_.residual && (k ? width() : input_width_) == width(); };
  Var x = by_word && !adds_input(0) ? Var() : rows_in(input, RowOrder::by_step);
  for (size_t k = 0; k < layers_.size(); ++k) {
    const Layer& layer = layers_[k];
    // Only the cells read dropped units; what a residual adds stays whole.
    const BlockRun between{block.out, block.dropout, block.noise, k > 0 || block.drop_input};
    const bool words = by_word && k == 0;
    const Var in = words ? input.x : block_input({x, shape, RowOrder::by_step}, RowOrder::by_step, between);
    const ops::RowIds ids = words ? row_ids_in(input, RowOrder::by_step) : nullptr;
    std::vector<Var> h, last_h, last_c;
    const CellState start = before.empty() ? CellState() : before[k];
    for (const ops::RecurrentOut& one : words ? run(in, ids, steps, start) : run(in, steps, k, start, block)) {
      h.push_back(one.h), last_h.push_back(one.last_h);
      if (one.last_c) last_c.push_back(one.last_c);
    }
    out.final.push_back({side_by_side(last_h), last_c.empty() ? Var() : side_by_side(last_c)});
    const bool adds = adds_input(k);
    const bool is_last = k + 1 == layers_.size();
    if (is_last && block.only_final) return out;
    if (is_last && !adds && !options_.layer_norm && block.out == RowOrder::by_sequence) {
      // One copy of a long source instead of two.
      out.memory.x = ops::concat_columns(h, ops::row_ids(steps.rows_by_sequence()));
      return out;
    }
    Var y = side_by_side(h);
    if (options_.layer_norm) y = ops::layer_norm(y, layer.norm.gamma, layer.norm.beta);
    x = adds ? ops::add(x, y) : y;
  }
  out.memory.x = rows_in({x, shape, RowOrder::by_step}, block.out);
  return out;
}

Var RecurrentStack::continued(const Sequence& x, const BlockRun& run, BlockState& state) const {
  Encoded out = (*this)(x, {RowOrder::by_step, run.dropout, run.noise, run.drop_input}, state.layers);
  state.layers.clear();
  for (const CellState& s : out.final) state.layers.push_back({Var(s.h.value()), s.c ? Var(s.c.value()) : Var()});
  return out.memory.x;
}

void RecurrentStack::params(ParamVisitor& v) {
  struct Weights {
    RecurrentStack& stack;
    void params(ParamVisitor& v) {
      for (size_t k = 0; k < stack.layers_.size(); ++k)
        for (size_t d = 0; d < stack.layers_[k].directions.size(); ++d)
          recurrent_params(v, stack.layers_[k].directions[d], k, kDirections[d]);
    }
  } weights{*this};
  v(options_.cell, weights);
  for (size_t k = 0; k < layers_.size(); ++k) {
    const std::string layer = "layers." + std::to_string(k) + ".norm";
    v(layer, layers_[k].norm);
  }
}

}  // namespace lookback
