// Texts as a model reads them, and texts that consist of parts: documents of sentences, dialogues of turns.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lookback/models/sentences.h"
#include "lookback/nn/front.h"
#include "lookback/nn/pooling.h"
#include "lookback/nn/regularise.h"

namespace lookback {

// Of each text its tokens and, where the front reads them, how these are written, as data::Spelling says it; of texts
// of parts also how many tokens each part has.
struct NestedTexts {
  Sentences tokens, spellings = {};
  std::vector<std::vector<int64_t>> parts = {};

  int64_t size() const { return std::ssize(tokens); }
  // Some of them, in that order.
  NestedTexts chosen(std::span<const int64_t> index) const;
  // The parts of all texts, one after the other, as texts of their own.
  NestedTexts apart() const;
  // Throws ShapeError for tokens outside the vocabulary, spellings that are wanted and not there, and with `of_parts`
  // for parts that do not make up their texts.
  void check(int64_t vocabulary, bool spelled, bool of_parts) const;
};

// What the front makes of them, by sequence; with noise some words dropped.
Sequence embedded(const Front& front, const NestedTexts& texts, const DropoutOptions& dropout, Noise* noise);

// Rows of the parts of texts, [parts, C] by their ranks in `apart`, as a sequence for each text.
Sequence parts_of_texts(const Var& rows, const Ragged& apart, const NestedTexts& texts);

// Of each text the attention over its tokens, [hops, tokens]; empty without attention and for an empty text.
// `sequence_of_rank`: the order in which they were pooled. So many tokens stand behind each row that was.
std::vector<Tensor> weights_of_texts(const Pooled& pooled, int64_t hops, const Sentences& texts,
                                     const std::vector<int32_t>& sequence_of_rank, int64_t shortening);

}  // namespace lookback
