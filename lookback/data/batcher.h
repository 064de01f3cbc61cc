// Which pairs go together, in which order: a pure function of (seed, epoch).
#pragma once

#include <cstdint>
#include <vector>

#include "lookback/base/fields.h"

namespace lookback::data {

// Some pairs, as a model takes them. No specials: the model adds kBos and kEos.
struct Batch {
  std::vector<int64_t> index;                        // number of each pair in its corpus
  std::vector<std::vector<int32_t>> source, target;  // ids
  int64_t source_tokens = 0, target_tokens = 0;      // of all pairs
};

struct BatchOptions {
  int64_t batch = 0;
  int64_t batch_tokens = 4000;
  int64_t window = 100;
  bool shuffle = true;

  void fields(auto& v) {
    v("batch", batch, "pairs in a batch; 0 counts tokens instead").range(0, 1e9);
    v("batch_tokens", batch_tokens, "target tokens in a batch at most, with one end mark per pair").range(1, 1e12);
    v("window", window, "batches' worth of pairs that are sorted by length together").range(1, 1e9);
    v("shuffle", shuffle, "a new order every epoch; otherwise always the corpus's own");
  }
};

// Where training stands; all the state there is.
struct Cursor {
  int64_t epoch = 0;
  int64_t batch = 0;  // within the epoch, the next to come

  friend bool operator==(const Cursor&, const Cursor&) = default;
};

// Batches of pairs of like length, so that little is spent on waiting for the longest. Each epoch: all pairs are
// shuffled; each run of `window` batches' worth is sorted by target, then source length, equals staying in
// shuffled order; that is cut into batches, full but for the last of a window; and all batches are shuffled.
// By tokens, a pair counts target length + 1, and one that alone exceeds batch_tokens is a batch of its own.
class Batcher {
 public:
  // Lengths in tokens without specials, one per pair. Throws ConfigError for options out of range or
  // no pairs at all, ShapeError unless both have the same number.
  Batcher(std::vector<int32_t> source_lengths, std::vector<int32_t> target_lengths, const BatchOptions& options,
          uint64_t seed);

  // Every pair of the corpus exactly once.
  std::vector<std::vector<int64_t>> epoch_batches(int64_t epoch) const;

  // The batch at the cursor, which then moves on, into the next epoch after the last. A cursor beyond its
  // epoch's end starts the next one. The epoch in use is kept: not for two threads at once.
  std::vector<int64_t> next(Cursor& cursor);

  // How many batches an epoch has. By tokens this may differ a little between epochs.
  int64_t batches_in(int64_t epoch);

  int64_t size() const { return static_cast<int64_t>(target_.size()); }

 private:
  int64_t cost(int64_t i) const;
  const std::vector<std::vector<int64_t>>& load(int64_t epoch);

  std::vector<int32_t> source_, target_;
  BatchOptions options_;
  uint64_t seed_;
  int64_t loaded_ = -1;  // the epoch in epoch_
  std::vector<std::vector<int64_t>> epoch_;
};

}  // namespace lookback::data
