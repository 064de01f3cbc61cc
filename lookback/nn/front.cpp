#include "lookback/nn/front.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/nn/word_cache.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/pooling.h"

namespace lookback {
namespace {

Embedding table(int64_t rows, int64_t width) { return {Var::parameter(Tensor::zeros({rows, width}))}; }

void check_below(std::span<const int32_t> ids, int64_t size, const char* what) {
  for (const int32_t id : ids) check(0 <= id && id < size, what, " ", id, " is not below ", size);
}

// Words that are written alike, each once.
struct Distinct {
  std::vector<size_t> first;   // where each stands first
  std::vector<int32_t> which;  // of every word, which of them it is
};

// hash(n) is a small number, the same of words that are alike.
template <class Hash, class Alike>
Distinct distinct(size_t N, const Hash& hash, const Alike& alike) {
  constexpr size_t kChains = 4096;
  std::vector<int32_t> newest(kChains, -1), before;  // of a chain the newest word, and the one before each
  Distinct out;
  out.which.reserve(N);
  for (size_t n = 0; n < N; ++n) {
    int32_t& chain = newest[hash(n) % kChains];
    int32_t k = chain;
    while (k >= 0 && !alike(out.first[static_cast<size_t>(k)], n)) k = before[static_cast<size_t>(k)];
    if (k < 0) {
      k = static_cast<int32_t>(out.first.size());
      before.push_back(std::exchange(chain, k)), out.first.push_back(n);
    }
    out.which.push_back(k);
  }
  return out;
}

}  // namespace

Front::Front(const FrontOptions& options, int64_t vocabulary, int64_t characters, const std::string& where)
    : options_(options),
      vocabulary_(vocabulary),
      alphabet_(characters),
      width_(options.embedding + options.spelling.capitals),
      cache_(std::make_shared<WordCache>()) {
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
  for (const NamedVar& p : params_of(*reader_)) reader_weights_.push_back(p.var);
}

void Spellings::add(int32_t its_case, std::span<const int32_t> its_characters) {
  cases.push_back(its_case);
  characters.insert(characters.end(), its_characters.begin(), its_characters.end());
  ends.push_back(characters.size());
}

void Front::check_spellings(const Spellings& spellings, size_t tokens) const {
  if (reader_) {
    check(spellings.ends.size() == tokens, "characters of ", spellings.ends.size(), " tokens for ", tokens);
    check_below(spellings.characters, alphabet_, "character");
  }
  if (!capitals_.weight) return;
  check(spellings.cases.size() == tokens, "cases of ", spellings.cases.size(), " tokens for ", tokens);
  check_below(spellings.cases, kCases, "case");
}

Sequence Front::operator()(std::vector<int32_t> tokens, const Spellings& spellings, const Ragged& shape,
                           RowOrder order) const {
  check_below(tokens, vocabulary_, "token");
  if (!options_.spelling.any()) return {embedding_.weight, shape, order, ops::row_ids(std::move(tokens))};
  check_spellings(spellings, tokens.size());
  if (grad_enabled()) return {read(std::move(tokens), spellings), shape, order};
  const Distinct words = distinct(
      tokens.size(), [&](size_t n) { return static_cast<size_t>(tokens[n]); },
      [&](size_t a, size_t b) {
        return tokens[a] == tokens[b] && (!capitals_.weight || spellings.cases[a] == spellings.cases[b]) &&
               (!reader_ || std::ranges::equal(spellings.characters_of(a), spellings.characters_of(b)));
      });
  const auto append = [](std::string& key, std::span<const int32_t> ids) {
    key.append(reinterpret_cast<const char*>(ids.data()), ids.size_bytes());
  };
  const auto write_key = [&](size_t k, std::string& key) {
    const size_t n = words.first[k];
    key.clear(), append(key, {&tokens[n], 1});
    if (capitals_.weight) append(key, {&spellings.cases[n], 1});
    if (reader_) append(key, spellings.characters_of(n));
  };
  std::vector<Var> weights{embedding_.weight, character_embedding_.weight, capitals_.weight};
  weights.insert(weights.end(), reader_weights_.begin(), reader_weights_.end());
  const auto rows = (*cache_)(words.first.size(), write_key, weights, [&](const std::vector<size_t>& missing) {
    std::vector<int32_t> ids;
    Spellings theirs;
    for (const size_t k : missing) {
      const size_t n = words.first[k];
      ids.push_back(tokens[n]);
      theirs.add(capitals_.weight ? spellings.cases[n] : 0,
                 reader_ ? spellings.characters_of(n) : std::span<const int32_t>());
    }
    return read(std::move(ids), theirs);
  });
  std::vector<int32_t> row_of_token;
  row_of_token.reserve(tokens.size());
  for (const int32_t k : words.which) row_of_token.push_back((*rows.ids)[static_cast<size_t>(k)]);
  return {rows.x, shape, order, ops::row_ids(std::move(row_of_token))};
}

// [N, width], in their order.
Var Front::read(std::vector<int32_t> tokens, const Spellings& spellings) const {
  const size_t N = tokens.size();
  std::vector<Var> parts{ops::gather_rows(embedding_.weight, ops::row_ids(std::move(tokens)))};
  if (reader_) {
    // Each way to write a word once.
    std::unordered_map<std::string_view, int32_t> number;
    Words words;
    std::vector<int32_t> word_of_token;
    word_of_token.reserve(N);
    for (size_t n = 0; n < N; ++n) {
      const auto word = spellings.characters_of(n);
      const std::string_view bytes(reinterpret_cast<const char*>(word.data()), word.size_bytes());
      const auto [at, is_new] = number.emplace(bytes, static_cast<int32_t>(words.size()));
      if (is_new) words.push_back(word);
      word_of_token.push_back(at->second);
    }
    parts.push_back(ops::gather_rows(read_characters(words), ops::row_ids(std::move(word_of_token))));
  }
  if (capitals_.weight) parts.push_back(ops::gather_rows(capitals_.weight, ops::row_ids(spellings.cases)));
  return ops::concat_columns(parts);
}

// [words, width of the reader], in their order.
Var Front::read_characters(const Words& words) const {
  static const DropoutOptions none;
  std::vector<int64_t> lengths;
  for (const auto& word : words) lengths.push_back(std::ssize(word));
  const Ragged shape(lengths);
  std::vector<int32_t> ids;
  for (const int32_t k : shape.sequence_of_rank()) {
    const auto& word = words[static_cast<size_t>(k)];
    ids.insert(ids.end(), word.begin(), word.end());
  }
  Sequence x{character_embedding_.weight, shape, RowOrder::by_sequence, ops::row_ids(std::move(ids))};
  if (grad_enabled()) x = in_order({ops::gather_rows(x.x, x.rows), shape, x.order}, reader_->reads());
  const Encoded read = (*reader_)(x, {RowOrder::by_sequence, none, nullptr, false, true});
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
