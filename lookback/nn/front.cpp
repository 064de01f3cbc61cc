#include "lookback/nn/front.h"

#include <map>

#include "lookback/base/error.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/pooling.h"

namespace lookback {
namespace {

Embedding table(int64_t rows, int64_t width) { return {Var::parameter(Tensor::zeros({rows, width}))}; }

void check_below(std::span<const int32_t> ids, int64_t size, const char* what) {
  for (const int32_t id : ids) check(0 <= id && id < size, what, " ", id, " is not below ", size);
}

}  // namespace

Front::Front(const FrontOptions& options, int64_t vocabulary, int64_t characters, const std::string& where)
    : options_(options),
      vocabulary_(vocabulary),
      alphabet_(characters),
      width_(options.embedding + options.spelling.capitals) {
  const CharacterOptions& c = options.spelling.characters;
  check<ConfigError>(c.kind == "convolution" || c.kernel == CharacterOptions().kernel, where,
                     ".characters.kernel = ", c.kernel, " is of kind 'convolution'; this is '", c.kind, "'");
  embedding_ = table(vocabulary, options.embedding);
  if (options.spelling.capitals > 0) capitals_ = table(kCases, options.spelling.capitals);
  if (c.kind == "none") return;
  character_embedding_ = table(characters, c.embedding);
  BlockOptions reader{.kind = c.kind == "lstm" ? "bilstm" : "convolution", .hidden = c.hidden};
  if (c.kind == "convolution") reader.kernel = c.kernel;
  reader_ = make_block(reader, c.embedding, where + ".characters");
  width_ += reader_->width();
}

Sequence Front::operator()(std::vector<int32_t> tokens, const Spellings& spellings, const Ragged& shape,
                           RowOrder order) const {
  check_below(tokens, vocabulary_, "token");
  const size_t N = tokens.size();
  const auto ids = ops::row_ids(std::move(tokens));
  if (!options_.spelling.any()) return {embedding_.weight, shape, order, ids};
  std::vector<Var> parts{ops::gather_rows(embedding_.weight, ids)};
  if (reader_) {
    check(spellings.characters.size() == N, "characters of ", spellings.characters.size(), " tokens for ", N);
    std::map<std::vector<int32_t>, int32_t> number;
    std::vector<std::vector<int32_t>> words;
    std::vector<int32_t> word_of_token;
    for (const auto& word : spellings.characters) {
      check_below(word, alphabet_, "character");
      const auto [at, is_new] = number.emplace(word, static_cast<int32_t>(words.size()));
      if (is_new) words.push_back(word);
      word_of_token.push_back(at->second);
    }
    parts.push_back(ops::gather_rows(read_characters(words), ops::row_ids(std::move(word_of_token))));
  }
  if (capitals_.weight) {
    check(spellings.cases.size() == N, "cases of ", spellings.cases.size(), " tokens for ", N);
    check_below(spellings.cases, kCases, "case");
    parts.push_back(ops::gather_rows(capitals_.weight, ops::row_ids(spellings.cases)));
  }
  return {ops::concat_columns(parts), shape, order};
}

// [words, width of the reader], in their order.
Var Front::read_characters(const std::vector<std::vector<int32_t>>& words) const {
  static const DropoutOptions none;
  std::vector<int64_t> lengths;
  for (const auto& word : words) lengths.push_back(std::ssize(word));
  const Ragged shape(lengths);
  std::vector<int32_t> ids;
  for (const int32_t k : shape.sequence_of_rank()) {
    const auto& word = words[static_cast<size_t>(k)];
    ids.insert(ids.end(), word.begin(), word.end());
  }
  const Sequence x{ops::gather_rows(character_embedding_.weight, ops::row_ids(std::move(ids))), shape,
                   RowOrder::by_sequence};
  const Encoded read = (*reader_)(in_order(x, reader_->reads()), {RowOrder::by_sequence, none, nullptr, false});
  const Var by_rank = read.final.empty() ? ops::max_rows(read.memory.x, shape.memory()) : read.final.back().h;
  return ops::gather_rows(by_rank, ops::row_ids(shape.rank_of_sequence()));
}

StringList Front::kept_from_int8(bool exact) const {
  StringList out;
  if (exact || options_.spelling.any()) out.emplace_back("embedding.weight");
  if (reader_ && reader_->needs_exact_input()) out.emplace_back("characters.embedding.weight");
  if (capitals_.weight) out.emplace_back("capitals.weight");
  return out;
}

void Front::params(ParamVisitor& v) {
  v("embedding", embedding_);
  params_without_embeddings(v);
}

void Front::params_without_embeddings(ParamVisitor& v) {
  struct Characters {
    Front& front;
    void params(ParamVisitor& v) {
      v("embedding", front.character_embedding_);
      front.reader_->params(v);
    }
  } characters{*this};
  if (reader_) v("characters", characters);
  v("capitals", capitals_);
}

}  // namespace lookback
