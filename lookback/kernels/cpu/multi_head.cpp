// Self-attention of several heads, a block of queries by a block of keys at a time, so that weights never leave the
// cache: the softmax is corrected as scores come in, and backward computes them again (Dao et al. 2022). Queries stand
// side by side in the lanes of vectors: then a row's largest score, its sum and its corrections need no sums across
// lanes, and every number is one chain of additions over keys, or over columns, whatever the width of a vector.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/multi_head.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/simd-inl.h"
#include "lookback/kernels/kernels.h"

#ifndef LOOKBACK_MULTI_HEAD_ONCE_
#define LOOKBACK_MULTI_HEAD_ONCE_
namespace lookback::kernels {

// Queries, at most, and keys of a block. Sums are formed block by block, so these are part of the result. Every query
// has to see a key of the first block that is visited for it, so there must not be fewer keys than queries.
constexpr int64_t kQueries = 64, kKeys = 64;

// Fewer queries make a block where it sees but a part of a sentence, since it computes the scores of all keys that any
// of them sees. As measured.
inline int64_t queries_together(const MultiHead<float>& a) {
  constexpr int64_t kNarrow = 128;
  return a.window && a.window <= kNarrow ? kQueries / 4 : a.causal ? kQueries / 2 : kQueries;
}

// What a head of a sentence needs for itself: a buffer that is cut up. Rows begin at cache lines.
class HeadScratch {
 public:
  explicit HeadScratch(float* begin) : next_(begin) {}
  float* take(int64_t floats) {
    float* const out = next_;
    if (out) next_ += rounded(floats);
    used_ += rounded(floats);
    return out;
  }
  int64_t used() const { return used_; }
  static int64_t rounded(int64_t floats) { return (floats + 15) / 16 * 16; }

 private:
  float* next_;  // null: sizes are counted and nothing is given out
  int64_t used_ = 0;
};

// Rows that the next head will read, fetched a few at a time while this one is computed: a head's columns are short
// pieces of rows, of which the processor does not guess the next.
struct Ahead {
  const float* from[8] = {};
  int64_t count = 0, rows = 0, width = 0, ld = 0, matrix = 0, row = 0;

  void fetch() {
    constexpr int64_t kTogether = 12, kLine = 16;
    for (int64_t k = 0; k < kTogether && matrix < count; ++k) {
      const float* const line = from[matrix] + row * ld;
      for (int64_t c = 0; c < width; c += kLine) __builtin_prefetch(line + c, 0, 2);
      if (++row == rows) row = 0, ++matrix;
    }
  }
};

struct ForwardScratch {
  float *keys, *values;           // [T, width]
  float* by_distance;             // see Distances
  float *query_rows, *queries;    // [kQueries, width] scaled, and that transposed
  float* scores;                  // [kKeys, kQueries] then weights
  float* out;                     // [width, kQueries] transposed
  float *top, *sum, *correction;  // [kQueries]
  Ahead* ahead = nullptr;

  ForwardScratch(HeadScratch& s, int64_t T, int64_t width)
      : keys(s.take(T * width)),
        values(s.take(T * width)),
        by_distance(s.take(2 * T + 2 * kQueries)),
        query_rows(s.take(width * kQueries)),
        queries(s.take(width * kQueries)),
        scores(s.take(kKeys * kQueries)),
        out(s.take(width * kQueries)),
        top(s.take(kQueries)),
        sum(s.take(kQueries)),
        correction(s.take(kQueries)) {}
};

struct BackwardScratch {
  float *keys, *values;               // [T, width]
  float *dkeys, *dvalues;             // [T, width rounded]
  float *by_distance, *dby_distance;  // see Distances
  float *queries, *query_rows;        // [width, kQueries], [kQueries, width rounded] scaled
  float *dout, *dout_rows;            // the same
  float* dqueries;                    // [width, kQueries]
  float *weights, *dscores;           // [kKeys, kQueries]
  float *top, *inverse, *mean;        // [kQueries]
  Ahead* ahead = nullptr;

  BackwardScratch(HeadScratch& s, int64_t T, int64_t width)
      : keys(s.take(T * width)),
        values(s.take(T * width)),
        dkeys(s.take(T * HeadScratch::rounded(width))),
        dvalues(s.take(T * HeadScratch::rounded(width))),
        by_distance(s.take(2 * T + 2 * kQueries)),
        dby_distance(s.take(2 * T + 2 * kQueries)),
        queries(s.take(width * kQueries)),
        query_rows(s.take(kQueries * HeadScratch::rounded(width))),
        dout(s.take(width * kQueries)),
        dout_rows(s.take(kQueries * HeadScratch::rounded(width))),
        dqueries(s.take(width * kQueries)),
        weights(s.take(kKeys * kQueries)),
        dscores(s.take(kKeys * kQueries)),
        top(s.take(kQueries)),
        inverse(s.take(kQueries)),
        mean(s.take(kQueries)) {}
};

}  // namespace lookback::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

// A tile of a product is as many rows by vectors as the registers hold.
constexpr int kTileRows = 6;
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int kTileVectors = 4;
#else
constexpr int kTileVectors = 2;
#endif

// c = a b, c += a b, or c = c * factors + a b, where a column has a factor. a is stored [rows, depth], or [depth,
// rows].
enum class Finish { write, add, correct };
enum class Stored { across, down };

struct Factors {
  const float *a, *b;
  int64_t lda, ldb, depth;
  Ahead* ahead;
};

template <int kRows, int kVectors, Stored kStored, Finish kFinish>
HWY_NOINLINE void product_tile(const Factors& f, const float* HWY_RESTRICT a, const float* HWY_RESTRICT b,
                               float* HWY_RESTRICT c, int64_t ldc, const float* HWY_RESTRICT factors) {
  const D d;
  const int64_t L = lanes(), lda = f.lda, ldb = f.ldb, depth = f.depth;
  V sum[kRows][kVectors];
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) HWY_UNROLL(4)
  for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(d);
  for (int64_t k = 0; k < depth; ++k) {
    V column[kVectors];
    HWY_UNROLL(4) for (int v = 0; v < kVectors; ++v) column[v] = hn::LoadU(d, b + k * ldb + v * L);
    HWY_UNROLL(8) for (int r = 0; r < kRows; ++r) {
      const V x = hn::Set(d, kStored == Stored::down ? a[k * lda + r] : a[r * lda + k]);
      HWY_UNROLL(4) for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(x, column[v], sum[r][v]);
    }
  }
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) HWY_UNROLL(4)
  for (int v = 0; v < kVectors; ++v) {
    float* const to = c + r * ldc + v * L;
    if constexpr (kFinish == Finish::write)
      hn::StoreU(sum[r][v], d, to);
    else if constexpr (kFinish == Finish::add)
      hn::StoreU(hn::Add(hn::LoadU(d, to), sum[r][v]), d, to);
    else
      hn::StoreU(hn::MulAdd(hn::LoadU(d, to), hn::LoadU(d, factors + v * L), sum[r][v]), d, to);
  }
}

using Tile = void (*)(const Factors&, const float*, const float*, float*, int64_t, const float*);

template <int kVectors, Stored kStored, Finish kFinish>
HWY_INLINE Tile tile_of(int64_t rows) {
  static constexpr Tile kTiles[kTileRows] = {
      &product_tile<1, kVectors, kStored, kFinish>, &product_tile<2, kVectors, kStored, kFinish>,
      &product_tile<3, kVectors, kStored, kFinish>, &product_tile<4, kVectors, kStored, kFinish>,
      &product_tile<5, kVectors, kStored, kFinish>, &product_tile<6, kVectors, kStored, kFinish>};
  return kTiles[rows - 1];
}

template <Stored kStored, Finish kFinish, int kVectors = kTileVectors>
HWY_INLINE void product_columns(int64_t vectors, const Factors& f, int64_t rows, const float* b, float* c, int64_t ldc,
                                const float* factors) {
  if (vectors < kVectors) {
    if constexpr (kVectors > 1) product_columns<kStored, kFinish, kVectors - 1>(vectors, f, rows, b, c, ldc, factors);
    return;
  }
  for (int64_t r = 0; r < rows; r += kTileRows) {
    f.ahead->fetch();
    tile_of<kVectors, kStored, kFinish>(std::min<int64_t>(kTileRows, rows - r))(
        f, kStored == Stored::down ? f.a + r : f.a + r * f.lda, b, c + r * ldc, ldc, factors);
  }
}

// Of c [rows, columns], whose columns are whole vectors.
template <Stored kStored, Finish kFinish>
HWY_INLINE void product(const Factors& f, int64_t rows, int64_t columns, float* c, int64_t ldc,
                        const float* factors = nullptr) {
  const int64_t L = lanes();
  for (int64_t n = 0; n < columns; n += kTileVectors * L)
    product_columns<kStored, kFinish>(std::min<int64_t>(kTileVectors, (columns - n) / L), f, rows, f.b + n, c + n, ldc,
                                      factors ? factors + n : nullptr);
}

// Whole vectors that hold n.
HWY_INLINE int64_t whole(int64_t n) { return (n + lanes() - 1) / lanes() * lanes(); }

// Where a head of a sentence lies in [N, C].
struct Place {
  int64_t T, at, ld;
};

HWY_INLINE Place place_of(const MultiHead<float>& a, int64_t s, int64_t h) {
  const int64_t C = a.heads * a.width;
  return {a.begin[s + 1] - a.begin[s], a.begin[s] * C + h * a.width, C};
}

// to[rows, ld_to] = factor * from[rows, width], zero up to `padded`.
HWY_INLINE void copy_rows(int64_t rows, int64_t width, const float* from, int64_t ld, float factor, float* to,
                          int64_t ld_to) {
  const V x = hn::Set(D(), factor);
  for (int64_t r = 0; r < rows; ++r, from += ld, to += ld_to)
    for (int64_t k = 0; k < width; k += lanes()) {
      const V v = hn::Mul(x, load(from + k, width - k));
      if (k + lanes() <= ld_to)
        hn::StoreU(v, D(), to + k);
      else
        store(v, to + k, width - k);
    }
}

// A square of `from`, transposed: put(column, vector of rows).
template <class Put>
HWY_INLINE void transpose_square(const float* from, [[maybe_unused]] int64_t ld, Put&& put) {
#if HWY_TARGET == HWY_SCALAR
  put(0, hn::Load(D(), from));
#else
  const hn::Full128<float> d;
  hn::Vec<hn::Full128<float> > v[4];
  HWY_UNROLL(4) for (int64_t i = 0; i < 4; ++i) v[i] = hn::LoadU(d, from + i * ld);
  transpose_squares(d, v);
  HWY_UNROLL(4) for (int64_t i = 0; i < 4; ++i) put(i, v[i]);
#endif
}

#if HWY_TARGET == HWY_SCALAR
constexpr int64_t kSide = 1;
using Few = D;
#else
constexpr int64_t kSide = 4;
using Few = hn::Full128<float>;
#endif

// to[width, kQueries] = from[rows, width]^T; further lanes of the last vector are zero.
HWY_INLINE void columns_of(int64_t rows, int64_t width, const float* from, int64_t ld, float* to) {
  const Few d;
  const int64_t whole_rows = rows / kSide * kSide, whole_width = width / kSide * kSide;
  for (int64_t r = 0; r < whole_rows; r += kSide)
    for (int64_t k = 0; k < whole_width; k += kSide)
      transpose_square(from + r * ld + k, ld,
                       [&](int64_t i, auto v) HWY_ATTR { hn::StoreU(v, d, to + (k + i) * kQueries + r); });
  for (int64_t k = 0; k < width; ++k) {
    for (int64_t r = k < whole_width ? whole_rows : 0; r < rows; ++r) to[k * kQueries + r] = from[r * ld + k];
    for (int64_t r = rows; r < whole(rows); ++r) to[k * kQueries + r] = 0;
  }
}

// to[rows, width] (+)= factors[row] * from[width, kQueries]^T
template <bool kAdd>
HWY_INLINE void rows_of(int64_t rows, int64_t width, const float* from, const float* factors, float* to, int64_t ld) {
  const Few d;
  const int64_t whole_rows = rows / kSide * kSide, whole_width = width / kSide * kSide;
  for (int64_t r = 0; r < whole_rows; r += kSide)
    for (int64_t k = 0; k < whole_width; k += kSide)
      transpose_square(from + k * kQueries + r, kQueries, [&](int64_t i, auto v) HWY_ATTR {
        float* const p = to + (r + i) * ld + k;
        v = hn::Mul(v, hn::Set(d, factors[r + i]));
        hn::StoreU(kAdd ? hn::Add(v, hn::LoadU(d, p)) : v, d, p);
      });
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t k = r < whole_rows ? whole_width : 0; k < width; ++k) {
      const float v = from[k * kQueries + r] * factors[r];
      to[r * ld + k] = kAdd ? v + to[r * ld + k] : v;
    }
}

// Queries [query, query + queries) and keys [key, key + keys) of a sentence.
struct Block {
  int64_t query, queries, key, keys;
};

// Calls f(block) for the blocks of keys that a block of queries sees anything of, in their order.
template <class F>
HWY_INLINE void each_block(const MultiHead<float>& a, int64_t T, int64_t query, int64_t queries, F&& f) {
  const int64_t end = a.end_seen(query + queries - 1, T);
  for (int64_t key = a.first_seen(query); key < end; key += kKeys)
    f(Block{query, queries, key, std::min(kKeys, end - key)});
}

// What is added to a score by the distance t - u alone: the bias, and to scores that do not count so little that their
// weight is zero. Element `zero` is that of distance 0.
struct Distances {
  static constexpr float kHidden = -1e38f;
  const float* zero;  // for -T < t - u < T + kQueries

  static Distances of(const MultiHead<float>& a, int64_t T, int64_t h, float* out) {
    if (!a.bias && !a.causal && !a.window) return {nullptr};
    for (int64_t distance = 1 - T; distance < T + kQueries; ++distance) {
      const float bias = a.bias ? a.bias[h * (2 * a.reach + 1) + a.column(distance)] : 0.0f;
      out[T + distance] = a.sees(distance) ? bias : kHidden;
    }
    return {out + T};
  }
};

// Whether scores of a block are anything but products.
HWY_INLINE bool adds_by_distance(const MultiHead<float>& a, const Block& b) {
  return a.bias || !a.sees(b.query - (b.key + b.keys - 1)) || !a.sees(b.query + b.queries - 1 - b.key);
}

// scores[keys, kQueries] of a block.
HWY_INLINE void scores_of(const MultiHead<float>& a, const Block& b, const float* keys, const float* queries,
                          const Distances& distances, float* scores, Ahead* ahead) {
  const int64_t columns = whole(b.queries);
  product<Stored::across, Finish::write>(
      {.a = keys + b.key * a.width, .b = queries, .lda = a.width, .ldb = kQueries, .depth = a.width, .ahead = ahead},
      b.keys, columns, scores, kQueries);
  if (!adds_by_distance(a, b)) return;
  for (int64_t j = 0; j < b.keys; ++j) {
    float* const row = scores + j * kQueries;
    const float* const more = distances.zero + (b.query - b.key - j);
    for (int64_t q = 0; q < columns; q += lanes())
      hn::StoreU(hn::Add(hn::LoadU(D(), row + q), hn::LoadU(D(), more + q)), D(), row + q);
  }
}

// Scores of a block become exp(score - top), with the new largest ones, and the sums and corrections that go with them.
HWY_INLINE void weights_so_far(const Block& b, const ForwardScratch& s) {
  const D d;
  for (int64_t q = 0; q < b.queries; q += lanes()) {
    float* const column = s.scores + q;
    const V before = hn::LoadU(d, s.top + q);
    V top0 = before, top1 = before;
    int64_t j = 0;
    for (; j + 2 <= b.keys; j += 2) {
      top0 = hn::Max(top0, hn::LoadU(d, column + j * kQueries));
      top1 = hn::Max(top1, hn::LoadU(d, column + (j + 1) * kQueries));
    }
    if (j < b.keys) top0 = hn::Max(top0, hn::LoadU(d, column + j * kQueries));
    const V top = hn::Max(top0, top1), correction = exp(hn::Sub(before, top));
    V sum = hn::Zero(d);
    for (j = 0; j < b.keys; ++j) {
      const V w = exp(hn::Sub(hn::LoadU(d, column + j * kQueries), top));
      hn::StoreU(w, d, column + j * kQueries);
      sum = hn::Add(sum, w);
    }
    hn::StoreU(top, d, s.top + q);
    hn::StoreU(correction, d, s.correction + q);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, s.sum + q), correction, sum), d, s.sum + q);
  }
}

void MultiHeadForward(const MultiHead<float>& a, int64_t sentence, int64_t h, const ForwardScratch& s) {
  const auto [T, at, ld] = place_of(a, sentence, h);
  copy_rows(T, a.width, a.key + at, ld, 1, s.keys, a.width);
  copy_rows(T, a.width, a.value + at, ld, 1, s.values, a.width);
  const Distances distances = Distances::of(a, T, h, s.by_distance);
  const int64_t block = queries_together(a);
  for (int64_t query = 0; query < T; query += block) {
    const int64_t queries = std::min(block, T - query), columns = whole(queries);
    copy_rows(queries, a.width, a.query + at + query * ld, ld, a.scale, s.query_rows, a.width);
    columns_of(queries, a.width, s.query_rows, a.width, s.queries);
    std::fill_n(s.top, columns, std::numeric_limits<float>::lowest());
    std::fill_n(s.sum, columns, 0.0f);
    std::fill_n(s.out, a.width * kQueries, 0.0f);
    each_block(a, T, query, queries, [&](const Block& b) HWY_ATTR {
      scores_of(a, b, s.keys, s.queries, distances, s.scores, s.ahead);
      weights_so_far(b, s);
      product<Stored::down, Finish::correct>({.a = s.values + b.key * a.width,
                                              .b = s.scores,
                                              .lda = a.width,
                                              .ldb = kQueries,
                                              .depth = b.keys,
                                              .ahead = s.ahead},
                                             a.width, columns, s.out, kQueries, s.correction);
    });
    const int64_t row = h * a.N + a.begin[sentence] + query;
    for (int64_t q = 0; q < queries; ++q) {
      a.top[row + q] = s.top[q];
      a.inverse[row + q] = s.sum[q] = 1 / s.sum[q];
    }
    rows_of<false>(queries, a.width, s.out, s.sum, a.out + at + query * ld, ld);
  }
}

// Scores become weights, and the gradients of weights those of scores.
HWY_INLINE void dscores_of(const Block& b, const BackwardScratch& s, float* dby_distance) {
  const D d;
  for (int64_t q = 0; q < b.queries; q += lanes()) {
    const V top = hn::LoadU(d, s.top + q), inverse = hn::LoadU(d, s.inverse + q), mean = hn::LoadU(d, s.mean + q);
    for (int64_t j = 0; j < b.keys; ++j) {
      float *const w = s.weights + j * kQueries + q, *const ds = s.dscores + j * kQueries + q;
      const V weight = hn::Mul(exp(hn::Sub(hn::LoadU(d, w), top)), inverse);
      // forward: w = softmax(scores)
      hn::StoreU(weight, d, w);
      hn::StoreU(hn::Mul(weight, hn::Sub(hn::LoadU(d, ds), mean)), d, ds);
    }
  }
  if (!dby_distance) return;
  for (int64_t j = 0; j < b.keys; ++j) {
    float* const sums = dby_distance + (b.query - b.key - j);
    const float* const ds = s.dscores + j * kQueries;
    for (int64_t q = 0; q < b.queries; q += lanes()) {
      const V sum = hn::Add(hn::LoadU(d, sums + q), first_of(hn::LoadU(d, ds + q), b.queries - q));
      hn::StoreU(sum, d, sums + q);
    }
  }
}

// What backward needs of a block of queries.
HWY_INLINE void load_queries(const MultiHeadBackward<float>& a, const Place& place, int64_t query, int64_t queries,
                             int64_t row, const BackwardScratch& s) {
  const MultiHead<float>& f = a.f;
  const int64_t padded = HeadScratch::rounded(f.width), columns = whole(queries);
  const float *const q = f.query + place.at + query * place.ld, *const dout = a.dout + place.at + query * place.ld,
                     *const out = f.out + place.at + query * place.ld;
  copy_rows(queries, f.width, q, place.ld, f.scale, s.query_rows, padded);
  copy_rows(queries, f.width, dout, place.ld, 1, s.dout_rows, padded);
  columns_of(queries, f.width, s.query_rows, padded, s.queries);
  columns_of(queries, f.width, s.dout_rows, padded, s.dout);
  for (float* const p : {s.top, s.inverse, s.mean}) std::fill_n(p, columns, 0.0f);
  std::copy_n(f.top + row, queries, s.top);
  std::copy_n(f.inverse + row, queries, s.inverse);
  for (int64_t t = 0; t < queries; ++t) s.mean[t] = dot(s.dout_rows + t * padded, out + t * place.ld, f.width);
}

// The gradients that a block of queries and keys adds to.
HWY_INLINE void backward_block(const MultiHeadBackward<float>& a, const Block& b, const Distances& distances,
                               const BackwardScratch& s, float* dby_distance) {
  const int64_t width = a.f.width, padded = HeadScratch::rounded(width), columns = whole(b.queries);
  scores_of(a.f, b, s.keys, s.queries, distances, s.weights, s.ahead);
  // forward: out = w values
  product<Stored::across, Finish::write>(
      {.a = s.values + b.key * width, .b = s.dout, .lda = width, .ldb = kQueries, .depth = width, .ahead = s.ahead},
      b.keys, columns, s.dscores, kQueries);
  dscores_of(b, s, dby_distance);
  if (a.dvalue)
    product<Stored::across, Finish::add>(
        {.a = s.weights, .b = s.dout_rows, .lda = kQueries, .ldb = padded, .depth = b.queries, .ahead = s.ahead},
        b.keys, whole(width), s.dvalues + b.key * padded, padded);
  // forward: score = (scale q) . k
  if (a.dkey)
    product<Stored::across, Finish::add>(
        {.a = s.dscores, .b = s.query_rows, .lda = kQueries, .ldb = padded, .depth = b.queries, .ahead = s.ahead},
        b.keys, whole(width), s.dkeys + b.key * padded, padded);
  if (a.dquery)
    product<Stored::down, Finish::add>(
        {.a = s.keys + b.key * width, .b = s.dscores, .lda = width, .ldb = kQueries, .depth = b.keys, .ahead = s.ahead},
        width, columns, s.dqueries, kQueries);
}

// What all blocks added to the gradients of keys or values.
HWY_INLINE void give_rows(int64_t rows, int64_t width, const float* from, bool replace, float* to, int64_t ld) {
  const int64_t padded = HeadScratch::rounded(width);
  for (int64_t r = 0; r < rows; ++r, from += padded, to += ld)
    for (int64_t k = 0; k < width; k += lanes()) {
      const V v = hn::LoadU(D(), from + k);
      store(replace ? v : hn::Add(load(to + k, width - k), v), to + k, width - k);
    }
}

void MultiHeadBack(const MultiHeadBackward<float>& a, int64_t sentence, int64_t h, const BackwardScratch& s) {
  const MultiHead<float>& f = a.f;
  const Place place = place_of(f, sentence, h);
  const int64_t T = place.T, at = place.at, ld = place.ld;
  const int64_t padded = HeadScratch::rounded(f.width);
  copy_rows(T, f.width, f.key + at, ld, 1, s.keys, f.width);
  copy_rows(T, f.width, f.value + at, ld, 1, s.values, f.width);
  const Distances distances = Distances::of(f, T, h, s.by_distance);
  if (a.dvalue) std::fill_n(s.dvalues, T * padded, 0.0f);
  if (a.dkey) std::fill_n(s.dkeys, T * padded, 0.0f);
  if (a.dbias) std::fill_n(s.dby_distance, 2 * T + kQueries, 0.0f);
  const int64_t block = queries_together(f);
  for (int64_t query = 0; query < T; query += block) {
    const int64_t queries = std::min(block, T - query);
    load_queries(a, place, query, queries, h * f.N + f.begin[sentence] + query, s);
    if (a.dquery) std::fill_n(s.dqueries, f.width * kQueries, 0.0f);
    each_block(f, T, query, queries, [&](const Block& b) HWY_ATTR {
      backward_block(a, b, distances, s, a.dbias ? s.dby_distance + T : nullptr);
    });
    if (!a.dquery) continue;
    std::fill_n(s.mean, queries, f.scale);
    const auto finish = a.replace_dquery ? &rows_of<false> : &rows_of<true>;
    finish(queries, f.width, s.dqueries, s.mean, a.dquery + at + query * ld, ld);
  }
  if (a.dkey) give_rows(T, f.width, s.dkeys, a.replace_dkey, a.dkey + at, ld);
  if (a.dvalue) give_rows(T, f.width, s.dvalues, a.replace_dvalue, a.dvalue + at, ld);
  if (!a.dbias) return;
  const int64_t columns = 2 * f.reach + 1;
  float* const dbias = a.dbias_scratch + (sentence * f.heads + h) * columns;
  std::fill_n(dbias, columns, 0.0f);
  for (int64_t distance = 1 - T; distance < T; ++distance) dbias[f.column(distance)] += s.dby_distance[T + distance];
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <memory>

#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/cpu.h"
#include "lookback/kernels/cpu/pages.h"

namespace lookback::kernels {
HWY_EXPORT(MultiHeadForward);
HWY_EXPORT(MultiHeadBack);

namespace cpu_impl {
namespace {

// Multiply-adds of a piece that is worth being taken by itself.
constexpr int64_t kWorth = 1 << 19;

// Pieces that are enough for threads to be done together: fewer heads without a neighbour.
constexpr int64_t kPieces = 64;

// What the head after this one reads, if it comes next; not more of a long sentence than the cache keeps.
template <size_t n>
Ahead ahead_of(const MultiHead<float>& a, int64_t next, const float* const (&matrices)[n]) {
  constexpr int64_t kRows = 256;
  const int64_t s = next / a.heads, C = a.heads * a.width;
  Ahead out{.rows = std::min(kRows, a.begin[s + 1] - a.begin[s]), .width = a.width, .ld = C};
  if (out.rows == 0) return out;
  for (const float* const m : matrices)
    if (m) out.from[out.count++] = m + a.begin[s] * C + next % a.heads * a.width;
  return out;
}

// Calls f(sentence, head, scratch) for every head of every sentence, side by side. matrices: [N, C] what f reads.
template <class Scratch, size_t n, class F>
void each_head(const MultiHead<float>& a, const float* const (&matrices)[n], F&& f) {
  const int64_t heads = a.sentences * a.heads;
  if (heads == 0) return;
  const int64_t T = a.N / a.sentences, seen = a.window ? std::min(T, 2 * a.window + 1) : T;
  const int64_t grain = std::clamp(std::max(kWorth / (T * seen * a.width + 1), heads / kPieces), int64_t{1}, a.heads);
  parallel_for(heads, grain, [&](int64_t from, int64_t to) {
    thread_local std::unique_ptr<Pages> pages;
    for (int64_t k = from; k < to; ++k) {
      const int64_t s = k / a.heads, length = a.begin[s + 1] - a.begin[s];
      HeadScratch count(nullptr);
      Scratch(count, length, a.width);
      grow(pages, static_cast<size_t>(count.used()) * sizeof(float));
      HeadScratch all(pages->as<float>());
      Scratch scratch(all, length, a.width);
      Ahead ahead = k + 1 < to ? ahead_of(a, k + 1, matrices) : Ahead{};
      scratch.ahead = &ahead;
      f(s, k % a.heads, scratch);
    }
  });
}

}  // namespace

void multi_head(const MultiHead<float>& a) {
  const auto head = &LOOKBACK_BEST(MultiHeadForward);
  each_head<ForwardScratch>(a, {a.key, a.value, a.query, a.out},
                            [&](int64_t s, int64_t h, const ForwardScratch& scratch) { head(a, s, h, scratch); });
}

void multi_head_backward(const MultiHeadBackward<float>& a) {
  const MultiHead<float>& f = a.f;
  const auto head = &LOOKBACK_BEST(MultiHeadBack);
  each_head<BackwardScratch>(f, {f.key, f.value, f.query, a.dout, f.out, a.dquery, a.dkey, a.dvalue},
                             [&](int64_t s, int64_t h, const BackwardScratch& scratch) { head(a, s, h, scratch); });
  const int64_t columns = f.heads * (2 * f.reach + 1);
  for (int64_t s = 0; a.dbias && s < f.sentences; ++s)
    for (int64_t k = 0; k < columns; ++k) a.dbias[k] += a.dbias_scratch[s * columns + k];
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE
