// Word vectors of a text, by skip-gram with negative sampling.
//
// Every word w predicts the words around it: for each pair of an input x, a word near w, and the output y = w
//   loss = -log sigmoid(u_x . v_y) - sum over K words n from p(n) ~ count(n)^0.75 of log sigmoid(-u_x . v_n)
// (Mikolov et al. 2013, arXiv:1310.4546), with as many words before and after as a number drawn from 1 to `window`, and
// frequent words left out with probability 1 - (sqrt(f / sample) + 1) sample / f, f being the word's share of the text,
// both as word2vec does. With subwords u_x is the mean of the vectors of x and of its character n-grams (Bojanowski et
// al. 2017, arXiv:1607.04606), each of which gets the whole gradient of u_x, as in fastText.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "lookback/base/fields.h"
#include "lookback/data/word_corpus.h"
#include "lookback/tensor/tensor.h"

namespace lookback {

struct SkipGramOptions {
  int64_t dim = 100;
  int64_t window = 5;
  int64_t negatives = 5;
  int64_t epochs = 5;
  double sample = 1e-3;
  double lr = 0.025;
  bool subwords = false;
  int64_t min_n = 3;
  int64_t max_n = 6;
  int64_t buckets = 2'000'000;
  int64_t seed = 1;

  void fields(auto& v) {
    v("dim", dim, "values in a vector").range(1, 65536);
    v("window", window, "words before and after that count as near, at most; how many is drawn anew for each word")
        .range(1, 128);
    v("negatives", negatives, "words drawn for each word, to be told from it").range(1, 127);
    v("epochs", epochs, "times the text is read").range(1, 1e6);
    v("sample", sample, "words with a larger share of the text than this are left out now and then; 0 keeps all")
        .range(0, 1);
    v("lr", lr, "the learning rate at the start; it falls to nothing with the words read").range(1e-6, 1);
    v("subwords", subwords,
      "a word's vector is the mean of its own and those of its character n-grams, as in fastText: better for rare "
      "words "
      "and for languages of many forms");
    v("min_n", min_n, "subwords: characters of the shortest n-gram, < and > around the word included").range(1, 64);
    v("max_n", max_n, "subwords: characters of the longest").range(1, 64);
    v("buckets", buckets, "subwords: n-grams are numbered by a hash below this; those of one number share a vector")
        .range(1, 2e9);
    v("seed", seed, "names the random numbers: starting values, windows, negatives").range(0, 9e15);
  }
};

struct SkipGramProgress {
  int64_t tokens = 0, all_tokens = 0;  // read so far, and in all epochs together
  double epochs = 0;                   // so far
  double loss = 0;                     // of a pair, as above, over the text since the last call
  double lr = 0;
};

struct SkipGramVectors {
  Tensor words;     // [words, dim] the u of all words
  Tensor contexts;  // [words, dim] the v
};

// Trains on the text. Called after every 65,536 tokens or so, go_on ends training by returning false, and then there is
// no result. Blocks of windows are one step each (ops/skip_gram.h): the outputs of a window are shared by its inputs,
// and the errors of a block are taken from the vectors at its beginning. A block is small enough for its pairs that
// meet one vector to have a learning rate of 1 together, and has 256 windows at most. So the bits depend on the text
// and the options, not on threads. Throws ConfigError for options that do not fit together, FormatError for a text
// without two different words, or without a line of two, NumericError where values grow beyond all bounds.
std::optional<SkipGramVectors> train_skip_gram(const data::WordCorpus& text, const SkipGramOptions& options,
                                               const std::function<bool(const SkipGramProgress&)>& go_on = {});

}  // namespace lookback
