// The batches of a training run, the next one made while one is used.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <utility>

#include "lookback/data/batcher.h"

namespace lookback::data {

// What it gives is a function of the batcher, `make` and the cursor, which names a batch of its epoch: what was made
// ahead changes no result and belongs to no saved state. Not for two threads at once.
template <class Batch>
class Prefetcher {
 public:
  // The examples with these numbers as training sees them in an epoch; called on a thread of its own.
  using Make = std::function<Batch(std::vector<int64_t> index, int64_t epoch)>;

  Prefetcher(Batcher batcher, Make make) : batcher_(std::move(batcher)), make_(std::move(make)) {}

  int64_t batches_in(int64_t epoch) { return batcher_.batches_in(epoch); }

  // The batch at the cursor; it stays here until it or a later one is taken.
  const Batch& peek(const Cursor& at) { return made(at, std::launch::deferred).get(); }

  // The same, given away. A thread of its own begins with the one after it in the epoch.
  Batch take(const Cursor& at) {
    Batch out = peek(at);
    made_.erase(made_.begin(), made_.upper_bound({at.epoch, at.batch}));
    // Where no thread is to be had, it is made when it is asked for.
    if (at.batch + 1 < batches_in(at.epoch)) made({at.epoch, at.batch + 1}, std::launch::async | std::launch::deferred);
    return out;
  }

 private:
  const std::shared_future<Batch>& made(const Cursor& at, std::launch how) {
    auto& batch = made_[{at.epoch, at.batch}];
    if (!batch.valid()) {
      Cursor cursor = at;
      batch = std::async(how, [this, index = batcher_.next(cursor), epoch = at.epoch] { return make_(index, epoch); });
    }
    return batch;
  }

  Batcher batcher_;
  Make make_;
  std::map<std::pair<int64_t, int64_t>, std::shared_future<Batch>> made_;  // by epoch and batch
};

}  // namespace lookback::data
