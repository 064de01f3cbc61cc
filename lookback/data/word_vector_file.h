// Private to data: files of word vectors, one word after another.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "lookback/base/byte_reader.h"
#include "lookback/base/line_reader.h"
#include "lookback/data/fasttext_file.h"

namespace lookback::data {

// "N D" on the first line.
struct VectorHeader {
  int64_t words = 0;
  int64_t width = 0;
};

// GloVe, or word2vec text if there is a header.
class TextVectorFile {
 public:
  // `bytes` from the very start.
  TextVectorFile(ByteReader bytes, std::optional<VectorHeader> header, int64_t width);

  // On to the next word, which stays until the next call; false at the end, once the header has been held to it.
  bool next(std::string_view& word);
  // The vector of the word that next gave last: [width].
  void read_vector(std::span<float> out);

  int64_t width() const { return width_; }
  int64_t words() const { return words_; }  // so far
  const char* format() const { return header_ ? "word2vec text" : "GloVe"; }

 private:
  size_t find_values(std::string_view line) const;
  bool check_end();
  [[noreturn]] void fail(const std::string& what) const;

  std::string name_;
  LineReader lines_;
  std::optional<VectorHeader> header_;
  int64_t width_;
  int64_t words_ = 0;
  std::string line_;
  std::string_view word_, values_;  // of line_
};

// word2vec binary.
class BinaryVectorFile {
 public:
  // `bytes` from the first word on.
  BinaryVectorFile(ByteReader bytes, VectorHeader header);

  bool next(std::string_view& word);  // as in TextVectorFile
  void read_vector(std::span<float> out);

  int64_t width() const { return header_.width; }
  int64_t words() const { return words_; }
  const char* format() const { return "word2vec binary"; }

 private:
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void fail_at_end() const;

  ByteReader bytes_;
  VectorHeader header_;
  int64_t words_ = 0;
  bool at_vector_ = false;  // the vector of word_ was not read or passed over yet
  std::string word_;
};

using AnyVectorFile = std::variant<TextVectorFile, BinaryVectorFile, FastTextFile>;

// Opens the file and finds its format; see word_vectors.h.
AnyVectorFile open_word_vectors(const std::string& path);

}  // namespace lookback::data
