// Rows that were computed before, as long as what they were computed from stays as it was.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "lookback/autograd/var.h"
#include "lookback/base/precision.h"

namespace lookback {

// For inference: text is mostly made of few words, and what a layer makes of each is always the same. Who keeps rows
// here knows what each is of, and has a lock.
class RowStore {
 public:
  // Whether the rows are still right: computed from these values (absent ones, too) and `more`, at the precision that
  // products have now. If not, all are forgotten.
  bool still_of(std::span<const Var> sources, std::span<const Var> more = {});
  void forget() { rows_ = Var(), count_ = 0; }

  int64_t count() const { return count_; }
  // Whether there is room for so many more; there always is when all are forgotten.
  bool has_room(int64_t more) const { return !rows_ || count_ + more <= rows_.dim(0); }
  // rows [N, C], behind those that are kept. There will be room for `most` of them, but for no more than 96 MB.
  void append(const Tensor& rows, int64_t most);
  // [R, C], of which the first count() are rows; a constant, the same until all are forgotten.
  const Var& rows() const { return rows_; }

 private:
  struct Key {
    std::vector<std::pair<uint64_t, uint64_t>> sources;  // node and version
    Precision precision{};
    bool operator==(const Key&) const = default;
  };

  Key key_;
  Var rows_;
  int64_t count_ = 0;
};

}  // namespace lookback
