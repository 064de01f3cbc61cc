// Private to models: the windows of a text and their negatives, drawn.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lookback/base/rng.h"
#include "lookback/data/word_corpus.h"

namespace lookback {

// Of one piece of a text: what ops::SkipGramWindows views.
struct Windows {
  std::vector<int64_t> begin;
  std::vector<int32_t> inputs, outputs;
  int64_t tokens = 0;  // of the piece, with those left out
  // After number_inputs: the words of each block of windows, each once, and where they begin. Inputs are then numbers
  // of words of their block.
  std::vector<int32_t> block_words;
  std::vector<int64_t> block_begin;

  int64_t size() const { return std::ssize(begin) - 1; }
  void number_inputs(int64_t windows_of_block);
  std::span<const int32_t> words_of_block(int64_t block) const {
    const auto b = static_cast<size_t>(block);
    return std::span(block_words)
        .subspan(static_cast<size_t>(block_begin[b]), static_cast<size_t>(block_begin[b + 1] - block_begin[b]));
  }
};

struct WindowOptions {
  int64_t window = 5, negatives = 5;
  double sample = 1e-3;
};

// Pieces are whole sentences of at least 4,096 words together, but for the last one.
class WindowSampler {
 public:
  // `text` lives as long as this.
  WindowSampler(const data::WordCorpus& text, const WindowOptions& options);

  int64_t pieces() const { return std::ssize(pieces_) - 1; }
  // Replaces what is in `out`.
  void draw(int64_t piece, Rng& rng, Windows& out) const;

  double share(int32_t word) const { return share_[static_cast<size_t>(word)]; }  // of the words that are not left out
  double negative_share(int32_t word) const { return negative_share_[static_cast<size_t>(word)]; }  // of the draws

 private:
  void draw_sentence(std::span<const int32_t> kept, Rng& rng, Windows& out) const;
  int32_t negative(int32_t other_than, Rng& rng) const;
  void make_alias_table();

  const data::WordCorpus& text_;
  WindowOptions options_;
  std::vector<int64_t> pieces_;  // borders, in sentences
  std::vector<double> share_, negative_share_;
  std::vector<uint64_t> keep_;  // in 2^-32
  struct Alias {
    uint32_t own;     // in 2^-32, the share of the word itself
    int32_t another;  // has the rest
  };
  std::vector<Alias> alias_;
};

}  // namespace lookback
