#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/tokenizer.h"
#include "tests/fuzz/memory_file.h"

using namespace lookback;
using namespace lookback::data;

namespace {

constexpr size_t kMostText = 150'000;  // bytes of a corpus

// The text of an input: byte FF and a number n append what stands before it on its line (at most 16 bytes) n * 101
// times more, so that a few bytes make words of any length.
std::string unfolded(std::string_view input) {
  std::string out;
  for (size_t k = 0; k < input.size() && out.size() < kMostText; ++k) {
    if (input[k] != '\xFF' || k + 1 == input.size()) {
      out += input[k];
      continue;
    }
    const size_t line = out.rfind('\n') + 1, unit = std::min<size_t>(16, out.size() - line);
    const std::string again = out.substr(out.size() - unit);
    for (int n = 101 * static_cast<uint8_t>(input[++k]); n > 0 && out.size() < kMostText; --n) out += again;
  }
  return out;
}

LineSource lines_of(const std::string& text) {
  return [&text, at = size_t{0}](std::string& line) mutable {
    if (at >= text.size()) return false;
    const size_t end = std::min(text.find('\n', at), text.size());
    line = text.substr(at, end - at);
    at = end + 1;
    return true;
  };
}

TokenizerOptions options_of(const uint8_t* head) {
  constexpr const char* kKinds[] = {"bpe", "unigram", "word", "char"};
  constexpr const char* kForms[] = {"nmt_nfkc", "nfkc", "identity"};
  return {.kind = kKinds[head[0] % 4],
          .size = 5 + head[1] * 3,
          .min_count = 1 + head[0] / 128,
          .lowercase = (head[2] & 1) != 0,
          .sampling = head[2] & 2 ? 0.1 : 0,
          .character_coverage = head[2] & 4 ? 0.98 : 1,
          .normalization = kForms[head[3] % 3],
          .byte_fallback = (head[2] & 8) != 0,
          .split = head[2] & 16 ? "space" : "punctuation",
          .unit = head[2] & 64   ? "byte"
                  : head[2] & 32 ? "grapheme"
                                 : "codepoint"};
}

}  // namespace

// Whatever the corpus holds, training ends with a tokenizer or an error; the tokenizer reads back as itself and cuts
// every text into known ids.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 5) return 0;
  const TokenizerOptions options = options_of(data);
  const std::string corpus = unfolded(as_text(data + 4, size - 4));
  std::unique_ptr<Tokenizer> made;
  try {
    made = train_tokenizer(options, lines_of(corpus));
  } catch (const ConfigError&) {
    return 0;
  } catch (const FormatError&) {
    return 0;
  }
  const auto again = parse_tokenizer(made->bytes(), "again");
  again->set_sampling(options.sampling);
  require(again->bytes() == made->bytes() && again->size() == made->size());
  const std::string text = with_replacements(std::string_view(corpus).substr(0, 20'000));
  const auto ids = made->encode(text);
  require(ids == again->encode(text) && made->surfaces(text).size() == ids.size());
  for (const int32_t id : ids) require(id >= 0 && id < made->size() && (id == kUnk || id >= kSpecials));
  made->decode(ids);
  Rng rng(1, 2);
  for (const int32_t id : made->encode_sampled(text, rng)) require(id >= 0 && id < made->size());
  return 0;
}
