// Which examples go together, in which order: a pure function of (seed, epoch).
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "lookback/base/fields.h"

namespace lookback::data {

struct BatchOptions {
  int64_t batch = 0;
  int64_t batch_tokens = 4000;
  int64_t window = 100;
  bool shuffle = true;

  void fields(auto& v) {
    v("batch", batch, "examples in a batch; 0 counts tokens instead").range(0, 1e9);
    v("batch_tokens", batch_tokens,
      "tokens in a batch at most: of targets, with one end mark each, or of texts where there are none")
        .range(1, 1e12);
    v("window", window, "batches' worth of examples that are sorted by length together").range(1, 1e9);
    v("shuffle", shuffle, "a new order every epoch; otherwise always the file's own");
  }
};

// Where training stands; all the state there is.
struct Cursor {
  int64_t epoch = 0;
  int64_t batch = 0;  // within the epoch, the next to come

  friend bool operator==(const Cursor&, const Cursor&) = default;
};

// Batches of examples of like length, so that little is spent on waiting for the longest. Each epoch: all examples are
// shuffled; each run of `window` batches' worth is sorted by the keys, equals staying in shuffled order; that is cut
// into batches, full but for the last of a window; and all batches are shuffled. By tokens an example counts its cost,
// and one that alone exceeds batch_tokens is a batch of its own.
class Batcher {
 public:
  // costs: one for each example. keys: what examples are sorted by, the first key first, each one number for each
  // example. Throws ConfigError for options out of range or no examples at all, ShapeError unless all have the same
  // number.
  Batcher(std::vector<int32_t> costs, std::vector<std::vector<int32_t>> keys, const BatchOptions& options,
          uint64_t seed);

  // Every example exactly once.
  std::vector<std::vector<int64_t>> epoch_batches(int64_t epoch) const;

  // The batch at the cursor, which then moves on, into the next epoch after the last. A cursor beyond its
  // epoch's end starts the next one. The epoch in use is kept: not for two threads at once.
  std::vector<int64_t> next(Cursor& cursor);

  // How many batches an epoch has. By tokens this may differ a little between epochs.
  int64_t batches_in(int64_t epoch);

  int64_t size() const { return static_cast<int64_t>(costs_.size()); }

 private:
  int64_t cost(int64_t i) const;
  const std::vector<std::vector<int64_t>>& load(int64_t epoch);

  std::vector<int32_t> costs_;
  std::vector<std::vector<int32_t>> keys_;
  BatchOptions options_;
  uint64_t seed_;
  int64_t loaded_ = -1;  // the epoch in epoch_
  std::vector<std::vector<int64_t>> epoch_;
};

// Of held-out examples all, the costliest first and equals in their own order: batches of at most `batch` of them,
// whose costs together are at most `limit` where there is more than one.
std::vector<std::vector<int64_t>> costliest_first(std::span<const int32_t> costs, int64_t batch,
                                                  int64_t limit = std::numeric_limits<int64_t>::max());

}  // namespace lookback::data
