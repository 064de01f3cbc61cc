// Private to data: models of fastText, as src/fasttext.cc of github.com/facebookresearch/fastText saves them (.bin).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/byte_reader.h"

namespace lookback::data {

// What one starts with.
inline constexpr std::string_view kFastTextMagic = "\xBA\x16\x4F\x2F";

// The file in its order: the dictionary by `next`, then vectors by `read_rows`.
class FastTextFile {
 public:
  // `bytes` from the very start.
  explicit FastTextFile(ByteReader bytes);

  // On to the next word, whose id is words() - 1; it stays until the next call. False after the last word.
  bool next(std::string_view& word);
  int64_t width() const { return width_; }
  int64_t words() const { return words_; }  // so far
  const char* format() const { return "fastText"; }
  const std::string& name() const { return bytes_.name(); }

  // The rows whose mean is the vector of a word: its own, if `id` is not negative, and those of the n-grams of
  // "<word>". In the order in which fastText adds them.
  std::vector<int64_t> rows_of(std::string_view word, int64_t id) const;

  // Once all words were read: the given rows, [width] each. `rows` ascend. Passes over the others to the end of the
  // matrix, so that a file that was cut short is found out.
  void read_rows(std::span<const int64_t> rows, const std::function<void(std::span<const float>)>& take);

 private:
  template <class T>
  T read();
  void read_arguments(int32_t version);
  void read_counts();
  std::string_view read_entry(int8_t kind);
  void finish_dictionary();
  void skip(int64_t n);
  [[noreturn]] void fail(const std::string& what) const;

  ByteReader bytes_;
  int64_t width_ = 0;
  int64_t bucket_ = 0;           // rows for n-grams
  int64_t minn_ = 0, maxn_ = 0;  // characters in an n-gram
  int64_t dictionary_ = 0;       // words in it
  int64_t labels_ = 0;           // after the words
  int64_t pruned_ = 0;           // entries of a table for n-grams, or -1
  int64_t words_ = 0;
  std::string entry_;
};

}  // namespace lookback::data
