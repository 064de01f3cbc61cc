#pragma once

#include <cstdint>
#include <vector>

namespace lookback::kernels::cpu_impl {

// A buffer that is used again and again has at least `size` elements from here on.
template <class T>
void grow(std::vector<T>& buffer, int64_t size) {
  if (std::ssize(buffer) < size) buffer.resize(static_cast<size_t>(size));
}

}  // namespace lookback::kernels::cpu_impl
