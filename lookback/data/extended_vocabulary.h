// The vocabulary of an output that may copy from its source (See et al. 2017, "extended vocabulary").
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/data/tokenizer.h"

namespace lookback::data {

// The ids of the output's tokenizer, and from its size on the tokens of one source that it lacks, in the order in which
// they first appear there.
class ExtendedVocabulary final : public CellEncoder {
 public:
  // Of longer sources only the first `limit` tokens are read; 0: all. `lines`: each line of a source is cut into tokens
  // by itself. Throws ConfigError for two tokenizers of subwords that are not one: their tokens cannot be compared.
  ExtendedVocabulary(std::shared_ptr<const Tokenizer> source, std::shared_ptr<const Tokenizer> target,
                     int64_t limit = 0, bool lines = false);

  struct Source {
    // For each token the token of an output that it is; kPad for a space that outputs do not have, and for what is
    // taken out of them.
    std::vector<int32_t> ids;
    StringList own_words;  // what the ids from vocabulary() on stand for, as the source writes them
  };
  // Throws FormatError for text that is not UTF-8.
  Source read(std::string_view source) const;
  std::vector<int32_t> encode(std::string_view source) const override { return read(source).ids; }
  // The ids of a target, its unknown tokens as those of the source where they stand there too.
  std::vector<int32_t> encode_beside(std::string_view target, std::string_view source) const;
  std::vector<int32_t> encode_beside(std::string_view target, Cells source) const override {
    return encode_beside(target, source[0]);
  }
  int64_t vocabulary() const { return target_->size(); }
  // Larger than any id; how many a source adds is not known before.
  int64_t size() const override { return int64_t{1} << 31; }

 private:
  struct Own;
  std::vector<int32_t> read(std::string_view source, Own& own) const;
  void read_line(std::string_view line, Own& own, std::vector<int32_t>& out) const;

  std::shared_ptr<const Tokenizer> source_, target_;
  int64_t limit_;
  bool lines_;
  int32_t space_ = kPad;  // the target's token for it, where characters are tokens
};

}  // namespace lookback::data
