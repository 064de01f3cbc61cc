// Products of floats that are rounded to bf16, with sums in f32: narrow_product.h says in which order.
#pragma once

#include <memory>
#include <span>

#include "lookback/kernels/products.h"

namespace lookback::kernels::cpu_impl {

// p.b as blocks of columns. The memory of `old` is used again: null, or one of these.
std::unique_ptr<Packed> bf16_pack(const Matmul<float>& p, std::unique_ptr<Packed> old);

// packed_b must be null or come from bf16_pack. m, n and k are at least 1.
void bf16_product(const Matmul<float>& p);

// Products of one m and n, one after another into the same c, all of packed b and no transposed a.
void bf16_sum(std::span<const Matmul<float>> products);

}  // namespace lookback::kernels::cpu_impl
