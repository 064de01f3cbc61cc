#include <cmath>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/word_vectors.h"
#include "tests/fuzz/memory_file.h"

using namespace lookback;
using namespace lookback::data;

// Whatever the bytes: the first words are text and different, and if the file reads to its end, each has a vector of
// finite values, the same by itself as among others.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const MemoryFile memory(as_text(data, size));
  try {
    std::vector<std::string> words = first_words(memory.path(), 20);
    require(words.size() <= 20);
    for (const std::string& w : words) require(valid_utf8(w) && !w.empty());
    words.insert(words.end(), {"Unseen", ""});
    const WordVectors all = read_word_vectors(memory.path(), words);
    const auto count = static_cast<int64_t>(words.size());
    require(all.rows.shape() == Shape({count, all.width}) && all.width > 0 && all.words_in_file >= count - 2);
    for (const float v : all.rows.span<float>()) require(std::isfinite(v));
    for (size_t k = 0; k + 2 < words.size(); ++k) require(all.found[k]);
    require(!all.found.back());
    const WordVectors one = read_word_vectors(memory.path(), std::span(words).first(1));
    for (int64_t d = 0; d < one.width; ++d) require(one.rows.span<float>()[d] == all.rows.span<float>()[d]);
  } catch (const FormatError&) {
  }
  return 0;
}
