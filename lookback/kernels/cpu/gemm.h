// The matrix product of floats. Every element is the same chain of multiply-adds whatever tile, block or thread it
// falls to, so its bits depend on its own row and column alone: kGemmKC products are added up from zero, one after
// another; to the first such sum come the bias and what was in c, then the other sums.
#pragma once

#include <span>

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::cpu_impl {

constexpr int64_t kGemmKC = 512;

std::unique_ptr<Packed> gemm_pack(const Matmul<float>&, std::unique_ptr<Packed> old);
// packed_b must be null or come from gemm_pack; with a transposed a, b is read instead. m, n and k are at least 1.
void gemm(const Matmul<float>& p);
// Products that are added up in one c, all of packed b and no transposed a.
void gemm_sum(std::span<const Matmul<float>> products);

}  // namespace lookback::kernels::cpu_impl
