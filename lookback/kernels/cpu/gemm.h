// Our own matrix product, for machines where the library's depends on rows or
// threads. Every element is the same chain of multiply-adds whatever tile it
// falls in, so its bits depend on its own row and column alone.
#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::cpu_impl {

std::unique_ptr<Packed> gemm_pack(const Matmul<float>&, std::unique_ptr<Packed> old);
// packed_b must be null or come from gemm_pack. m, n and k are at least 1.
void gemm(const Matmul<float>&);

}  // namespace lookback::kernels::cpu_impl
