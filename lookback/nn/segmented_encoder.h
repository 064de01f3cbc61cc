// Sources made of parts, such as the turns of a dialogue and the rows of a knowledge base: an encoder over the parts
// above the one over their words. Serban et al. 2016, "Building end-to-end dialogue systems using generative
// hierarchical neural network models" (HRED), with attention to both levels as in Xing et al. 2018 (HRAN).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lookback/nn/encoder.h"
#include "lookback/nn/linear.h"
#include "lookback/nn/pooling.h"

namespace lookback {

struct OuterEncoderOptions : EncoderOptions {
  OuterEncoderOptions() { bidirectional = false; }
};

struct SegmentOptions {
  OuterEncoderOptions encoder;
  PoolingOptions pooling = {.kind = "last"};
  std::string score = "additive";

  void fields(FieldVisitor& v) {
    v("encoder", encoder);
    v("pooling", pooling);
    v("score", score,
      "how a decoder state is compared with each turn and row, beside model.score, which compares it with their words; "
      "none: it attends to words alone")
        .choices({"none", "dot", "scaled_dot", "general", "concat", "additive", "multi_head"});
  }
};

class SegmentedEncoder {
 public:
  SegmentedEncoder() = default;
  // `words` reads the words of one part; `attended`: whether a decoder attends to them. Throws ConfigError for options
  // that do not go together; `where` is what messages call these options: "model.turns".
  SegmentedEncoder(const SegmentOptions& options, const Encoder& words, bool attended, const std::string& where);

  // `inner`: what `words` says of the parts of all sources, one after the other; counts[b]: how many source b has.
  // -> the words of each source as one memory, each row, where they are attended to, with what was read of the
  // parts until its own; the parts as outer memory; the outer encoder's last states.
  Encoded operator()(const Encoded& inner, const std::vector<int64_t>& counts, const DropoutOptions& dropout,
                     Noise* noise) const;

  int64_t outer_width() const { return outer_.width(); }
  std::vector<int64_t> final_widths() const { return outer_.final_widths(); }
  void params(ParamVisitor& v);

 private:
  Pooling pooling_;
  Encoder outer_;
  Linear context_;  // [width of a word's row, width of a part's]; absent where no words are attended to
};

}  // namespace lookback
