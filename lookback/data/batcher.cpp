#include "lookback/data/batcher.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"

namespace lookback::data {
namespace {

// Fisher and Yates, from the back.
template <class T>
void shuffle(std::vector<T>& v, Rng& rng) {
  for (size_t n = v.size(); n > 1; --n) std::swap(v[n - 1], v[rng.below(n)]);
}

}  // namespace

Batcher::Batcher(std::vector<int32_t> costs, std::vector<std::vector<int32_t>> keys, const BatchOptions& options,
                 uint64_t seed)
    : costs_(std::move(costs)), keys_(std::move(keys)), options_(options), seed_(seed) {
  for (Field& f : fields_of(options_)) set_field(f, field_value(f), "batches");
  for (const auto& key : keys_)
    check(key.size() == costs_.size(), "batches: ", costs_.size(), " costs but ", key.size(), " keys");
  check<ConfigError>(!costs_.empty(), "batches: there are no examples to train on");
}

int64_t Batcher::cost(int64_t i) const { return options_.batch > 0 ? 1 : costs_[static_cast<size_t>(i)]; }

std::vector<std::vector<int64_t>> Batcher::epoch_batches(int64_t epoch) const {
  std::vector<int64_t> order(costs_.size());
  std::iota(order.begin(), order.end(), 0);
  // A stream per epoch, under a key of its own: what else draws by this seed must not see the same numbers.
  Rng rng(Stream{seed_, 0x62617463686573}.words(0)[0] | uint64_t{Stream{seed_, 0x62617463686573}.words(0)[1]} << 32,
          static_cast<uint64_t>(epoch));
  if (options_.shuffle) shuffle(order, rng);

  const int64_t full = options_.batch > 0 ? options_.batch : options_.batch_tokens;
  std::vector<std::vector<int64_t>> out;
  const auto cut = [&](std::span<const int64_t> examples) {
    int64_t filled = full;
    for (const int64_t i : examples) {
      if (i == examples.front() || filled + cost(i) > full) out.emplace_back(), filled = 0;
      out.back().push_back(i);
      filled += cost(i);
    }
  };
  if (!options_.shuffle) {
    cut(order);
    return out;
  }
  const auto shorter = [&](int64_t a, int64_t b) {
    const auto i = static_cast<size_t>(a), j = static_cast<size_t>(b);
    for (const auto& key : keys_)
      if (key[i] != key[j]) return key[i] < key[j];
    return false;
  };
  const double window = static_cast<double>(full) * static_cast<double>(options_.window);
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    for (double filled = 0; end < order.size() && filled < window; ++end)
      filled += static_cast<double>(cost(order[end]));
    const auto examples = std::span(order).subspan(begin, end - begin);
    std::stable_sort(examples.begin(), examples.end(), shorter);
    cut(examples);
  }
  shuffle(out, rng);
  return out;
}

const std::vector<std::vector<int64_t>>& Batcher::load(int64_t epoch) {
  if (epoch != loaded_) epoch_ = epoch_batches(epoch), loaded_ = epoch;
  return epoch_;
}

std::vector<int64_t> Batcher::next(Cursor& cursor) {
  if (cursor.batch >= batches_in(cursor.epoch)) cursor = {cursor.epoch + 1, 0};
  const auto& batches = load(cursor.epoch);
  std::vector<int64_t> out = batches[static_cast<size_t>(cursor.batch)];
  if (++cursor.batch == static_cast<int64_t>(batches.size())) cursor = {cursor.epoch + 1, 0};
  return out;
}

int64_t Batcher::batches_in(int64_t epoch) { return static_cast<int64_t>(load(epoch).size()); }

std::vector<std::vector<int64_t>> costliest_first(std::span<const int32_t> costs, int64_t batch, int64_t limit) {
  std::vector<int64_t> order(costs.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](int64_t k) { return costs[static_cast<size_t>(k)]; });
  std::vector<std::vector<int64_t>> out;
  int64_t sum = 0;
  for (const int64_t k : order) {
    const int64_t cost = costs[static_cast<size_t>(k)];
    if (out.empty() || std::ssize(out.back()) == batch || sum + cost > limit) out.emplace_back(), sum = 0;
    out.back().push_back(k), sum += cost;
  }
  return out;
}

}  // namespace lookback::data
