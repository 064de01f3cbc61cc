#include "lookback/kernels/cpu/matmul.h"

#include <algorithm>
#include <span>
#include <vector>

#include "lookback/base/rung.h"
#include "lookback/kernels/cpu/bf16_product.h"
#include "lookback/kernels/cpu/gemm.h"
#include "lookback/kernels/cpu/int8.h"
#include "lookback/kernels/cpu/int8_product.h"
#include "lookback/kernels/cpu/scratch.h"

namespace lookback::kernels::cpu_impl {
namespace {

void f32_product(Matmul<float> p) {
  p.packed_b = nullptr;
  gemm(p);
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

// A packed b was packed for its precision. Without one there is no int8.
Precision precision_of(const Matmul<float>& p) {
  if (p.packed_b) return p.packed_b->precision;
  return p.precision == Precision::bf16 && has_products(p.precision) ? Precision::bf16 : Precision::f32;
}

}  // namespace

void matmul(const Matmul<float>& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) return ref<float>().matmul(p);  // no fast product is one of nothing
  const Precision precision = precision_of(p);
  if (precision == Precision::f32) return gemm(p);
  if (precision == Precision::int8) return p.transpose_a ? f32_product(p) : int8_sum({&p, 1});
  bf16_product(p);
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
  if (all(Precision::bf16)) return bf16_sum(sum.terms);
  for (const Matmul<float>& term : sum.terms) matmul(term);
}

bool has_products(Precision precision) {
  return precision != Precision::bf16 || rung() >= Rung::avx512_bf16 || tiles() != Tiles::none;
}

// Without tiles, Intel's vdpbf16ps does twice the work of an f32 instruction in four times its time (84 against 161
// GFLOP/s on one core of a Sapphire Rapids); AMD's takes no longer (217 against 111 on Zen 4).
bool has_fast_products(Precision precision) {
  if (precision == Precision::f32 || tiles() == Tiles::amx) return true;
  if (precision == Precision::int8) return rung() >= Rung::avx2;
#if defined(__x86_64__)
  return rung() >= Rung::avx512_bf16 && tiles() == Tiles::none && !__builtin_cpu_is("intel");
#else
  return false;
#endif
}

std::unique_ptr<Packed> pack(const Matmul<float>& p, std::unique_ptr<Packed> old) {
  if (p.n == 0 || p.k == 0) return nullptr;
  // The scales of int8 belong to rows as stored.
  const bool as_asked = has_products(p.precision) && (p.precision != Precision::int8 || p.transpose_b);
  if (p.precision == Precision::f32 || !as_asked) return gemm_pack(p, std::move(old));
  return p.precision == Precision::int8 ? int8_pack(p, std::move(old)) : bf16_pack(p, std::move(old));
}

}  // namespace lookback::kernels::cpu_impl
