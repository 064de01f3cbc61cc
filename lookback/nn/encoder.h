#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lookback/nn/block.h"

namespace lookback {

// Weights [N, rows of the memory] as weights of the tokens behind them, [N, the longest]: those behind one row share
// its weight alike. Row n has tokens[n] tokens. No gradients.
Tensor over_tokens(const Tensor& weights, const std::vector<int64_t>& tokens, int64_t shortening);

// From embedded tokens to a memory.
class Encoder {
 public:
  Encoder() = default;
  // With blocks, they are the encoder, and the keys of recurrent layers beside them have no effect: ConfigError if one
  // of these is set. Throws ConfigError as make_block does. `where` is what messages call it: "model.encoder".
  Encoder(const EncoderOptions& options, int64_t input_width, const std::string& where = "model.encoder");

  // embedded [N, E]. Without noise: no dropout. The memory is by sequence. `final` are the states of all recurrent
  // layers; without any, the mean of the memory [B, width] stands for one.
  Encoded operator()(const Sequence& embedded, const DropoutOptions& dropout, Noise* noise) const;

  // Why it cannot read a sequence piece by piece: "model.encoder: a block looks ahead"; "": it can.
  std::string cannot_continue() const;
  // The next rows of one sequence, see Block::continued; states are those of the blocks, none before the first rows.
  Var continued(const Sequence& x, std::vector<BlockState>& states) const;

  int64_t width() const { return blocks_.back()->width(); }
  std::vector<int64_t> final_widths() const;
  // So many tokens stand behind each row of the memory, row t those from t * shortening on.
  int64_t shortening() const;
  bool needs_exact_input() const { return blocks_.front()->needs_exact_input(); }
  // Those of the recurrent stack, or blocks.0.lstm.weight_ih_l0, ...
  void params(ParamVisitor& v);

 private:
  bool is_stack_ = true;
  std::vector<std::shared_ptr<Block>> blocks_;
};

}  // namespace lookback
