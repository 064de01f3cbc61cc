// Sentences that join a search when others have left it.
#include <algorithm>

#include "lookback/nn/decoder.h"

namespace lookback {

DecoderState DecoderState::concat(const DecoderState& more) const {
  if (layers.empty()) return more;
  DecoderState out = *this, added = more;
  int64_t T = 0;
  for (DecoderState* s : {&out, &added}) s->attention.rows([&](const Var& x) { T = x ? std::max(T, x.dim(1)) : T; });
  for (DecoderState* s : {&out, &added}) s->attention = with_columns(std::move(s->attention), T);
  std::vector<Var> parts;
  added.rows([&](const Var& x) { parts.push_back(x); });
  auto next = parts.begin();
  out.rows([&](Var& x) {
    if (x) x = ops::concat_rows({x, *next});
    ++next;
  });
  return out;
}

void DecoderPass::Source::merge(const Source& before, const std::vector<int32_t>& kept) {
  std::vector<int64_t> lengths;
  std::vector<int32_t> rows;
  const auto& [keys, values] = before.prepared;
  const int64_t each = values && before.layout.rows() > 0 ? values.dim(0) / before.layout.rows() : 1;
  for (const int32_t s : kept) {
    lengths.push_back(before.layout.length(s));
    for (int64_t row = before.layout.begin(s) * each; row < before.layout.begin(s + 1) * each; ++row)
      rows.push_back(static_cast<int32_t>(row));
  }
  for (int64_t s = 0; s < layout.sentences(); ++s) lengths.push_back(layout.length(s));
  const auto ids = ops::row_ids(std::move(rows));
  // Some scores compare with the values themselves.
  if (values) {
    const bool one = prepared.keys.value().shares_storage(prepared.values.value());
    prepared.values = ops::concat_rows({ops::gather_rows(values, ids), prepared.values});
    prepared.keys = one ? prepared.values : ops::concat_rows({ops::gather_rows(keys, ids), prepared.keys});
  }
  layout = MemoryLayout(lengths);
}

void DecoderPass::merge_memory_of(const DecoderPass& before, const std::vector<int32_t>& kept) {
  source_.merge(before.source_, kept);
  if (outer_) outer_->merge(*before.outer_, kept);
}

}  // namespace lookback
