#include "lookback/nn/segmented_encoder.h"

#include <numeric>

namespace lookback {

SegmentedEncoder::SegmentedEncoder(const SegmentOptions& options, const Encoder& words, bool attended,
                                   const std::string& where)
    : pooling_(options.pooling, words, where + ".pooling"),
      outer_(options.encoder, pooling_.width(), where + ".encoder") {
  if (attended) context_ = Linear(outer_.width(), words.width(), Linear::Bias::no);
  check<ConfigError>(words.shortening() == 1, "model.encoder: a block that shortens does not go with ", where,
                     ", whose words are attended to one by one");
  check<ConfigError>(outer_.shortening() == 1, where, ".encoder: a block that shortens has no meaning here");
}

void SegmentedEncoder::params(ParamVisitor& v) {
  v("pooling", pooling_);
  v("encoder", outer_);
  v("context", context_);
}

Encoded SegmentedEncoder::operator()(const Encoded& inner, const std::vector<int64_t>& counts,
                                     const DropoutOptions& dropout, Noise* noise) const {
  const MemoryLayout& parts = inner.memory.shape.memory();
  const std::vector<int32_t> rank_of_part = inner.memory.shape.rank_of_sequence();
  std::vector<size_t> first{0};  // part of each source
  std::vector<int64_t> words;    // of each source
  for (const int64_t n : counts) {
    first.push_back(first.back() + static_cast<size_t>(n));
    int64_t sum = 0;
    for (size_t p = first[first.size() - 2]; p < first.back(); ++p) sum += parts.length(rank_of_part.at(p));
    words.push_back(sum);
  }
  check(first.back() == rank_of_part.size(), "segmented encoder: ", rank_of_part.size(), " parts for ", first.back());

  const Ragged outer_shape(counts);
  std::vector<int32_t> rows;
  for (const int32_t source : outer_shape.sequence_of_rank())
    rows.insert(rows.end(), rank_of_part.begin() + static_cast<int64_t>(first[static_cast<size_t>(source)]),
                rank_of_part.begin() + static_cast<int64_t>(first[static_cast<size_t>(source) + 1]));
  const Encoded outer =
      outer_({ops::gather_rows(pooling_(inner).x, ops::row_ids(std::move(rows))), outer_shape, RowOrder::by_sequence},
             dropout, noise);
  const Var outer_rows = rows_in(outer.memory, RowOrder::by_sequence);

  // Everything from here on in the order of the sources' words.
  const Ragged shape(words);
  const std::vector<int32_t> outer_rank = outer_shape.rank_of_sequence();
  std::vector<int32_t> word_rows, part_of_word, part_rows, source_rows;
  std::vector<int64_t> part_counts;
  for (const int32_t source : shape.sequence_of_rank()) {
    const auto b = static_cast<size_t>(source);
    source_rows.push_back(outer_rank[b]);
    part_counts.push_back(counts[b]);
    auto row = static_cast<int32_t>(outer_shape.memory().begin(outer_rank[b]));
    for (size_t p = first[b]; p < first[b + 1]; ++p, ++row) {
      part_rows.push_back(row);
      for (int64_t w = parts.begin(rank_of_part[p]); w < parts.begin(rank_of_part[p] + 1); ++w)
        word_rows.push_back(static_cast<int32_t>(w)), part_of_word.push_back(row);
    }
  }
  Var memory = ops::gather_rows(rows_in(inner.memory, RowOrder::by_sequence), ops::row_ids(std::move(word_rows)));
  if (context_.weight)
    memory = ops::add(memory, ops::gather_rows(context_(outer_rows), ops::row_ids(std::move(part_of_word))));
  Encoded out{.memory = {memory, shape, RowOrder::by_sequence},
              .final = {},
              .outer = OuterMemory{ops::gather_rows(outer_rows, ops::row_ids(std::move(part_rows))),
                                   MemoryLayout(part_counts)}};
  const ops::RowIds order = ops::row_ids(std::move(source_rows));
  for (const CellState& s : outer.final)
    out.final.push_back({ops::gather_rows(s.h, order), s.c ? ops::gather_rows(s.c, order) : Var()});
  return out;
}

}  // namespace lookback
