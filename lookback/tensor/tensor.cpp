#include "lookback/tensor/tensor.h"

#include <cstring>

#include "lookback/base/parallel.h"

namespace lookback {
namespace {

template <class From, class To>
void convert(const Tensor& from, const Tensor& to) {
  const From* in = from.data<From>();
  To* out = to.data<To>();
  for (int64_t k = 0; k < from.size(); ++k) out[k] = static_cast<To>(static_cast<float>(in[k]));
}

// f64 keeps its digits where it can.
template <>
void convert<float, double>(const Tensor& from, const Tensor& to) {
  std::copy_n(from.data<float>(), from.size(), to.data<double>());
}

}  // namespace

Tensor::Tensor(const Shape& shape, Dtype dtype) : shape_(shape), size_(shape.size()), dtype_(dtype) {
  const auto bytes = checked_mul(size_, item_size(dtype));
  check(bytes.has_value(), "shape ", shape, " overflows");
  storage_ = std::make_shared<Storage>(*bytes);
}

Tensor Tensor::view(const Shape& shape, Dtype dtype, std::byte* data, std::shared_ptr<const void> owner) {
  const auto bytes = checked_mul(shape.size(), item_size(dtype));
  check(bytes.has_value(), "shape ", shape, " overflows");
  check(owner != nullptr, "a view needs an owner");
  check(reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(item_size(dtype)) == 0, "a view of ", name_of(dtype),
        " must be aligned to ", item_size(dtype), " bytes");
  Tensor out;
  out.shape_ = shape, out.size_ = shape.size(), out.dtype_ = dtype;
  out.storage_ = std::make_shared<Storage>(data, *bytes, std::move(owner));
  return out;
}

Tensor Tensor::zeros(const Shape& shape, Dtype dtype) {
  Tensor out(shape, dtype);
  if (!out.storage_->fresh_zeros()) out.fill_zero();
  return out;
}

Tensor Tensor::full(const Shape& shape, double value, Dtype dtype) {
  Tensor out(shape, dtype);
  with_float(dtype, [&]<class R>() { std::fill_n(out.data<R>(), out.size(), static_cast<R>(value)); });
  return out;
}

Tensor Tensor::reshape(const Shape& shape) const {
  check(shape.size() == size_, "cannot view ", shape_, " as ", shape);
  Tensor out = *this;
  out.shape_ = shape;
  return out;
}

Tensor Tensor::rows(int64_t begin, int64_t end) const {
  check(shape_.rank() >= 1 && 0 <= begin && begin <= end && end <= shape_[0], "rows [", begin, ",", end, ") of ",
        shape_);
  Tensor out = *this;
  Shape s{end - begin};
  for (int k = 1; k < shape_.rank(); ++k) s.push_back(shape_[k]);
  const int64_t row = shape_[0] ? size_ / shape_[0] : 0;
  out.shape_ = s;
  out.size_ = row * (end - begin);
  out.offset_ += begin * row * item_size(dtype_);
  return out;
}

Tensor Tensor::clone() const {
  if (empty()) return *this;
  Tensor out(shape_, dtype_);
  std::memcpy(out.bytes(), bytes(), static_cast<size_t>(byte_size()));
  return out;
}

Tensor Tensor::to(Dtype dtype) const {
  if (dtype == dtype_) return clone();
  Tensor out(shape_, dtype);
  auto pair = [&](Dtype a, Dtype b) { return dtype_ == a && dtype == b; };
  if (pair(Dtype::f32, Dtype::f64))
    convert<float, double>(*this, out);
  else if (pair(Dtype::f64, Dtype::f32))
    convert<double, float>(*this, out);
  else if (pair(Dtype::f32, Dtype::bf16))
    convert<float, Bf16>(*this, out);
  else if (pair(Dtype::bf16, Dtype::f32))
    convert<Bf16, float>(*this, out);
  else if (pair(Dtype::bf16, Dtype::f64))
    convert<Bf16, double>(*this, out);
  else if (pair(Dtype::f64, Dtype::bf16))
    convert<double, Bf16>(*this, out);
  else
    check(false, "cannot convert ", name_of(dtype_), " to ", name_of(dtype));
  return out;
}

void Tensor::fill_zero() const {
  constexpr int64_t kBlock = 1 << 18;
  std::byte* const all = bytes();
  parallel_for(byte_size(), kBlock,
               [&](int64_t begin, int64_t end) { std::memset(all + begin, 0, static_cast<size_t>(end - begin)); });
}

}  // namespace lookback
