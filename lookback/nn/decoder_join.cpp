// Sentences that join a search when others have left it.
#include "lookback/nn/decoder.h"

namespace lookback {
namespace {

Var joined(const Var& a, const Var& b) { return a && b ? ops::concat_rows({a, b}) : a ? a : b; }

}  // namespace

DecoderState DecoderState::concat(const DecoderState& more) const {
  if (layers.empty()) return more;
  DecoderState out;
  for (size_t k = 0; k < layers.size(); ++k)
    out.layers.push_back({joined(layers[k].h, more.layers[k].h), joined(layers[k].c, more.layers[k].c)});
  out.feed = joined(feed, more.feed);
  return out;
}

void DecoderPass::merge_memory_of(const DecoderPass& before, const std::vector<int32_t>& kept) {
  std::vector<int64_t> lengths;
  std::vector<int32_t> rows;
  for (const int32_t s : kept) {
    lengths.push_back(before.memory_.length(s));
    for (int64_t row = before.memory_.begin(s); row < before.memory_.begin(s + 1); ++row)
      rows.push_back(static_cast<int32_t>(row));
  }
  for (int64_t s = 0; s < memory_.sentences(); ++s) lengths.push_back(memory_.length(s));
  const auto ids = ops::row_ids(std::move(rows));
  // Some scores compare with the values themselves.
  const bool one = keys_.value().shares_storage(values_.value());
  values_ = ops::concat_rows({ops::gather_rows(before.values_, ids), values_});
  keys_ = one ? values_ : ops::concat_rows({ops::gather_rows(before.keys_, ids), keys_});
  memory_ = MemoryLayout(lengths);
}

}  // namespace lookback
