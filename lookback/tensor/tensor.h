#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "lookback/tensor/dtype.h"
#include "lookback/tensor/shape.h"
#include "lookback/tensor/storage.h"

namespace lookback {

// A dense row-major array. A Tensor is a handle: copies share the elements, as
// do `rows` and `reshape`; `clone` does not. Constness is that of the handle.
class Tensor {
 public:
  Tensor() = default;  // no elements, no storage
  // Uninitialised elements.
  explicit Tensor(const Shape& shape, Dtype dtype = Dtype::f32);

  static Tensor zeros(const Shape& shape, Dtype dtype = Dtype::f32);
  static Tensor full(const Shape& shape, double value, Dtype dtype = Dtype::f32);
  // A copy of the given elements; throws ShapeError unless there are shape.size() of them.
  template <class R>
  static Tensor of(const Shape& shape, const std::vector<R>& values) {
    check(shape.size() == static_cast<int64_t>(values.size()), "shape ", shape, " needs ", shape.size(),
          " values, got ", values.size());
    Tensor out(shape, dtype_of<R>);
    std::copy(values.begin(), values.end(), out.data<R>());
    return out;
  }

  // Elements that somebody else owns; `owner` lives as long as any handle to them does. Throws
  // ShapeError unless `data` is aligned to the type.
  static Tensor view(const Shape& shape, Dtype dtype, std::byte* data, std::shared_ptr<const void> owner);

  bool empty() const { return !storage_; }
  const Shape& shape() const { return shape_; }
  Dtype dtype() const { return dtype_; }
  int64_t size() const { return size_; }
  // Size of dimension k; negative k counts from the end.
  int64_t dim(int k) const { return shape_[k < 0 ? k + shape_.rank() : k]; }

  // The elements; throws ShapeError if R is not the tensor's type. Null when empty.
  template <class R>
  R* data() const {
    check(dtype_ == dtype_of<R>, "tensor holds ", name_of(dtype_), ", asked for ", name_of(dtype_of<R>));
    return reinterpret_cast<R*>(bytes());
  }
  template <class R>
  std::span<R> span() const {
    return {data<R>(), static_cast<size_t>(size_)};
  }
  std::byte* bytes() const { return storage_ ? storage_->data() + offset_ : nullptr; }
  int64_t byte_size() const { return size_ * item_size(dtype_); }

  // The same elements under another shape of the same size.
  Tensor reshape(const Shape& shape) const;
  // Rows [begin, end) of the first dimension, sharing the elements.
  Tensor rows(int64_t begin, int64_t end) const;
  Tensor clone() const;
  // A copy in another type; f32, f64 and bf16 convert into each other, equal types copy.
  Tensor to(Dtype dtype) const;
  void fill_zero() const;
  // Whether the two share one block of memory.
  bool shares_storage(const Tensor& other) const { return storage_ && storage_ == other.storage_; }

 private:
  std::shared_ptr<Storage> storage_;
  int64_t offset_ = 0;  // bytes
  Shape shape_{0};
  int64_t size_ = 0;
  Dtype dtype_ = Dtype::f32;
};

}  // namespace lookback
