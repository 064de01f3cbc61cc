// From one vector for each position to one for each sequence.
#pragma once

#include <string>

#include "lookback/base/fields.h"
#include "lookback/nn/encoder.h"
#include "lookback/nn/linear.h"

namespace lookback {

// The mean of each sequence's rows, [B, C] in the order of ranks; zeros for an empty one.
Var mean_pooled(const Sequence& x);

struct PoolingOptions {
  std::string kind = "additive";
  StringList also = {};
  int64_t attention = 0;
  int64_t hops = 1;

  void fields(FieldVisitor& v) {
    v("kind", kind,
      "last: the last states of the recurrent layers on top; mean; max; additive: attention by a learnt query over "
      "tanh(W h + b) (Yang et al. 2016); dot: by a learnt query over h itself")
        .choices({"last", "mean", "max", "additive", "dot"});
    v("also", also, "further ones of last, mean and max, side by side with it (concat pooling, Howard and Ruder 2018)");
    v("attention", attention, "kind = 'additive': width of W; 0: that of h").range(0, 65536);
    v("hops", hops,
      "additive and dot: so many queries, each with weights of its own, side by side (structured self-attention, Lin "
      "et al. 2017)")
        .range(1, 1000);
  }
  bool has_attention() const { return kind == "additive" || kind == "dot"; }
};

struct Pooled {
  Var x;        // [B, width] in the order of ranks
  Var weights;  // [B * hops, T] attention, the hops of a sequence one after the other; absent without
};

class Pooling {
 public:
  Pooling() = default;
  // Throws ConfigError for options that do not go together.
  Pooling(const PoolingOptions& options, const Encoder& encoder, const std::string& where);
  Pooled operator()(const Encoded& encoded) const;
  int64_t width() const { return width_; }
  // projection.weight and .bias, query
  void params(ParamVisitor& v);

 private:
  Var pooled_without_attention(const std::string& kind, const Encoded& encoded) const;

  PoolingOptions options_;
  int64_t width_ = 0;
  Linear projection_;
  Var query_;  // [hops, A]
};

}  // namespace lookback
