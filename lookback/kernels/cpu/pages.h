// Memory for weights in the order a product likes them, in large pages where it fills one: a decoder reads all of its
// weights for every token, and would spend a good part of that time on finding the pages.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <new>

namespace lookback::kernels::cpu_impl {

class Pages {
 public:
  explicit Pages(size_t bytes) : bytes_{bytes}, alignment_{bytes < kLargePage ? kPage : kLargePage} {
    data_ = ::operator new(bytes, alignment_);
    if (bytes >= kLargePage) ::madvise(data_, bytes / kPage * kPage, MADV_HUGEPAGE);
  }
  ~Pages() { ::operator delete(data_, alignment_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  static constexpr size_t kPage = 4096, kLargePage = size_t{2} << 20;
  size_t bytes_;
  std::align_val_t alignment_;
  void* data_;
};

// A buffer that is used again and again has at least `bytes` from here on; what it held may be gone.
inline void grow(std::unique_ptr<Pages>& buffer, size_t bytes) {
  if (!buffer || buffer->bytes() < bytes) buffer = std::make_unique<Pages>(bytes);
}

}  // namespace lookback::kernels::cpu_impl
