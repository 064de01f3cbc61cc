// Every kernel there is, and the Table of functions that a device, an instruction set or the reference fills. What the
// kernels take is in products.h, recurrent.h, attention.h, loss.h, rows.h and skip_gram.h.
//
// Kernels know pointers and sizes, nothing else: no Tensor, no autograd, no exceptions. Sizes were checked by the op
// that calls them. Matrices are row-major. Gradients (names that start with d) are accumulated (+=), and a null
// gradient is not computed.
#pragma once

#include <memory>

#include "lookback/kernels/attention.h"
#include "lookback/kernels/loss.h"
#include "lookback/kernels/products.h"
#include "lookback/kernels/recurrent.h"
#include "lookback/kernels/rows.h"
#include "lookback/kernels/skip_gram.h"

// Each kernel and what it takes: one line here gives it its place in the tables, its declarations in ref/ and cpu/, and
// the test that it is held to its reference. The first list has a fast version in cpu/, the second none yet.
#define LOOKBACK_FAST_KERNELS(KERNEL)                    \
  KERNEL(matmul, Matmul)                                 \
  KERNEL(matmul_sum, MatmulSum)                          \
  KERNEL(lstm_forward, LstmForward)                      \
  KERNEL(lstm_backward, LstmBackward)                    \
  KERNEL(lstm_cell, LstmCell)                            \
  KERNEL(lstm_cell_backward, LstmCellBackward)           \
  KERNEL(gru_forward, GruForward)                        \
  KERNEL(gru_backward, GruBackward)                      \
  KERNEL(gru_cell, GruCell)                              \
  KERNEL(gru_cell_backward, GruCellBackward)             \
  KERNEL(score_dot, ScoreDot)                            \
  KERNEL(score_dot_backward, ScoreDotBackward)           \
  KERNEL(tanh_factors, TanhFactors)                      \
  KERNEL(score_additive, ScoreAdditive)                  \
  KERNEL(score_additive_backward, ScoreAdditiveBackward) \
  KERNEL(attend, Attend)                                 \
  KERNEL(attend_backward, AttendBackward)                \
  KERNEL(multi_head, MultiHead)                          \
  KERNEL(multi_head_backward, MultiHeadBackward)         \
  KERNEL(softmax_xent, SoftmaxXent)                      \
  KERNEL(layer_norm, LayerNorm)                          \
  KERNEL(layer_norm_backward, LayerNormBackward)         \
  KERNEL(dropout, Dropout)                               \
  KERNEL(unary, UnaryForward)                            \
  KERNEL(unary_backward, UnaryBackward)                  \
  KERNEL(glu, Glu)                                       \
  KERNEL(glu_backward, GluBackward)                      \
  KERNEL(gather_rows, GatherRows)                        \
  KERNEL(scatter_rows, ScatterRows)                      \
  KERNEL(quantise_rows, QuantiseRows)                    \
  KERNEL(axpy, Axpy)                                     \
  KERNEL(column_sums, ColumnSums)                        \
  KERNEL(skip_gram, SkipGram)
#define LOOKBACK_PLAIN_KERNELS(KERNEL)      \
  KERNEL(convolve_weights, ConvolveWeights) \
  KERNEL(convolve_weights_backward, ConvolveWeightsBackward)
#define LOOKBACK_KERNELS(KERNEL) LOOKBACK_FAST_KERNELS(KERNEL) LOOKBACK_PLAIN_KERNELS(KERNEL)

namespace lookback::kernels {

template <class R>
struct Table {
  const char* name = "";
  // b packed for products whose left side has any number of rows; null if packing gains nothing. It may take over the
  // memory of `old`: null, or one packed for the same sizes and precision.
  std::unique_ptr<Packed> (*pack)(const Matmul<R>&, std::unique_ptr<Packed> old) = nullptr;
  // What `top_k` needs of b, stored [n, k]; null if this machine or these sizes do without.
  std::unique_ptr<Packed> (*sketch)(const Matmul<R>&) = nullptr;
  // False if more than `capacity` columns of a row may be among its largest: matmul is the better way then.
  bool (*top_k)(const TopK<R>&) = nullptr;
// NOLINTNEXTLINE(bugprone-macro-parentheses): it is a name
#define LOOKBACK_ENTRY(kernel, Args) void (*kernel)(const Args<R>&) = nullptr;
  LOOKBACK_KERNELS(LOOKBACK_ENTRY)
#undef LOOKBACK_ENTRY
};

// The reference: one obvious loop nest each. It has every kernel but those that only prepare for others or stand for
// less of them (pack, sketch, top_k).
template <class R>
const Table<R>& ref();

// What this machine runs fastest, gaps filled from the reference.
template <class R>
const Table<R>& best();

// Whether `best` has products of this precision; it computes others in f32.
bool has_products(Precision precision);

// Whether they beat those of f32: processors may have instructions that do not pay.
bool has_fast_products(Precision precision);

}  // namespace lookback::kernels
