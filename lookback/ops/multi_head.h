#pragma once

#include <cstdint>

#include "lookback/autograd/var.h"
#include "lookback/ops/layout.h"

namespace lookback::ops {

struct MultiHeadOptions {
  int64_t heads = 8;
  bool causal = false;   // a position sees itself and those before
  int64_t window = 0;    // a position sees those at most so far away; 0: all
  int64_t relative = 0;  // R: distances that have a bias of their own, to each side; 0: there is no bias
};

// Self-attention of several heads over sentences whose rows lie one after the other (Vaswani et al. 2017). Head h owns
// columns h*C/heads .. (h+1)*C/heads, and in it
//   out[t] = sum_u softmax_u(query[t] . key[u] / sqrt(C/heads) + relative_bias[h, clamp(t - u, -R, R) + R]) value[u].
// query, key, value [N, C] -> [N, C]. relative_bias [heads, 2R+1], absent for R = 0: one scalar for a head and a
// distance (Shaw et al. 2018, Raffel et al. 2020). Memory is linear in the steps: weights are never kept (Dao et al.
// 2022). Throws ShapeError.
Var multi_head_attention(const Var& query, const Var& key, const Var& value, const Var& relative_bias,
                         const MemoryLayout& memory, const MultiHeadOptions& options);

// One sentence and one head of it.
struct HeadOfSentence {
  int64_t sentence, head;
};

// The weights of one head, for pictures: [T, T], a row for each query, zeros where it sees nothing. No gradient.
Tensor attention_weights(const Var& query, const Var& key, const Var& relative_bias, const MemoryLayout& memory,
                         const MultiHeadOptions& options, HeadOfSentence which);

}  // namespace lookback::ops
