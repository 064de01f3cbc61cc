// Text to ids and back. Four kinds: unigram and bpe (SentencePiece models), word, char.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/base/log.h"
#include "lookback/base/rng.h"
#include "lookback/data/cell_encoder.h"
#include "lookback/data/vocab.h"

namespace lookback::data {

struct TokenizerOptions {
  std::string kind = "bpe";
  int64_t size = 8000;
  bool joint = true;
  int64_t min_count = 1;
  bool lowercase = false;
  double sampling = 0;
  double character_coverage = 1;
  std::string normalization = "nmt_nfkc";
  bool byte_fallback = false;
  std::string split = "punctuation";
  std::string unit = "codepoint";
  int64_t max_lines = 10'000'000;

  void fields(auto& v) {
    v("kind", kind, "how text is cut").choices({"unigram", "bpe", "word", "char"});
    v("size", size, "entries at most, the four specials included; less text than that gives fewer").range(5, 1e6);
    v("joint", joint, "one vocabulary for source and target");
    v("min_count", min_count, "word, char: leave out what was seen less often").range(1, 1e9);
    v("lowercase", lowercase, "letters to lower case, in training and in use");
    v("sampling", sampling,
      "new cuts of the training text each epoch: bpe, chance that a merge is dropped (0.1); unigram, sharpness alpha "
      "of the drawing (0.2; large is the best cut); 0 never")
        .range(0, 100);
    v("character_coverage", character_coverage, "unigram, bpe: share of all characters that get a piece")
        .range(0.98, 1);
    v("normalization", normalization, "Unicode forms made equal before anything else")
        .choices({"nmt_nfkc", "nfkc", "identity"});
    v("byte_fallback", byte_fallback, "unigram, bpe: unknown characters as bytes, so that nothing is unknown");
    v("split", split, "word: at white space only, or before and after each punctuation mark too")
        .choices({"space", "punctuation"});
    v("unit", unit,
      "char: what one character is; byte: each of the 256 bytes of UTF-8, all of them, so that nothing is unknown "
      "(without size and min_count)")
        .choices({"codepoint", "grapheme", "byte"});
    v("max_lines", max_lines, "unigram, bpe: learn from that many lines, drawn evenly (101 or more); 0 is all")
        .range(0, 1e9);
  }
};

class Tokenizer : public CellEncoder {
 public:
  // The ids of a text, without kBos and kEos; the only special that can appear is kUnk,
  // whatever the text says. Throws FormatError for text that is not UTF-8.
  std::vector<int32_t> encode(std::string_view text) const override = 0;

  // A random cut of the same text, by sampling(). bpe: BPE-dropout (Provilkov et al. 2020).
  // unigram: a cut drawn with probability p^alpha (Kudo 2018), over all cuts. The same as encode()
  // for word and char, for sampling() == 0, and for models with user-defined symbols. The result
  // depends on text, sampling() and the state of `rng` alone.
  std::vector<int32_t> encode_sampled(std::string_view text, Rng& rng) const override;

  // What of a text each id of encode(text) stands for, without white space around it: for kUnk the words
  // or characters that the vocabulary lacks. word and char: in the case it is written in; bytes are their pieces.
  // Throws as encode does.
  virtual std::vector<std::string> surfaces(std::string_view text) const = 0;
  // A surface as the vocabulary would have it: in lower case where texts are read so.
  virtual std::string spelling(std::string_view surface) const { return std::string(surface); }

  // The text of ids. kBos, kEos, kPad and ids outside [0, size()) are left out; kUnk is U+2047.
  // Gives back what was encoded, for text in its normal form, without runs of white space and
  // without unknown characters. `word` sets spaces around punctuation by rule, so there it is a guess. Of unit byte it
  // is the bytes as they are: those that a model has written need not be UTF-8.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;

  // One piece as it stands in the vocabulary, U+2581 for a space, of unit byte <0xE2> for a byte that is no printable
  // ASCII. Throws ShapeError outside [0, size()).
  virtual std::string piece(int32_t id) const = 0;

  std::vector<std::string> pieces(std::span<const int32_t> ids) const;

  virtual std::string kind() const = 0;

  // The file a model folder keeps it in, spm.model or tokenizer.json, and what is in that file.
  // sampling() is no part of it.
  virtual std::string file_name() const = 0;
  virtual std::string bytes() const = 0;

  double sampling() const override { return sampling_; }
  // Throws ConfigError for a value that the kind cannot use: bpe wants [0, 1), unigram 0 or more.
  void set_sampling(double strength);

 protected:
  Tokenizer() = default;

 private:
  double sampling_ = 0;
};

// Gives the next line and true, or false at the end.
using LineSource = std::function<bool(std::string& line)>;

// All lines of text files, plain or .gz, one file after the other.
LineSource file_lines(std::vector<std::string> files);

// Learns a tokenizer. The same lines and options give the same bytes(), whatever the number of threads.
// Lines that are not UTF-8 are passed over (reading the table counts them). Memory: unigram and bpe hold
// the text once, at most `max_lines` of it; word and char hold what they count.
// Throws ConfigError if the options do not fit the text, and FormatError if there is no text at all.
// Of lines and words that are too long for unigram and bpe some are cut or left out, which is told to `log`.
std::unique_ptr<Tokenizer> train_tokenizer(const TokenizerOptions& options, const LineSource& lines,
                                           const LogSink& log = {});
std::unique_ptr<Tokenizer> train_tokenizer(const TokenizerOptions& options, const std::vector<std::string>& files);

// From a file. Any SentencePiece model serves whose ids 0 to 3 are <unk>, <s>, </s> and <pad>. Throws IoError, and
// FormatError for a damaged or hostile file.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path);
// The same from memory; `where` names it in messages.
std::unique_ptr<Tokenizer> parse_tokenizer(std::string_view bytes, const std::string& where);

}  // namespace lookback::data
