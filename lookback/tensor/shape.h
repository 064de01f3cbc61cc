#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>

#include "lookback/base/arithmetic.h"
#include "lookback/base/error.h"

namespace lookback {

// The sizes of a tensor's dimensions, outermost first. At most kMaxRank of them.
class Shape {
 public:
  static constexpr int kMaxRank = 5;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    for (const int64_t d : dims) push_back(d);
  }

  int rank() const { return rank_; }
  int64_t operator[](int k) const { return dims_[static_cast<size_t>(k)]; }
  void push_back(int64_t d) {
    check(rank_ < kMaxRank, "a tensor has at most ", kMaxRank, " dimensions");
    check(d >= 0, "a dimension cannot be ", d);
    dims_[static_cast<size_t>(rank_++)] = d;
  }
  // Number of elements; throws ShapeError if it does not fit in 64 bits.
  int64_t size() const {
    int64_t n = 1;
    for (int k = 0; k < rank_; ++k) {
      const auto next = checked_mul(n, (*this)[k]);
      check(next.has_value(), "shape overflows");
      n = *next;
    }
    return n;
  }
  bool operator==(const Shape&) const = default;

  friend std::ostream& operator<<(std::ostream& out, const Shape& s) {
    out << '[';
    for (int k = 0; k < s.rank_; ++k) out << (k ? "," : "") << s[k];
    return out << ']';
  }

 private:
  int rank_ = 0;
  std::array<int64_t, kMaxRank> dims_{};
};

}  // namespace lookback
