// Rows that were computed before, as long as what they were computed from stays as it was.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "lookback/autograd/var.h"
#include "lookback/base/precision.h"
#include "lookback/ops/basic.h"

namespace lookback {

// For inference: text is mostly made of few words, and what a layer makes of each is always the same. Who keeps rows
// here knows what each is of, and has a lock.
class RowStore {
 public:
  // Forgets all rows unless they are still right: computed from these values (absent ones, too) and `more`, at the
  // precision that products have now.
  void forget_unless_of(std::span<const Var> sources, std::span<const Var> more = {});
  int64_t count() const { return count_; }
  // [R, C], of which the first count() are rows; a constant, the same until all are forgotten.
  const Var& rows() const { return rows_; }

  // Where the rows wanted are, once those that were missing are there, too. clear() empties what the caller knows of
  // rows, look_up(missing, at) writes what has no row yet, and of all that is wanted the row it has or will have: the
  // missing ones come behind count(), in order. read(missing) makes them, [M, C]; there will be room for `most` in all,
  // but for no more than 96 MB.
  template <class Missing, class Clear, class LookUp, class Read>
  ops::RowIds rows_of(int64_t most, const Clear& clear, const LookUp& look_up, const Read& read) {
    std::vector<Missing> missing;
    std::vector<int32_t> at;
    if (count_ == 0) clear();
    look_up(missing, at);
    if (rows_ && count_ + std::ssize(missing) > rows_.dim(0)) {
      forget(), clear(), missing.clear(), at.clear();
      look_up(missing, at);
    }
    if (!missing.empty() || !rows_) try {
        append(read(missing), most);
      } catch (...) {
        forget(), clear();  // what was looked up would have rows that are not there
        throw;
      }
    return ops::row_ids(std::move(at));
  }

 private:
  void forget() { rows_ = Var(), count_ = 0; }
  void append(const Tensor& rows, int64_t most);

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
