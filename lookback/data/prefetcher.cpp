#include "lookback/data/prefetcher.h"

namespace lookback::data {

const std::shared_future<Batch>& Prefetcher::made(const Cursor& at, std::launch how) {
  auto& batch = made_[{at.epoch, at.batch}];
  if (!batch.valid()) {
    Cursor cursor = at;
    batch = std::async(
        how, [this, index = batcher_.next(cursor), epoch = at.epoch] { return corpus_.batch(index, seed_, epoch); });
  }
  return batch;
}

const Batch& Prefetcher::peek(const Cursor& at) { return made(at, std::launch::deferred).get(); }

Batch Prefetcher::take(const Cursor& at) {
  Batch out = peek(at);
  made_.erase(made_.begin(), made_.upper_bound({at.epoch, at.batch}));
  // Where no thread is to be had, it is made when it is asked for.
  if (at.batch + 1 < batches_in(at.epoch)) made({at.epoch, at.batch + 1}, std::launch::async | std::launch::deferred);
  return out;
}

}  // namespace lookback::data
