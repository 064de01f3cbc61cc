// The batches of a training run, the next one made while one is used.
#pragma once

#include <cstdint>
#include <future>
#include <map>
#include <utility>

#include "lookback/data/batcher.h"
#include "lookback/data/corpus.h"

namespace lookback::data {

// What it gives is a function of the corpus, the options, the seed and the cursor, which names a batch of its
// epoch: what was made ahead changes no result and belongs to no saved state. Not for two threads at once.
class Prefetcher {
 public:
  // The corpus must outlive it.
  Prefetcher(const Corpus& corpus, const BatchOptions& options, uint64_t seed)
      : corpus_(corpus), batcher_(corpus.source_lengths(), corpus.target_lengths(), options, seed), seed_(seed) {}

  int64_t batches_in(int64_t epoch) { return batcher_.batches_in(epoch); }
  // The batch at the cursor; it stays here until it or a later one is taken.
  const Batch& peek(const Cursor& at);
  // The same, given away. A thread of its own begins with the one after it in the epoch.
  Batch take(const Cursor& at);

 private:
  const std::shared_future<Batch>& made(const Cursor& at, std::launch how);

  const Corpus& corpus_;
  Batcher batcher_;
  uint64_t seed_;
  std::map<std::pair<int64_t, int64_t>, std::shared_future<Batch>> made_;  // by epoch and batch
};

}  // namespace lookback::data
