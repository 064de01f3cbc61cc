#include "lookback/kernels/cpu/matmul.h"

#include <algorithm>
#include <span>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rung.h"
#include "lookback/kernels/cpu/bf16.h"
#include "lookback/kernels/cpu/gemm.h"
#include "lookback/kernels/cpu/int8.h"
#include "lookback/kernels/cpu/int8_product.h"
#include "lookback/kernels/cpu/onednn.h"
#include "lookback/kernels/cpu/scratch.h"

namespace lookback::kernels::cpu_impl {
namespace {

// The factors of a product in bf16. a: [m, k]; b, unless it was packed: [k, n], or [n, k] if it was stored so.
struct Rounded {
  const uint16_t *a, *b;
  int64_t k;  // with zeros at the end
};

// p, which has no gaps, with its factors as `rounded` has them. False, and nothing done, if the library cannot.
bool library_product(const Matmul<float>& p, const Rounded& rounded) {
  return onednn::multiply({.m = p.m,
                           .n = p.n,
                           .k = rounded.k,
                           .a = rounded.a,
                           .b = rounded.b,
                           .transpose_b = p.transpose_b,
                           .packed_b = p.packed_b,
                           .c = p.c,
                           .accumulate = p.accumulate,
                           .bias = p.bias});
}

void f32_product(Matmul<float> p) {
  p.packed_b = nullptr;
  gemm(p);
}

// p with its factors as `rounded` has them.
void bf16_product(const Matmul<float>& p, const Rounded& rounded) {
  if (p.ldc == p.n) {
    if (!library_product(p, rounded)) f32_product(p);
    return;
  }
  thread_local std::vector<float> c;
  grow(c, p.m * p.n);
  if (p.accumulate)
    for (int64_t m = 0; m < p.m; ++m) std::copy_n(p.c + m * p.ldc, p.n, c.data() + m * p.n);
  Matmul<float> dense = p;
  dense.c = c.data(), dense.ldc = p.n;
  if (!library_product(dense, rounded)) return f32_product(p);
  for (int64_t m = 0; m < p.m; ++m) std::copy_n(c.data() + m * p.n, p.n, p.c + m * p.ldc);
}

// Ragged batches have any number of rows, and every one of them would be a kernel of the library's of its own, made
// at some cost and kept. So long sums and many rows are cut into whole units, for which there are few kernels, and
// the rest.
constexpr int64_t kUnit = 64;
int64_t whole_units(int64_t n) { return n / kUnit * kUnit; }
int64_t padded_to_units(int64_t n) { return whole_units(n + kUnit - 1); }

// The sum over all rows of a^T b. The library would cut it by the number of threads, so each of them makes products
// of its own, of as many rows of a^T as stay in L2 between rounding and product.
void bf16_gradient(const Matmul<float>& p) {
  thread_local std::unique_ptr<Packed> kept_b;
  const int64_t k = padded_to_units(p.k);
  kept_b = onednn::pack({.n = p.n, .k = p.k, .b = p.b, .ldb = p.ldb}, std::move(kept_b), k);
  const Packed* const b = kept_b.get();
  constexpr int64_t kRows = 128;
  parallel_try(p.m, kRows, [&](int64_t begin, int64_t end) {
    thread_local std::vector<uint16_t> a;
    Matmul<float> some = p;
    some.m = end - begin, some.a += begin, some.packed_b = b, some.c += begin * p.ldc;
    const FloatMatrix stored{.data = some.a, .rows = p.k, .cols = some.m, .ld = p.lda};
    bf16_product(some, {.a = to_bf16_transposed(stored, k, a), .k = k});
  });
}

void bf16_rows(const Matmul<float>& p) {
  thread_local std::vector<uint16_t> a, b;
  Rounded rounded{.a = to_bf16({.data = p.a, .rows = p.m, .cols = p.k, .ld = p.lda}, p.m, a), .k = p.k};
  if (!p.packed_b) {
    const int64_t down = p.transpose_b ? p.n : p.k, across = p.transpose_b ? p.k : p.n;
    rounded.b = to_bf16({.data = p.b, .rows = down, .cols = across, .ld = p.ldb}, down, b);
  }
  bf16_product(p, rounded);
}

// Products of packed weights that are added up in one c. The sums are whole numbers: nothing about them depends on
// their order.
void int8_sum(std::span<const Matmul<float>> products) {
  thread_local std::vector<int8_t> rounded;
  thread_local std::vector<float> scales;
  thread_local std::vector<Int8Product> out;
  out.clear();
  int64_t size = 0;
  for (const Matmul<float>& p : products) size += p.m * p.k;
  grow(rounded, size), grow(scales, std::ssize(products) * products[0].m);
  int8_t* a = rounded.data();
  float* a_scales = scales.data();
  for (const Matmul<float>& p : products) {
    to_int8({.data = p.a, .rows = p.m, .cols = p.k, .ld = p.lda}, a, a_scales);
    out.push_back({.m = p.m,
                   .n = p.n,
                   .k = p.k,
                   .a = a,
                   .a_scales = a_scales,
                   .b = p.packed_b,
                   .c = p.c,
                   .ldc = p.ldc,
                   .accumulate = p.accumulate,
                   .bias = p.bias});
    a += p.m * p.k, a_scales += p.m;
  }
  int8_product(out);
}

// c = a b in bf16, where no row depends on another.
void bf16_product_of_rows(const Matmul<float>& p) {
  if (p.m > 2 * kUnit && p.m % kUnit != 0) {
    Matmul<float> first = p, rest = p;
    first.m = whole_units(p.m), rest.m = p.m - first.m;
    rest.a += first.m * p.lda, rest.c += first.m * p.ldc;
    bf16_product_of_rows(first);
    return bf16_product_of_rows(rest);
  }
  bf16_rows(p);
}

// A packed b was packed for its precision. Without one there is no int8.
Precision precision_of(const Matmul<float>& p) {
  if (p.packed_b) return p.packed_b->precision;
  return p.precision == Precision::bf16 && has_products(p.precision) ? Precision::bf16 : Precision::f32;
}

}  // namespace

void matmul(const Matmul<float>& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) return ref<float>().matmul(p);  // no library has a product of nothing
  const Precision precision = precision_of(p);
  if (precision == Precision::f32) return gemm(p);
  if (precision == Precision::int8) return p.transpose_a ? f32_product(p) : int8_sum({&p, 1});
  if (!p.transpose_a) return bf16_product_of_rows(p);
  p.transpose_b ? f32_product(p) : bf16_gradient(p);
}

// All at once, where they allow it, as the threads are woken once then.
void matmul_sum(const MatmulSum<float>& sum) {
  const auto all = [&](Precision precision) {
    return std::ranges::all_of(sum.terms, [&](const Matmul<float>& p) {
      return p.packed_b && p.packed_b->precision == precision && !p.transpose_a;
    });
  };
  if (sum.terms[0].m == 0 || sum.terms[0].n == 0) return;
  if (all(Precision::f32)) return gemm_sum(sum.terms);
  if (all(Precision::int8)) return int8_sum(sum.terms);
  for (const Matmul<float>& term : sum.terms) matmul(term);
}

bool has_products(Precision precision) { return precision != Precision::bf16 || onednn::has_bf16(); }

// Intel's vdpbf16ps does twice the work of an f32 instruction in four times its time (84 against 161 GFLOP/s
// on one core of a Sapphire Rapids without its tiles); AMD's takes no longer (217 against 111 on Zen 4).
bool has_fast_products(Precision precision) {
  if (precision == Precision::f32) return true;
  if (precision == Precision::int8) return rung() >= Rung::avx2;
#if defined(__x86_64__)
  return has_products(precision) && !__builtin_cpu_is("intel");
#else
  return has_products(precision);
#endif
}

std::unique_ptr<Packed> pack(const Matmul<float>& p, std::unique_ptr<Packed> old) {
  if (p.n == 0 || p.k == 0) return nullptr;
  // The scales of int8 belong to rows as stored.
  const bool as_asked = has_products(p.precision) && (p.precision != Precision::int8 || p.transpose_b);
  if (p.precision == Precision::f32 || !as_asked) return gemm_pack(p, std::move(old));
  return p.precision == Precision::int8 ? int8_pack(p, std::move(old)) : onednn::pack(p, std::move(old));
}

}  // namespace lookback::kernels::cpu_impl
