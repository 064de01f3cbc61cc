// Every kernel there is: argument structs, and the Table of functions that a
// device, an instruction set or the reference fills.
//
// Kernels know pointers and sizes, nothing else: no Tensor, no autograd, no
// exceptions. Sizes were checked by the op that calls them. Matrices are
// row-major. Gradients (names that start with d) are accumulated (+=), and a
// null gradient is not computed.
//
// T time steps, B batch, I input width, H hidden width, N rows, A attention
// width, M memory width, S memory rows, V vocabulary. Gate order: i f g o (LSTM), r z n (GRU).
#pragma once

#include <cstdint>
#include <memory>

#include "lookback/base/precision.h"
#include "lookback/base/rng.h"

namespace lookback::kernels {

// A ragged batch, longest sequence first, as packed rows: step t holds rows
// begin[t] .. begin[t+1], one for each sequence that is still alive, in batch
// order. Row b of step t follows row b of step t-1.
struct Steps {
  int64_t T;
  const int64_t* begin;  // [T+1]

  int64_t alive(int64_t t) const { return begin[t + 1] - begin[t]; }
  int64_t B() const { return T ? alive(0) : 0; }
  int64_t N() const { return begin[T]; }
};

// A matrix in the order, and of the precision, that the fast products like best; made once and used many times.
struct Packed {
  Precision precision = Precision::f32;
  virtual ~Packed() = default;
};

// A right-hand side: a weight as stored, and perhaps its packed copies.
template <class R>
struct Weight {
  const R* data;  // [rows, cols], ld elements from row to row
  int64_t rows, cols, ld;
  const Packed* packed = nullptr;             // for x W^T
  const Packed* packed_transposed = nullptr;  // for y W
};

// c[m,n] = sum_k a[m,k] b[k,n] (+ bias[n]) (+ c). The stored a is [m,k], or [k,m] when transposed; likewise b.
template <class R>
struct Matmul {
  int64_t m, n, k;
  const R* a;
  int64_t lda;
  bool transpose_a;
  const R* b;
  int64_t ldb;
  bool transpose_b;
  const Packed* packed_b;  // b again, packed; or null
  R* c;
  int64_t ldc;
  bool accumulate;
  const R* bias = nullptr;  // [n]
  // For packing in int8, instead of b: row j of the stored [n,k] is b_scales[j] * b_int8[j].
  const int8_t* b_int8 = nullptr;
  const float* b_scales = nullptr;
  // What a and b are rounded to, if this machine has such products of floats: int8 by packing only.
  // A packed b brings its own.
  Precision precision = Precision::f32;
  // A second product of as many rows and columns, and perhaps more after it, added to the same c in this order. Of
  // these, m, n, c, ldc and accumulate are not looked at.
  const Matmul* also = nullptr;
};

// The product that p.also stands for.
template <class R>
Matmul<R> second(const Matmul<R>& p) {
  Matmul<R> out = *p.also;
  out.m = p.m, out.n = p.n, out.c = p.c, out.ldc = p.ldc, out.accumulate = true;
  return out;
}

// out (+)= x W^T (+ bias) for rows of x [rows, columns of W].
template <class R>
Matmul<R> product_of(int64_t rows, const R* x, const Weight<R>& w, R* out, bool accumulate, const R* bias = nullptr) {
  return {.m = rows,
          .n = w.rows,
          .k = w.cols,
          .a = x,
          .lda = w.cols,
          .b = w.data,
          .ldb = w.ld,
          .transpose_b = true,
          .packed_b = w.packed,
          .c = out,
          .ldc = w.rows,
          .accumulate = accumulate,
          .bias = bias};
}

// out (+)= y W for rows of y [rows, rows of W].
template <class R>
Matmul<R> transposed_product_of(int64_t rows, const R* y, const Weight<R>& w, R* out, bool accumulate) {
  return {.m = rows,
          .n = w.cols,
          .k = w.rows,
          .a = y,
          .lda = w.rows,
          .b = w.data,
          .ldb = w.ld,
          .packed_b = w.packed_transposed,
          .c = out,
          .ldc = w.cols,
          .accumulate = accumulate};
}

// Of each row of a b^T + bias, columns that hold its `count` largest values, and those values as matmul computes
// them, bit for bit; found without reading all of b. See cpu/largest.h.
template <class R>
struct Largest {
  int64_t m, n, k;
  const R* a;  // [m, k]
  const R* b;  // [n, k], ldb elements from row to row
  int64_t ldb;
  const Packed* sketch;  // of b
  const R* bias;         // [n] or null
  int64_t count;
  int64_t capacity;  // columns that can be kept of a row
  int32_t* columns;  // [m, capacity] out, ascending
  R* values;         // [m, capacity] out
  int64_t* kept;     // [m] out
};

template <class R>
struct LstmForward {
  Steps steps;
  int64_t H;
  bool reverse;  // runs from each sequence's end to its start
  Weight<R> wh;  // [4H, H]
  const R* h0;   // [B, H] or null for zeros
  const R* c0;   // [B, H] or null for zeros
  R* gates;      // [N, 4H] in: x Wx^T + b; out: activations, which backward reads
  R* h;          // [N, H]
  R* c;          // [N, H]
  R* scratch;    // [B, H]
};

template <class R>
struct LstmBackward {
  LstmForward<R> f;  // what the forward saw and wrote
  const R* dh;       // [N, H] gradient of h
  const R* dh_last;  // [B, H] gradient of each sequence's last h, or null
  const R* dc_last;  // [B, H] gradient of each sequence's last c, or null
  R* dgates;         // [N, 4H] written, not added: gradient before the nonlinearity
  R* dh_carry;       // [B, H] scratch; on return the gradient of h0, if there is one
  R* dc_carry;       // [B, H] scratch; on return the gradient of c0
};

// One step of LSTM after its products: gates holds x Wx^T + h Wh^T + b on entry, activations on exit.
template <class R>
struct LstmCell {
  int64_t N, H;
  R* gates;            // [N, 4H]
  const R* c;          // [N, H] cell before
  R *h_next, *c_next;  // [N, H]
};

template <class R>
struct LstmCellBackward {
  LstmCell<R> f;
  const R* dh_next;  // [N, H] or null
  const R* dc_next;  // [N, H] or null
  R* dgates;         // [N, 4H] written, not added
  R* dc;             // [N, H] or null; written, may be dc_next
};

// PyTorch's GRU: n = tanh(xn + r * hn), with hn = h Wn^T + bn; h' = (1 - z) n + z h.
template <class R>
struct GruForward {
  Steps steps;
  int64_t H;
  bool reverse;
  Weight<R> wh;  // [3H, H]
  const R* bh;   // [3H]
  const R* h0;   // [B, H] or null for zeros
  R* gates;      // [N, 3H] in: x Wx^T + bx; out: activations r z n
  R* hn;         // [N, H] out: h Wn^T + bn
  R* h;          // [N, H]
  R* scratch;    // [B, 4H]
};

template <class R>
struct GruBackward {
  GruForward<R> f;
  const R* dh;       // [N, H]
  const R* dh_last;  // [B, H] or null
  R* dgates_x;       // [N, 3H] written: gradient of x Wx^T + bx
  R* dgates_h;       // [N, 3H] written: gradient of h Wh^T + bh
  R* dh_carry;       // [B, H] scratch; on return the gradient of h0, if there is one
};

template <class R>
struct GruCell {
  int64_t N, H;
  R* gates;          // [N, 3H] in: x part; out: activations r z n
  const R* gates_h;  // [N, 3H] h Wh^T + bh
  const R* h;        // [N, H] state before
  R* h_next;         // [N, H]
};

template <class R>
struct GruCellBackward {
  GruCell<R> f;
  const R* dh_next;  // [N, H]
  R* dgates_x;       // [N, 3H] written
  R* dgates_h;       // [N, 3H] written
  R* dh;             // [N, H] or null; written, may be dh_next
};

// The sentences that attention looks at: sentence s owns memory rows begin[s] .. begin[s+1].
// Row n of the queries looks at sentence of[n]. Weights and energies are [N, T] with
// T >= the longest sentence; columns past a sentence's own length are zero.
struct Memory {
  int64_t sentences;
  const int64_t* begin;  // [sentences+1]
  int64_t N;
  const int32_t* of;  // [N]
  int64_t T;

  int64_t length(int64_t n) const { return begin[of[n] + 1] - begin[of[n]]; }
};

// energies[n,t] = scale * query[n] . keys[begin[of[n]] + t]
template <class R>
struct ScoreDot {
  Memory memory;
  int64_t A;
  R scale;
  const R* query;  // [N, A]
  const R* keys;   // [S, A]
  R* energies;     // [N, T]
};

template <class R>
struct ScoreDotBackward {
  ScoreDot<R> f;
  const R* denergies;  // [N, T]
  R *dquery, *dkeys;
};

// energies[n,t] = v . tanh(query[n] + keys[begin[of[n]] + t])   (Bahdanau et al. 2015)
template <class R>
struct ScoreAdditive {
  Memory memory;
  int64_t A;
  const R* query;  // [N, A]
  const R* keys;   // [S, A]
  const R* v;      // [A]
  R* energies;     // [N, T]
};

template <class R>
struct ScoreAdditiveBackward {
  ScoreAdditive<R> f;
  const R* denergies;  // [N, T]
  R *dquery, *dkeys;
  R* dv;          // [A]
  R* dv_scratch;  // [sentences, A]
};

// weights = softmax of energies over the sentence's own positions; context = weights . values
// A sentence without positions gives zeros.
template <class R>
struct Attend {
  Memory memory;
  int64_t M;
  const R* energies;  // [N, T]
  const R* values;    // [S, M]
  R* weights;         // [N, T]
  R* context;         // [N, M]
};

template <class R>
struct AttendBackward {
  Attend<R> f;
  const R* dcontext;  // [N, M] or null
  const R* dweights;  // [N, T] or null
  R *denergies, *dvalues;
};

// Softmax cross-entropy of rows of logits, with label smoothing e over all V classes:
// loss = -(1-e) log p[y] - e/V sum_v log p[v]. The logits become d(loss)/d(logits) * scale.
template <class R>
struct SoftmaxXent {
  int64_t N, V;
  double smoothing;
  R scale;
  const int32_t* targets;  // [N]
  R* logits;               // [N, V] in: logits; out: gradient, if want_grad
  bool want_grad;
  double* losses;   // [N] loss of each row
  double* nlls;     // [N] -log p[y] of each row
  int8_t* correct;  // [N] whether y has the largest logit
};

// y = gamma * (x - mean) / sqrt(var + epsilon) + beta, over the last dimension   (Ba et al. 2016)
template <class R>
struct LayerNorm {
  int64_t N, C;
  R epsilon;
  const R *x, *gamma, *beta;
  R* y;
  R *mean, *inverse_std;  // [N]
};

template <class R>
struct LayerNormBackward {
  LayerNorm<R> f;
  const R* dy;
  R *dx, *dgamma, *dbeta;
};

// y = x * keep / (1-p). The mask of element k is word k of the stream; with row_of,
// that of row n is taken from row row_of[n] instead (one mask for all steps of a sequence).
template <class R>
struct Dropout {
  int64_t N, C;
  double p;
  Stream stream;
  const int32_t* row_of;  // [N] or null
  const R* x;
  R* y;  // y = mask * x, or y += mask * x when accumulate
  bool accumulate;
};

// Elementwise y = f(x).
enum class Unary { tanh, sigmoid, relu };

template <class R>
struct UnaryForward {
  Unary kind;
  int64_t size;
  const R* x;
  R* y;
};

template <class R>
struct UnaryBackward {
  UnaryForward<R> f;
  const R* dy;
  R* dx;
};

// out[n] (+)= table[ids[n]]; negative ids give zeros.
template <class R>
struct GatherRows {
  int64_t N, C;
  const int32_t* ids;
  const R* table;
  R* out;
};

// table[ids[n]] += rows[n], in the order of n.
template <class R>
struct ScatterRows {
  int64_t N, C;
  const int32_t* ids;
  const R* rows;
  R* table;
};

// y += alpha x
template <class R>
struct Axpy {
  int64_t size;
  R alpha;
  const R* x;
  R* y;
};

// sums[c] += sum_n x[n,c], rows in order.
template <class R>
struct ColumnSums {
  int64_t N, C, ldx;
  const R* x;
  R* sums;
};

// The scale of a row of int8 with this largest magnitude; 0 where there is next to nothing. A row of scale * q has
// the same scale and the same q again: (largest / 127) * 127 / 127 is largest / 127 for every float.
inline float int8_scale(float largest) { return largest < 1e-30f ? 0 : largest / 127; }

// q = x / scale, to the nearest, in [-127, 127]. A row that holds something not finite gets the scale NaN and zeros.
template <class R>
struct QuantiseRows {
  int64_t N, C;
  const R* x;     // [N, C]
  int8_t* q;      // [N, C]
  float* scales;  // [N]
};

template <class R>
struct Table {
  const char* name;
  // b packed for products whose left side has any number of rows; null if packing gains nothing. It may take over the
  // memory of `old`: null, or one packed for the same sizes and precision.
  std::unique_ptr<Packed> (*pack)(const Matmul<R>&, std::unique_ptr<Packed> old);
  // What `largest` needs of b, stored [n, k]; null if this machine or these sizes do without.
  std::unique_ptr<Packed> (*sketch)(const Matmul<R>&);
  // False if more than `capacity` columns of a row may be among its largest: matmul is the better way then.
  bool (*largest)(const Largest<R>&);
  void (*matmul)(const Matmul<R>&);
  void (*lstm_forward)(const LstmForward<R>&);
  void (*lstm_backward)(const LstmBackward<R>&);
  void (*lstm_cell)(const LstmCell<R>&);
  void (*lstm_cell_backward)(const LstmCellBackward<R>&);
  void (*gru_forward)(const GruForward<R>&);
  void (*gru_backward)(const GruBackward<R>&);
  void (*gru_cell)(const GruCell<R>&);
  void (*gru_cell_backward)(const GruCellBackward<R>&);
  void (*score_dot)(const ScoreDot<R>&);
  void (*score_dot_backward)(const ScoreDotBackward<R>&);
  void (*score_additive)(const ScoreAdditive<R>&);
  void (*score_additive_backward)(const ScoreAdditiveBackward<R>&);
  void (*attend)(const Attend<R>&);
  void (*attend_backward)(const AttendBackward<R>&);
  void (*softmax_xent)(const SoftmaxXent<R>&);
  void (*layer_norm)(const LayerNorm<R>&);
  void (*layer_norm_backward)(const LayerNormBackward<R>&);
  void (*dropout)(const Dropout<R>&);
  void (*unary)(const UnaryForward<R>&);
  void (*unary_backward)(const UnaryBackward<R>&);
  void (*gather_rows)(const GatherRows<R>&);
  void (*scatter_rows)(const ScatterRows<R>&);
  void (*quantise_rows)(const QuantiseRows<R>&);
  void (*axpy)(const Axpy<R>&);
  void (*column_sums)(const ColumnSums<R>&);
};

// The reference: one obvious loop nest each. It has every kernel but those that only prepare for others or stand for
// less of them (pack, sketch, largest).
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
