// Counts of n-grams as a language model, which networks are compared with: interpolated modified Kneser-Ney smoothing.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/models/sentences.h"

namespace lookback {

inline constexpr int64_t kMaxNgramOrder = 8;

struct NgramOptions {
  int64_t order = 5;

  void fields(auto& v) {
    v("order", order, "words of an n-gram: a word is told from order - 1 words before it").range(1, kMaxNgramOrder);
  }
};

// What D1, D2 and D3+ of one order are, and whether they could not be estimated.
struct NgramDiscounts {
  std::array<double, 3> d = {};
  bool fallback = false;
};

// -log p of a text, in nats, over its words and the end of each sentence: with and without the parts of unknown words
// what metrics::LikelihoodSum adds up.
struct NgramScore {
  double nats = 0;
  int64_t tokens = 0;
  double unknown_nats = 0;  // the part of words that training has not seen
  int64_t unknown = 0;

  NgramScore& operator+=(const NgramScore& other);
};

// Chen and Goodman 1999, "An empirical study of smoothing techniques for language modeling", in the form of Heafield et
// al. 2013, "Scalable modified Kneser-Ney language model estimation" (KenLM's lmplz without pruning):
//
//   p(w | c) = max(0, a(c w) - D(a(c w))) / sum_v a(c v) + gamma(c) p(w | c without its first word)
//   gamma(c) = (D1 N1(c) + D2 N2(c) + D3+ N3+(c)) / sum_v a(c v),  N_k(c) words v with a(c v) = k
//
// The adjusted count a(g) is how often g stands in the text if g is of the highest order or begins with <s>, else how
// many words stand before it. Below one word is the uniform distribution over everything that can come: the vocabulary
// without <s> and <pad>. So a word that training has not seen has the probability gamma() / (vocabulary - 2) there, and
// the probabilities of all words sum to 1 in any context. Contexts begin with <s> and do not reach into the sentence
// before.
//
// Discounts are those of each order, from the numbers n_k of n-grams with the adjusted count k:
//   Y = n1 / (n1 + 2 n2), D1 = 1 - 2 Y n2 / n1, D2 = 2 - 3 Y n3 / n2, D3+ = 3 - 4 Y n4 / n3;
// where n1, n2 or n3 is 0 or a discount D_k leaves [0, k] all three are 0.5, 1, 1.5 (lmplz --discount_fallback): the
// rule for single characters, of which there are few rare ones.
//
// Memory: 12 bytes for each different n-gram, 12 more for each that is shorter than the order; 21 bytes for each word
// of the text while it is fitted. Methods are const and may run on several threads at once.
class NgramModel {
 public:
  // Words are ids of data::Vocab, data::kUnk among them: a text may have it. Sentences have no kBos and kEos, which are
  // added here. `vocabulary` is the number of ids. Throws ConfigError for an order out of range or a vocabulary without
  // its specials, FormatError for no sentences, and ShapeError for an id outside the vocabulary, or kBos, kEos or kPad
  // inside a sentence.
  static NgramModel fit(const Sentences& sentences, int64_t vocabulary, const NgramOptions& options = {});

  // Natural logarithm of p(word | context); `word` may be kEos. The context is what stands before the word, of any
  // length: its last order - 1 words count. At the begin of a sentence its first word is kBos. Throws ShapeError as
  // fit() does, also for kBos as the word.
  double log_prob(std::span<const int32_t> context, int32_t word) const;
  // The words of a sentence and its end.
  double sentence_log_prob(std::span<const int32_t> sentence) const { return -score(sentence).nats; }
  NgramScore score(std::span<const int32_t> sentence) const;
  // Added up in the order of the sentences.
  NgramScore score(const Sentences& sentences) const;

  // Whether training has seen the word.
  bool known(int32_t word) const;
  int64_t order() const { return std::ssize(levels_); }
  int64_t vocabulary() const { return vocabulary_; }
  // Different n-grams of n words, n in [1, order].
  int64_t size(int64_t n) const;
  const NgramDiscounts& discounts(int64_t n) const;

 private:
  // Before the next word: the last words, as n-grams of ever more of them, as far as the text has them.
  struct State {
    std::array<uint32_t, kMaxNgramOrder> ngrams = {};
    int64_t length = 0;
  };
  // n-grams of n words, sorted by what stands before the last word and by this, so that those that go on from the same
  // n - 1 words lie together. Of single words the number is the id.
  struct Level {
    NgramDiscounts discounts;
    std::vector<int32_t> words;     // the last word
    std::vector<uint32_t> counts;   // adjusted
    std::vector<uint32_t> follows;  // where the n-grams of n + 1 words that begin with this one do, and the end of all
    std::vector<uint32_t> totals;   // of their counts; 0 for an n-gram after which nothing came
    std::vector<double> gammas;
  };
  struct Text;

  explicit NgramModel(int64_t vocabulary) : vocabulary_(vocabulary) {}
  static Level unigrams(const Text& text, int64_t vocabulary, bool highest);
  static Level longer(Text& text, Level& shorter, int64_t n, bool highest);
  static void weigh(std::span<const uint32_t> counts, const NgramDiscounts& d, uint32_t& total, double& gamma);
  void weigh_contexts();

  // p(word | state); the state then has the word too.
  double step(State& state, int32_t word) const;
  void check_word(int32_t word, const char* where) const;

  int64_t vocabulary_;
  uint32_t total_ = 0;  // of the empty context
  double gamma_ = 1;
  std::vector<Level> levels_;  // levels_[n - 1]: of n words
};

}  // namespace lookback
