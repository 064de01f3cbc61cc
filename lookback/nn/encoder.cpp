#include "lookback/nn/encoder.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/nn/pooling.h"
#include "lookback/nn/recurrent_stack.h"

namespace lookback {

Encoder::Encoder(const EncoderOptions& options, int64_t input_width, const std::string& where)
    : is_stack_(options.blocks.empty()) {
  if (is_stack_) {
    blocks_.push_back(std::make_shared<RecurrentStack>(options, input_width));
    return;
  }
  EncoderOptions beside = options;
  beside.blocks.clear();
  for (const auto& [option, value] : changed_options(beside))
    throw ConfigError(str_cat(where, ".", option, " = ", value, " does not go with ", where,
                              ".blocks, which say what the encoder is"));
  for (size_t k = 0; k < options.blocks.size(); ++k) {
    blocks_.push_back(make_block(options.blocks[k], input_width, str_cat(where, ".blocks.", k)));
    input_width = blocks_.back()->width();
  }
}

Encoded Encoder::operator()(const Sequence& embedded, const DropoutOptions& dropout, Noise* noise) const {
  Encoded out{.memory = embedded, .final = {}};
  if (noise) {
    const RowOrder first = blocks_.front()->reads();
    out.memory = {block_input(embedded, first, {first, dropout, noise, true}), embedded.shape, first};
  }
  for (size_t k = 0; k < blocks_.size(); ++k) {
    const RowOrder next = k + 1 < blocks_.size() ? blocks_[k + 1]->reads() : RowOrder::by_sequence;
    Encoded one = (*blocks_[k])(out.memory, {next, dropout, noise, k > 0});
    out.memory = std::move(one.memory);
    for (CellState& s : one.final) out.final.push_back(std::move(s));
  }
  if (out.final.empty()) out.final.push_back({mean_pooled(out.memory), Var()});
  return out;
}

std::string Encoder::cannot_continue() const {
  for (size_t k = 0; k < blocks_.size(); ++k)
    if (const std::string why = blocks_[k]->cannot_continue(); !why.empty())
      return is_stack_ ? "model.encoder " + why : str_cat("model.encoder.blocks.", k, " ", why);
  return "";
}

Var Encoder::continued(const Sequence& x, std::vector<BlockState>& states) const {
  const DropoutOptions none;
  states.resize(blocks_.size());
  Sequence now = in_order(x, RowOrder::by_step);
  for (size_t k = 0; k < blocks_.size(); ++k)
    now.x = blocks_[k]->continued(now, {RowOrder::by_step, none, nullptr, false}, states[k]);
  return now.x;
}

Tensor over_tokens(const Tensor& weights, const std::vector<int64_t>& tokens, int64_t shortening) {
  const int64_t T = tokens.empty() ? 0 : *std::ranges::max_element(tokens);
  Tensor out = Tensor::zeros({weights.dim(0), T});
  for (size_t n = 0; n < tokens.size(); ++n) {
    const float* const from = weights.data<float>() + static_cast<int64_t>(n) * weights.dim(1);
    float* const to = out.data<float>() + static_cast<int64_t>(n) * T;
    for (int64_t t = 0; t < tokens[n]; ++t)
      to[t] = from[t / shortening] / static_cast<float>(std::min(shortening, tokens[n] - t / shortening * shortening));
  }
  return out;
}

int64_t Encoder::shortening() const {
  int64_t out = 1;
  for (const auto& block : blocks_) out *= block->shortening();
  return out;
}

std::vector<int64_t> Encoder::final_widths() const {
  std::vector<int64_t> out;
  for (const auto& block : blocks_)
    for (const int64_t w : block->final_widths()) out.push_back(w);
  if (out.empty()) out.push_back(width());
  return out;
}

void Encoder::params(ParamVisitor& v) {
  if (is_stack_) return blocks_[0]->params(v);
  for (size_t k = 0; k < blocks_.size(); ++k) v("blocks." + std::to_string(k), *blocks_[k]);
}

}  // namespace lookback
