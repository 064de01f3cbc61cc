#include "lookback/nn/pooling.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"
#include "lookback/ops/attention.h"
#include "lookback/ops/pooling.h"

namespace lookback {
namespace {

// `hops` query rows for each sequence.
ops::Visible each_sequence(const MemoryLayout& memory, int64_t hops) {
  std::vector<int32_t> sentence;
  for (int32_t s = 0; s < memory.sentences(); ++s) sentence.insert(sentence.end(), static_cast<size_t>(hops), s);
  return {memory, ops::row_ids(std::move(sentence))};
}

// Row 0, 1, ... of a table of queries, again for each sequence.
ops::RowIds queries_of(int64_t sequences, int64_t hops) {
  std::vector<int32_t> out;
  for (int64_t s = 0; s < sequences; ++s)
    for (int32_t k = 0; k < hops; ++k) out.push_back(k);
  return ops::row_ids(std::move(out));
}

// [B * hops, C] -> [B, hops * C]
Var side_by_side(const Var& x, int64_t sequences, int64_t hops) {
  if (hops == 1) return x;
  std::vector<Var> parts;
  for (int64_t k = 0; k < hops; ++k) {
    std::vector<int32_t> rows;
    for (int64_t s = 0; s < sequences; ++s) rows.push_back(static_cast<int32_t>(s * hops + k));
    parts.push_back(ops::gather_rows(x, ops::row_ids(std::move(rows))));
  }
  return ops::concat_columns(parts);
}

}  // namespace

Var mean_pooled(const Sequence& x) {
  const ops::Visible visible = each_sequence(x.shape.memory(), 1);
  const Var rows = rows_in(x, RowOrder::by_sequence);
  const Var energies(Tensor::zeros({visible.N(), visible.T()}, rows.dtype()));
  return ops::attend(energies, rows, visible).context;
}

Pooling::Pooling(const PoolingOptions& options, const Encoder& encoder, const std::string& where) : options_(options) {
  const int64_t C = encoder.width();
  check<ConfigError>(options.has_attention() || options.hops == 1, where, ".hops = ", options.hops,
                     " needs attention, and ", where, ".kind is '", options.kind, "'");
  check<ConfigError>(options.kind == "additive" || options.attention == 0, where, ".attention = ", options.attention,
                     " is the width of kind = 'additive'; this is '", options.kind, "'");
  const auto width_of = [&](const std::string& kind) { return kind == "last" ? encoder.final_widths().back() : C; };
  width_ = options.has_attention() ? options.hops * C : width_of(options.kind);
  StringList known{options.kind};
  for (const std::string& kind : options.also) {
    check<ConfigError>(kind == "last" || kind == "mean" || kind == "max", where, ".also: '", kind,
                       "' is none of last, mean and max", nearest_match(kind, {"last", "mean", "max"}));
    check<ConfigError>(std::ranges::find(known, kind) == known.end(), where, ".also: '", kind, "' is there twice");
    known.push_back(kind);
    width_ += width_of(kind);
  }
  if (!options.has_attention()) return;
  const int64_t A = options.attention ? options.attention : C;
  if (options.kind == "additive") projection_ = Linear(C, A, Linear::Bias::yes);
  query_ = Var::parameter(Tensor::zeros({options.hops, A}));
}

Var Pooling::pooled_without_attention(const std::string& kind, const Encoded& encoded) const {
  if (kind == "last") return encoded.final.back().h;
  if (kind == "mean") return mean_pooled(encoded.memory);
  return ops::max_rows(rows_in(encoded.memory, RowOrder::by_sequence), encoded.memory.shape.memory());
}

Pooled Pooling::operator()(const Encoded& encoded) const {
  std::vector<Var> parts;
  Var weights;
  if (options_.has_attention()) {
    const MemoryLayout& layout = encoded.memory.shape.memory();
    const Var rows = rows_in(encoded.memory, RowOrder::by_sequence);
    const int64_t B = layout.sentences();
    const Var keys = options_.kind == "additive" ? ops::tanh(projection_(rows)) : rows;
    const ops::Visible visible = each_sequence(layout, options_.hops);
    const Var query = ops::gather_rows(query_, queries_of(B, options_.hops));
    const auto attended = ops::attend(ops::score_dot(query, keys, visible), rows, visible);
    parts.push_back(side_by_side(attended.context, B, options_.hops));
    weights = attended.weights;
  } else {
    parts.push_back(pooled_without_attention(options_.kind, encoded));
  }
  for (const std::string& kind : options_.also) parts.push_back(pooled_without_attention(kind, encoded));
  return {parts.size() == 1 ? parts[0] : ops::concat_columns(parts), weights};
}

void Pooling::params(ParamVisitor& v) {
  v("projection", projection_);
  v("query", query_, Role::score_filter);
}

}  // namespace lookback
