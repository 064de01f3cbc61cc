// From tokens to one vector for each: what an encoder reads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/nn/block.h"
#include "lookback/nn/linear.h"

namespace lookback {

class WordCache;

struct CharacterOptions {
  std::string kind = "none";
  int64_t embedding = 25;
  int64_t hidden = 25;
  int64_t kernel = 3;

  void fields(FieldVisitor& v) {
    v("kind", kind,
      "what reads each word's characters: none; lstm: in both directions, its last states (Lample et al. 2016); "
      "convolution: the largest of each channel (Ma and Hovy 2016)")
        .choices({"none", "lstm", "convolution"});
    v("embedding", embedding, "width of the character embeddings").range(1, 65536);
    v("hidden", hidden, "units of one direction, or channels").range(1, 65536);
    v("kernel", kernel, "kind = 'convolution': characters it sees at once").range(1, 64);
  }
};

// What a front reads of how words are written.
struct SpellingOptions {
  CharacterOptions characters;
  int64_t capitals = 0;

  void fields(FieldVisitor& v) {
    v("characters", characters);
    v("capitals", capitals,
      "width of an embedding of how each word is written: lower case, Capitalised, ALL CAPITALS, miXed, with a digit, "
      "without letters; 0: none")
        .range(0, 65536);
  }
  bool any() const { return characters.kind != "none" || capitals > 0; }
};

struct FrontOptions {
  int64_t embedding = 300;
  SpellingOptions spelling = {};

  void fields(FieldVisitor& v) {
    v("embedding", embedding, "width of the token embeddings").range(1, 65536);
    spelling.fields(v);
  }
};

// How N tokens are written: of each its case, a number in [0, Front::kCases), and its characters.
struct Spellings {
  std::vector<int32_t> cases = {};       // [N]
  std::vector<int32_t> characters = {};  // of all tokens, one after the other
  std::vector<size_t> ends = {};         // [N], in characters

  void add(int32_t its_case, std::span<const int32_t> its_characters);
  std::span<const int32_t> characters_of(size_t token) const {
    const size_t begin = token == 0 ? 0 : ends[token - 1];
    return {characters.data() + begin, ends[token] - begin};
  }
};

class Front {
 public:
  static constexpr int64_t kCases = 6;

  Front() = default;
  // For that many tokens and characters. Throws ConfigError for options that do not go together, naming `where`.
  Front(const FrontOptions& options, int64_t vocabulary, int64_t characters, const std::string& where);

  // Tokens [N] of that shape and order; of each its vector [width]: the token's embedding, what was read from its
  // characters, and that of its case, side by side. A word is read once, however often it is there; where no gradients
  // are wanted, once as long as the parameters stay as they are. `spellings` is looked at only if the options say so.
  // Throws ShapeError for ids out of range and for spellings of other than N tokens.
  Sequence operator()(std::vector<int32_t> tokens, const Spellings& spellings, const Ragged& shape,
                      RowOrder order) const;

  int64_t width() const { return width_; }
  const Var& embeddings() const { return embedding_.weight; }  // [vocabulary, embedding]
  // Takes another table of that shape for its own: one that is shared.
  void share_embeddings(const Var& table) { embedding_.weight = table; }
  // Tables whose rows meet others before weights multiply them: in int8 that rounds otherwise than rows stored as int8.
  // `exact`: whether what reads the front's output asks for the same.
  StringList kept_from_int8(bool exact) const;
  // embedding, characters.embedding, characters.lstm or .convolution, capitals
  void params(ParamVisitor& v);
  void params_without_embeddings(ParamVisitor& v);

 private:
  using Words = std::vector<std::span<const int32_t>>;  // of each its characters
  void check_spellings(const Spellings& spellings, size_t tokens) const;
  Var read(std::vector<int32_t> tokens, const Spellings& spellings) const;
  Var read_characters(const Words& words) const;

  FrontOptions options_;
  int64_t vocabulary_ = 0, alphabet_ = 0, width_ = 0;
  Embedding embedding_, character_embedding_, capitals_;
  std::shared_ptr<Block> reader_;  // of characters
  std::vector<Var> reader_weights_;
  std::shared_ptr<WordCache> cache_;  // of words with their spelling
};

}  // namespace lookback
