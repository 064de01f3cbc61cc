// The largest sums of a product, found by bounds instead of computing all of them.
//
// A row w of the weight is kept as int8 too: w = s q + e, with a scale s and what rounding left, e. So is a row x of
// the left side: x = t p + d. By Cauchy and Schwarz
//   |x.w - t s p.q| = |t p.e + d.w| <= |t p| |e| + |d| |w|,
// and |e| and |w| are kept with the weight. Sums in f32 differ from x.w by no more than g |x| |w|, g = (k + 8) 2^-24.
// So int8 products, a quarter of the bytes, tell between which two values each sum lies; only those that can be among
// the largest are computed in f32.
#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::cpu_impl {

std::unique_ptr<Packed> sketch(const Matmul<float>&);
bool top_k(const TopK<float>&);

}  // namespace lookback::kernels::cpu_impl
