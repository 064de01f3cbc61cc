#include "lookback/kernels/cpu/matmul.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/bf16.h"
#include "lookback/kernels/cpu/gemm.h"
#include "lookback/kernels/cpu/int8.h"
#include "lookback/kernels/cpu/onednn.h"
#include "lookback/kernels/cpu/packed_product.h"
#include "lookback/kernels/cpu/scratch.h"

namespace lookback::kernels::cpu_impl {
namespace {

// The factors of a product in bf16, each as it was stored; null where there is none.
struct Rounded {
  const uint16_t *a = nullptr, *b = nullptr;
  int64_t lda = 0, ldb = 0;
};

PackedProduct packed_product_of(const Matmul<float>& p) {
  return {.m = p.m,
          .n = p.n,
          .k = p.k,
          .b = onednn::blocks(*p.packed_b),
          .c = p.c,
          .ldc = p.ldc,
          .accumulate = p.accumulate,
          .bias = p.bias};
}

// p, with its factors as `rounded` has them, if any.
void float_product(const Matmul<float>& p, const Rounded& rounded) {
  onednn::Product wanted{.m = p.m,
                         .n = p.n,
                         .k = p.k,
                         .precision = Precision::f32,
                         .a = p.a,
                         .lda = p.lda,
                         .transpose_a = p.transpose_a,
                         .b = p.b,
                         .ldb = p.ldb,
                         .transpose_b = p.transpose_b,
                         .packed_b = p.packed_b,
                         .c = p.c,
                         .ldc = p.ldc,
                         .accumulate = p.accumulate,
                         .bias = p.bias};
  if (rounded.a) {
    wanted.precision = Precision::bf16;
    wanted.a = rounded.a, wanted.lda = rounded.lda, wanted.b = rounded.b, wanted.ldb = rounded.ldb;
  }
  if (p.packed_b && !rounded.a && packed_product(packed_product_of(p), p.a, p.lda)) return;
  if (onednn::multiply(wanted)) return;
  Matmul<float> plain = p;
  plain.packed_b = nullptr;
  gemm(plain);
}

constexpr int64_t kBlockRows = 128, kBlockColumns = 512;

// A weight gradient sums over many rows, and the library would cut that sum by the
// number of threads. So c is cut instead, the same way always, and each block is one thread's.
void blocked_product(const Matmul<float>& p, const Rounded& rounded) {
  const int64_t down = (p.m + kBlockRows - 1) / kBlockRows, across = (p.n + kBlockColumns - 1) / kBlockColumns;
  std::exception_ptr failed;
  std::mutex mutex;
  parallel_for(down * across, 1, [&](int64_t begin, int64_t) {
    try {
      const ThreadScope alone(1);
      const int64_t row = begin / across * kBlockRows, column = begin % across * kBlockColumns;
      Matmul<float> block = p;
      block.packed_b = nullptr;
      block.m = std::min(kBlockRows, p.m - row), block.n = std::min(kBlockColumns, p.n - column);
      block.a += row * (p.transpose_a ? 1 : p.lda);
      block.b += column * (p.transpose_b ? p.ldb : 1);
      block.c += row * p.ldc + column;
      if (block.bias) block.bias += column;
      Rounded factors = rounded;
      if (factors.a) {
        factors.a += row * (p.transpose_a ? 1 : factors.lda);
        factors.b += column * (p.transpose_b ? factors.ldb : 1);
      }
      float_product(block, factors);
    } catch (...) {
      const std::lock_guard lock(mutex);
      failed = std::current_exception();
    }
  });
  if (failed) std::rethrow_exception(failed);
}

// Tiles (AMX) take products of fewer rows another way, whose sums differ.
constexpr int64_t kTileRows = 16;

// p with zeros below its rows.
void padded_product(const Matmul<float>& p, const Rounded& rounded) {
  thread_local std::vector<float> c;
  grow(c, kTileRows * p.n);
  if (p.accumulate)
    for (int64_t m = 0; m < p.m; ++m) std::copy_n(p.c + m * p.ldc, p.n, c.data() + m * p.n);
  Matmul<float> whole = p;
  whole.m = kTileRows, whole.c = c.data(), whole.ldc = p.n;
  float_product(whole, rounded);
  for (int64_t m = 0; m < p.m; ++m) std::copy_n(c.data() + m * p.n, p.n, p.c + m * p.ldc);
}

// Ragged batches have any number of rows, and every one of them would be a kernel of its own, made
// at some cost and kept. So long sums and many rows are cut into whole units, for which there are few
// kernels, and the rest.
constexpr int64_t kUnit = 64;
int64_t whole_units(int64_t n) { return n / kUnit * kUnit; }
int64_t padded_to_units(int64_t n) { return whole_units(n + kUnit - 1); }

// The sum over all rows of a^T b. The last rows are followed by zeros.
void gradient_product(const Matmul<float>& p) {
  Matmul<float> part = p;
  part.k = whole_units(p.k);
  if (part.k) blocked_product(part, {});
  if (part.k == p.k) return;
  thread_local std::vector<float> a, b;
  a.assign(static_cast<size_t>(kUnit * p.m), 0), b.assign(static_cast<size_t>(kUnit * p.n), 0);
  for (int64_t k = part.k; k < p.k; ++k) {
    std::copy_n(p.a + k * p.lda, p.m, a.data() + (k - part.k) * p.m);
    std::copy_n(p.b + k * p.ldb, p.n, b.data() + (k - part.k) * p.n);
  }
  Matmul<float> rest = p;
  rest.k = kUnit, rest.accumulate = p.accumulate || part.k > 0;
  if (part.k) rest.bias = nullptr;
  rest.a = a.data(), rest.lda = p.m, rest.b = b.data(), rest.ldb = p.n;
  blocked_product(rest, {});
}

void bf16_gradient_product(const Matmul<float>& p) {
  thread_local std::vector<uint16_t> a, b;
  Matmul<float> whole = p;
  whole.k = padded_to_units(p.k);
  blocked_product(whole, {.a = to_bf16({.data = p.a, .rows = p.k, .cols = p.m, .ld = p.lda}, whole.k, a),
                          .b = to_bf16({.data = p.b, .rows = p.k, .cols = p.n, .ld = p.ldb}, whole.k, b),
                          .lda = p.m,
                          .ldb = p.n});
}

void bf16_product(const Matmul<float>& p) {
  thread_local std::vector<uint16_t> a, b;
  const bool pad = p.m < kTileRows && onednn::has_tiles();
  Rounded rounded{.lda = p.k, .ldb = p.transpose_b ? p.k : p.n};
  rounded.a = to_bf16({.data = p.a, .rows = p.m, .cols = p.k, .ld = p.lda}, pad ? kTileRows : p.m, a);
  if (!p.packed_b) {
    const int64_t b_rows = p.transpose_b ? p.n : p.k;
    rounded.b = to_bf16({.data = p.b, .rows = b_rows, .cols = rounded.ldb, .ld = p.ldb}, b_rows, b);
  }
  pad ? padded_product(p, rounded) : float_product(p, rounded);
}

// Sums of int8 products are whole numbers: nothing about them depends on their order.
void int8_product(const Matmul<float>& p) {
  thread_local std::vector<int8_t> a;
  thread_local std::vector<float> scales;
  thread_local std::vector<int32_t> sums;
  grow(a, p.m * p.k), grow(scales, p.m);
  to_int8({.data = p.a, .rows = p.m, .cols = p.k, .ld = p.lda}, a.data(), scales.data());
  if (packed_product_int8(packed_product_of(p), a.data(), scales.data(), onednn::scales(*p.packed_b))) return;
  grow(sums, p.m * p.n);
  const bool done = onednn::multiply({.m = p.m,
                                      .n = p.n,
                                      .k = p.k,
                                      .precision = Precision::int8,
                                      .a = a.data(),
                                      .lda = p.k,
                                      .packed_b = p.packed_b,
                                      .c = sums.data(),
                                      .ldc = p.n});
  check<DeviceError>(done, "matrix product: oneDNN has no fast int8 kernel for ", p.m, " x ", p.k, " x ", p.n);
  from_int8({.sums = sums.data(),
             .m = p.m,
             .n = p.n,
             .a_scales = scales.data(),
             .b_scales = onednn::scales(*p.packed_b),
             .bias = p.bias},
            p.c, p.ldc, p.accumulate);
}

// c = a^T b
void transposed_product(const Matmul<float>& p, Precision precision) {
  if (p.transpose_b) return blocked_product(p, {});
  precision == Precision::bf16 ? bf16_gradient_product(p) : gradient_product(p);
}

// c = a b, where no row depends on another.
void row_product(const Matmul<float>& p, Precision precision) {
  if (p.m > 2 * kUnit && p.m % kUnit != 0) {
    Matmul<float> first = p, rest = p;
    first.m = whole_units(p.m), rest.m = p.m - first.m;
    rest.a += first.m * p.lda, rest.c += first.m * p.ldc;
    row_product(first, precision);
    return row_product(rest, precision);
  }
  if (precision == Precision::int8) return int8_product(p);
  precision == Precision::bf16 ? bf16_product(p) : float_product(p, {});
}

// A packed b was packed for its precision. Without one there is no int8.
Precision precision_of(const Matmul<float>& p) {
  if (p.packed_b) return p.packed_b->precision;
  return p.precision == Precision::bf16 && has_products(p.precision) ? Precision::bf16 : Precision::f32;
}

}  // namespace

bool has_products(Precision precision) {
  if (precision == Precision::f32) return true;
  return precision == Precision::bf16 ? onednn::is_exact() && onednn::has_bf16() : onednn::has_vnni();
}

// Intel's vdpbf16ps does twice the work of an f32 instruction in four times its time (84 against 161 GFLOP/s
// on one core of a Sapphire Rapids without tiles); AMD's takes no longer (217 against 111 on Zen 4).
bool has_fast_products(Precision precision) {
  if (precision != Precision::bf16) return has_products(precision);
  return has_products(precision) && (onednn::has_tiles() || !__builtin_cpu_is("intel"));
}

std::unique_ptr<Packed> pack(const Matmul<float>& p, std::unique_ptr<Packed> old) {
  if (p.n == 0 || p.k == 0) return nullptr;
  // The scales of int8 belong to rows as stored.
  const bool as_asked = has_products(p.precision) && (p.precision != Precision::int8 || p.transpose_b);
  Matmul<float> wanted = p;
  if (!as_asked) wanted.precision = Precision::f32;
  return wanted.precision == Precision::f32 && !onednn::is_exact() ? gemm_pack(wanted, std::move(old))
                                                                   : onednn::pack(wanted, std::move(old));
}

void matmul(const Matmul<float>& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) return ref<float>().matmul(p);  // no library has a product of nothing
  const Precision precision = precision_of(p);
  if (!onednn::is_exact() && precision != Precision::int8) return gemm(p);
  p.transpose_a ? transposed_product(p, precision) : row_product(p, precision);
}

}  // namespace lookback::kernels::cpu_impl
