// LSTM or GRU layers one on the other, in one direction or both.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "lookback/nn/block.h"
#include "lookback/nn/linear.h"
#include "lookback/nn/projected_embedding_cache.h"

namespace lookback {

class RecurrentStack final : public Block {
 public:
  // Of the options those of recurrent layers.
  RecurrentStack(const EncoderOptions& options, int64_t input_width);

  Encoded operator()(const Sequence& x, const BlockRun& run) const override { return (*this)(x, run, {}); }
  // The same going on from the states `before`, as Encoded::final gives them; for layers of one direction. Empty:
  // from zeros.
  Encoded operator()(const Sequence& x, const BlockRun& run, const std::vector<CellState>& before) const;
  std::string cannot_continue() const override { return options_.bidirectional ? "looks ahead" : ""; }
  Var continued(const Sequence& x, const BlockRun& run, BlockState& state) const override;
  RowOrder reads() const override { return RowOrder::by_step; }
  int64_t width() const override { return options_.bidirectional ? 2 * options_.hidden : options_.hidden; }
  std::vector<int64_t> final_widths() const override {
    return std::vector<int64_t>(static_cast<size_t>(options_.layers), width());
  }
  bool needs_exact_input() const override { return options_.residual && input_width_ == width(); }
  // lstm.weight_ih_l0, ..., layers.0.norm.gamma
  void params(ParamVisitor& v) override;

 private:
  // Every direction of a layer.
  std::vector<ops::RecurrentOut> run(const Var& x, const Steps& steps, size_t layer, const CellState& before,
                                     const BlockRun& block) const;
  // The same of the first over embeddings of which no gradient is wanted: a word meets the weights once.
  std::vector<ops::RecurrentOut> run(const Var& table, const ops::RowIds& ids, const Steps& steps,
                                     const CellState& before) const;

  struct Layer {
    std::vector<ops::RecurrentWeights> directions;  // forward, then reverse
    LayerNorm norm;
  };

  EncoderOptions options_;
  int64_t input_width_;
  std::vector<Layer> layers_;
  std::shared_ptr<std::array<ProjectedEmbeddingCache, 2>> input_parts_;  // of the first layer's directions
};

}  // namespace lookback
