// Files of word vectors, from elsewhere or our own.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/tensor/tensor.h"

namespace lookback::data {

// Vectors for a list of words, in its order.
struct WordVectors {
  Tensor rows;              // [words, width], f32; zeros where there is no vector
  std::vector<bool> found;  // [words] whether the row is one of the file, or composed of such
  int64_t width = 0;        // values in a vector
  int64_t words_in_file = 0;
  int64_t lower_cased = 0;  // words that have the vector of their lower-cased form
  int64_t composed = 0;     // words that have the mean of their subwords (fastText .bin only)
  int64_t duplicates = 0;   // further vectors in the file for a word that has one: the first counts
  int64_t unreadable = 0;   // words of the file passed over, being empty or not UTF-8
  std::string format;       // "GloVe", "word2vec text", "word2vec binary" or "fastText"
};

// Reads the vectors of the `wanted` words; a word may be there twice. Which format a file has is
// found from its bytes, plain or gzip:
//
//   GloVe            "word v1 ... vD" on each line
//   word2vec text    the same after a line "N D": N words of D values. What fastText writes as .vec
//   word2vec binary  "N D\n", then N times "word ", D little-endian floats and, from some programs, "\n"
//   fastText .bin    a model of version 11 or 12: a dictionary, vectors of words and of subwords (Bojanowski et al.
//                    2017, arXiv:1607.04606). A word's vector is the mean of its own and those of its subwords
//
// Values in text are rounded to the nearest float, whatever the locale; a vector of fastText has the bits that fastText
// computes. In text, a word may contain spaces (GloVe 840B has such): the values are the last D on the line.
//
// A word that the file lacks gets, in this order: the vector of its lower-cased form; in a fastText .bin the mean of
// its subwords, if it has any; zeros. Memory is that of the result, for a .bin also that of every subword in it.
//
// Throws FormatError "path:line: ..." (in binary files "path: byte N: ...") where a file is empty, cut short or of no
// such format; where its header is absurd, or lies about the number of words or the width; where rows are uneven; where
// a value of a wanted word is not a number, or not finite. A quantised model of fastText (.ftz) is refused. The values
// of other words are only counted. Throws IoError if the file cannot be read.
WordVectors read_word_vectors(const std::string& path, std::span<const std::string> wanted);

// The first `count` words of such a file, or as many as it has, in its order: programs that train vectors write
// frequent words first. For a Vocab: without what is unreadable, what was there before, and the names of the specials.
// Reads no further than it needs to; throws as read_word_vectors does.
std::vector<std::string> first_words(const std::string& path, int64_t count);

// Every word of a file, once, with its vector.
struct AllWordVectors {
  std::vector<std::string> words;  // in the order of the file; without what is empty or not UTF-8
  Tensor rows;                     // [words, width], f32
  int64_t width = 0;
  std::string format;  // as in WordVectors
};

// Throws as read_word_vectors does, and FormatError for a file without a word.
AllWordVectors read_all_word_vectors(const std::string& path);

enum class VectorFormat { text, binary };  // those of word2vec, with their header

// Hands the bytes of such a file to `write`, some at a time. Values in text are the shortest that are read back as the
// same float, whatever the locale. rows: [words, any], f32. Throws ShapeError if they are not, and what `write` throws.
void write_word_vectors(std::span<const std::string> words, const Tensor& rows, VectorFormat format,
                        const std::function<void(std::string_view)>& write);

}  // namespace lookback::data
