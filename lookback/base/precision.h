// What the factors of matrix products are rounded to. Everything that is no product stays in f32.
#pragma once

namespace lookback {

// int8 is for products with weights that stay as they are: each row has a scale, and so has each row of the other
// factor.
enum class Precision { f32, bf16, int8 };

namespace detail {
inline thread_local Precision product_precision = Precision::f32;
}

// That of the products of floats which ops called from this thread compute.
inline Precision product_precision() { return detail::product_precision; }

// For the life of this object, ops called from this thread compute their products like this. A
// backward must run under the precision of its forward.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision p) : before_(detail::product_precision) { detail::product_precision = p; }
  ~PrecisionScope() { detail::product_precision = before_; }
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  Precision before_;
};

}  // namespace lookback
