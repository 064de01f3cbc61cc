#include "lookback/data/fasttext_file.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "lookback/base/error.h"
#include "lookback/data/character_ngrams.h"
#include "lookback/data/vector_fields.h"

namespace lookback::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are little-endian");

constexpr int32_t kSupervised = 3;      // a kind of model
constexpr int64_t kLongestNgram = 255;  // characters; real models have 6
constexpr int8_t kWord = 0, kLabel = 1;

}  // namespace

FastTextFile::FastTextFile(ByteReader bytes) : bytes_(std::move(bytes)) {
  skip(static_cast<int64_t>(kFastTextMagic.size()));
  const auto version = read<int32_t>();
  if (version != 11 && version != 12) fail(str_cat("a fastText model of version ", version, "; 11 and 12 can be read"));
  read_arguments(version);
  read_counts();
}

template <class T>
T FastTextFile::read() {
  char raw[sizeof(T)];
  if (bytes_.read(raw, sizeof(T)) != sizeof(T)) fail("the file ends early; it was cut short");
  T out;
  std::memcpy(&out, raw, sizeof(T));
  return out;
}

void FastTextFile::read_arguments(int32_t version) {
  width_ = read<int32_t>();
  skip(6 * 4);  // ws, epoch, minCount, neg, wordNgrams, loss
  const auto model = read<int32_t>();
  bucket_ = read<int32_t>();
  minn_ = read<int32_t>(), maxn_ = read<int32_t>();
  skip(4 + 8);                                           // lrUpdateRate, t
  if (version == 11 && model == kSupervised) maxn_ = 0;  // as fastText reads them
  if (width_ < 1 || width_ > kMaxVectorWidth)
    fail(str_cat("the model says that vectors have ", width_, " values; possible are 1 to ", kMaxVectorWidth));
  if (bucket_ < 0 || maxn_ > kLongestNgram || (bucket_ == 0 && maxn_ > 0 && minn_ <= maxn_))
    fail(str_cat("the model says that it has ", bucket_, " rows for n-grams of ", minn_, " to ", maxn_,
                 " characters, which cannot be; the file is damaged"));
}

void FastTextFile::read_counts() {
  const int64_t entries = read<int32_t>();
  dictionary_ = read<int32_t>(), labels_ = read<int32_t>();
  skip(8);  // tokens it was trained on
  pruned_ = read<int64_t>();
  if (dictionary_ < 0 || labels_ < 0 || entries != dictionary_ + labels_ || pruned_ < -1 || pruned_ > INT32_MAX)
    fail(str_cat("the dictionary says ", entries, " entries, ", dictionary_, " words and ", labels_,
                 " labels, which cannot be; the file is damaged"));
}

// The text of the next entry; it must be of the given kind.
std::string_view FastTextFile::read_entry(int8_t kind) {
  const std::optional<size_t> end = find_word_end(bytes_, '\0');
  if (!end) {
    const bool at_end = bytes_.peek(kMaxWordBytes + 1).size() <= kMaxWordBytes;
    fail(at_end ? "the file ends early; it was cut short"
                : str_cat("a word is longer than ", kMaxWordBytes, " bytes; the file is damaged"));
  }
  entry_.assign(bytes_.peek().substr(0, *end));
  bytes_.take(*end + 1);
  skip(8);  // how often it was seen
  if (read<int8_t>() != kind) fail("the dictionary has words and labels in the wrong places; the file is damaged");
  return entry_;
}

bool FastTextFile::next(std::string_view& word) {
  if (words_ == dictionary_) return false;
  word = read_entry(kWord);
  ++words_;
  return true;
}

std::vector<int64_t> FastTextFile::rows_of(std::string_view word, int64_t id) const {
  std::vector<int64_t> rows;
  if (id >= 0) rows.push_back(id);
  for (const uint32_t hash : character_ngrams(word, minn_, maxn_))
    rows.push_back(dictionary_ + hash % static_cast<uint32_t>(bucket_));
  return rows;
}

// Labels, and the marks between the dictionary and the vectors.
void FastTextFile::finish_dictionary() {
  for (int64_t k = 0; k < labels_; ++k) read_entry(kLabel);
  if (pruned_ > 0) skip(pruned_ * 8);
  if (read<int8_t>() != 0)
    fail("a quantised fastText model (.ftz), which cannot be read; take the .bin it was made from, or its .vec");
  if (pruned_ >= 0) fail("a pruned fastText model that is not quantised, which fastText itself refuses; take its .vec");
}

void FastTextFile::read_rows(std::span<const int64_t> rows, const std::function<void(std::span<const float>)>& take) {
  finish_dictionary();
  const auto height = read<int64_t>(), width = read<int64_t>();
  if (height != dictionary_ + bucket_ || width != width_ || height < 1)
    fail(str_cat("the matrix of vectors is ", height, " x ", width, ", the model says ", dictionary_ + bucket_, " x ",
                 width_, "; the file is damaged"));
  std::vector<float> row(static_cast<size_t>(width));
  const int64_t bytes = width * int64_t{sizeof(float)};
  int64_t at = 0;
  for (const int64_t next : rows) {
    skip((next - at) * bytes);
    at = next + 1;
    if (bytes_.read(reinterpret_cast<char*>(row.data()), static_cast<size_t>(bytes)) != static_cast<size_t>(bytes))
      fail(str_cat("the file ends early, in vector ", at, " of ", height, "; it was cut short"));
    for (const float v : row)
      if (!std::isfinite(v)) fail(str_cat("vector ", at, " of ", height, " has a value that is not finite"));
    take(row);
  }
  skip((height - at) * bytes);
}

void FastTextFile::skip(int64_t n) {
  if (bytes_.skip(n) != n) fail("the file ends early; it was cut short");
}

void FastTextFile::fail(const std::string& what) const {
  throw FormatError(str_cat(bytes_.name(), ": byte ", bytes_.offset(), ": ", what));
}

}  // namespace lookback::data
