// Parallel text as ids: read once, kept small, fetched by number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/data/batcher.h"
#include "lookback/data/spill_buffer.h"
#include "lookback/data/tokenizer.h"

namespace lookback::data {

class PairReader;

// How a parallel corpus is read. The files are the caller's: {source, target}, or one TSV.
struct CorpusOptions {
  StringList columns;
  int64_t max_length = 250;
  double max_ratio = 0;
  std::string bad_lines = "skip";
  double max_bad = 0.05;
  std::string unequal = "error";
  int64_t memory_mb = 8192;

  void fields(auto& v) {
    v("columns", columns, "of one file with tabs: where source and target are, as numbers from 1 or names in line 1");
    v("max_length", max_length, "pairs with more tokens than this on a side are left out; 0 keeps all").range(0, 1e9);
    v("max_ratio", max_ratio,
      "pairs whose longer side has more than this times the shorter's tokens are left out; 0 off")
        .range(0, 1e9);
    v("bad_lines", bad_lines, "invalid UTF-8, an empty side or a missing column: skip and count them, or stop")
        .choices({"skip", "stop"});
    v("max_bad", max_bad, "more than this share of a file's lines not UTF-8 is an error: the file has another encoding")
        .range(0, 1);
    v("unequal", unequal, "two files with unequal line counts: an error, or truncate to the shorter")
        .choices({"error", "truncate"});
    v("memory_mb", memory_mb, "beyond this each part of the corpus moves to a temporary file").range(0, 1e9);
  }
};

// Which pairs are short and alike enough, in tokens without specials; 0 sets no bound.
struct LengthFilter {
  int64_t max_source = 0, max_target = 0;
  double max_ratio = 0;

  bool too_long(int64_t source, int64_t target) const;
  bool too_uneven(int64_t source, int64_t target) const;
};

// What became of every line: read = kept + all the others but unpaired.
struct CorpusReport {
  int64_t read = 0;  // pairs of lines
  int64_t kept = 0;
  int64_t invalid_utf8 = 0;                      // or NUL bytes as UTF-16 has them
  int64_t missing_column = 0;                    // TSV lines with too few tabs
  int64_t empty_source = 0;                      // nothing but white space
  int64_t empty_target = 0;                      // and the source is not empty
  int64_t too_long = 0;                          // over max_length
  int64_t too_uneven = 0;                        // over max_ratio
  int64_t unpaired = 0;                          // lines of the longer file beyond the shorter one's end
  int64_t source_tokens = 0, target_tokens = 0;  // of the kept pairs
  std::vector<std::string> examples;             // the first few left out: "train.de:17: invalid UTF-8"

  friend bool operator==(const CorpusReport&, const CorpusReport&) = default;
};

// Some lines for a person: what was kept, and what was left out and why, with examples.
std::string describe(const CorpusReport& report);

enum class Keep { tokens, tokens_and_text };

struct Pair {
  std::vector<int32_t> source, target;
};

// Memory for a million pairs of 15 tokens and 70 bytes a side: 60 MB of ids (two bytes each while the
// vocabulary has at most 65,536 entries, else four) and 16 MB of offsets; with text another 156 MB. Text
// is kept when asked for and when a tokenizer samples. Beyond memory_mb a part goes to a temporary file.
class Corpus {
 public:
  // Reads everything. The tokenizers must outlive the corpus and not change their sampling().
  // Lines are tokenised on as many threads as there are; the result does not depend on how many.
  // Throws FormatError for unequal line counts (naming both), for a file of which more than max_bad of the lines are
  // not UTF-8 and, with bad_lines = "stop", for the first bad line.
  Corpus(const std::vector<std::string>& files, const Tokenizer& source, const Tokenizer& target,
         const CorpusOptions& options, Keep keep = Keep::tokens);

  int64_t size() const { return report_.kept; }
  const CorpusReport& report() const { return report_; }
  // Tokens of each pair's sides by encode(), without specials.
  std::vector<int32_t> source_lengths() const;
  std::vector<int32_t> target_lengths() const;

  // Pair i as encode() cuts it. i counts the kept pairs, from 0.
  Pair pair(int64_t i) const;
  // Pair i as training sees it in an epoch: sampled where the tokenizers sample, and then a function of
  // (seed, epoch, i) and the text alone; else the same as pair(i).
  Pair pair(int64_t i, uint64_t seed, int64_t epoch) const;

  // The pairs of a batch, as the pair() of the same arguments gives them.
  Batch batch(std::vector<int64_t> index) const;
  Batch batch(std::vector<int64_t> index, uint64_t seed, int64_t epoch) const;

  // The lines as they were read. Throws ConfigError unless the text was kept.
  std::string_view source_text(int64_t i) const;
  std::string_view target_text(int64_t i) const;
  bool spilled() const;  // whether a part lies in a temporary file

 private:
  using Ids = std::variant<Rows<uint16_t>, Rows<int32_t>>;
  struct SideStore {
    const Tokenizer* tokenizer;
    Ids ids;
    Rows<char> text;
    bool keep_text;

    std::vector<int32_t> tokens(int64_t i) const;
    std::vector<int32_t> lengths() const;
    std::string_view line(int64_t i) const;
  };
  struct Block;

  static SideStore make_side(const Tokenizer& tokenizer, const CorpusOptions& options, Keep keep);
  void take(const Block& block, const PairReader& reader, const CorpusOptions& options);
  std::vector<int32_t> sampled(int side, int64_t i, uint64_t seed, int64_t epoch) const;

  SideStore sides_[2];  // source, target
  CorpusReport report_;
};

enum class Side { source, target, both };

// The lines of one side, or the source's and then the target's, for train_tokenizer: those in UTF-8. Throws as Corpus
// does for what is not.
LineSource side_lines(const std::vector<std::string>& files, const CorpusOptions& options, Side side);

// The SHA-256 of all pairs of lines, whatever becomes of them: source, line's end, target, line's end. Throws as Corpus
// does for files that cannot be read.
std::string lines_sha256(const std::vector<std::string>& files, const CorpusOptions& options);

}  // namespace lookback::data
