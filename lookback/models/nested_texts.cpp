#include "lookback/models/nested_texts.h"

#include "lookback/models/spellings.h"
#include "lookback/models/word_dropout.h"
#include "lookback/nn/encoder.h"

namespace lookback {

NestedTexts NestedTexts::chosen(std::span<const int64_t> index) const {
  NestedTexts out;
  for (const int64_t k : index) {
    const auto at = static_cast<size_t>(k);
    out.tokens.push_back(tokens[at]);
    if (!spellings.empty()) out.spellings.push_back(spellings[at]);
    if (!parts.empty()) out.parts.push_back(parts[at]);
  }
  return out;
}

NestedTexts NestedTexts::apart() const {
  NestedTexts out;
  for (size_t k = 0; k < tokens.size(); ++k) {
    auto token = tokens[k].begin();
    for (const int64_t n : parts[k]) out.tokens.emplace_back(token, token + n), token += n;
    if (spellings.empty()) continue;
    auto letter = spellings[k].begin();
    for (const int64_t n : parts[k]) {
      auto& spelling = out.spellings.emplace_back();
      for (int64_t begun = 0; letter != spellings[k].end(); spelling.push_back(*letter++))
        if (*letter < Front::kCases && ++begun > n) break;
    }
  }
  return out;
}

void NestedTexts::check(int64_t vocabulary, bool spelled, bool of_parts) const {
  using lookback::check;
  check_ids(tokens, vocabulary, "text");
  check(!spelled || spellings.size() == tokens.size(), "spellings of ", spellings.size(), " texts for ", tokens.size());
  if (!of_parts) return;
  check(parts.size() == tokens.size(), "parts of ", parts.size(), " texts for ", tokens.size());
  for (size_t k = 0; k < tokens.size(); ++k) {
    int64_t sum = 0;
    for (const int64_t n : parts[k]) sum += n;
    check(sum == std::ssize(tokens[k]), "text ", k, ": its parts have ", sum, " tokens, it has ", tokens[k].size());
  }
}

Sequence embedded(const Front& front, const NestedTexts& texts, const DropoutOptions& dropout, Noise* noise) {
  const Ragged shape(lengths_of(texts.tokens));
  std::vector<int32_t> ids = flattened(texts.tokens, shape.sequence_of_rank());
  drop_words(ids, dropout.words, noise);
  Spellings spellings;
  if (!texts.spellings.empty()) spellings = spellings_of(texts.spellings, shape.sequence_of_rank());
  return front(std::move(ids), spellings, shape, RowOrder::by_sequence);
}

Sequence parts_of_texts(const Var& rows, const Ragged& apart, const NestedTexts& texts) {
  std::vector<int64_t> counts;
  std::vector<int32_t> first{0};  // part of each text, in the order of all
  for (const auto& of_text : texts.parts) {
    counts.push_back(std::ssize(of_text));
    first.push_back(first.back() + static_cast<int32_t>(of_text.size()));
  }
  const Ragged shape(counts);
  const auto rank_of_part = apart.rank_of_sequence();
  std::vector<int32_t> wanted;
  for (const int32_t text : shape.sequence_of_rank())
    for (int32_t part = first[static_cast<size_t>(text)]; part < first[static_cast<size_t>(text) + 1]; ++part)
      wanted.push_back(rank_of_part[static_cast<size_t>(part)]);
  return {ops::gather_rows(rows, ops::row_ids(std::move(wanted))), shape, RowOrder::by_sequence};
}

std::vector<Tensor> weights_of_texts(const Pooled& pooled, int64_t hops, const Sentences& texts,
                                     const std::vector<int32_t>& sequence_of_rank, int64_t shortening) {
  std::vector<Tensor> out(texts.size());
  if (!pooled.weights) return out;
  for (size_t rank = 0; rank < sequence_of_rank.size(); ++rank) {
    const auto s = static_cast<size_t>(sequence_of_rank[rank]);
    const int64_t first = static_cast<int64_t>(rank) * hops, tokens = std::ssize(texts[s]);
    if (tokens > 0)
      out[s] = over_tokens(pooled.weights.value().rows(first, first + hops),
                           std::vector<int64_t>(static_cast<size_t>(hops), tokens), shortening);
  }
  return out;
}

}  // namespace lookback
