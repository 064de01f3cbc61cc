#include "lookback/decode/draw.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "lookback/decode/row_scan.h"

namespace lookback::decode {
namespace {

// Probability (up to a factor) and token in one number, so that sorting is by
// numbers: positive floats are ordered like their bits. Larger is likelier, of
// equals the smaller token.
uint64_t pack(float weight, int32_t token) {
  return uint64_t{std::bit_cast<uint32_t>(weight)} << 32 | (UINT32_MAX - static_cast<uint32_t>(token));
}
double weight_of(uint64_t packed) {
  return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(packed >> 32)));
}
int32_t token_of(uint64_t packed) { return static_cast<int32_t>(UINT32_MAX - static_cast<uint32_t>(packed)); }

// The first place where the running sum exceeds `target`; the last possible one
// if rounding keeps the sum below it.
template <class Weight>
int64_t place_of(double target, int64_t n, Weight weight) {
  double sum = 0;
  int64_t last = -1;
  for (int64_t k = 0; k < n; ++k) {
    if (!(weight(k) > 0)) continue;
    sum += weight(k), last = k;
    if (sum > target) break;
  }
  return last;
}

// Sorts the `count` likeliest of [from, end) to its front.
void sort_likeliest(std::vector<uint64_t>& kept, size_t from, size_t count) {
  const auto first = kept.begin() + static_cast<std::ptrdiff_t>(from);
  const auto last = first + static_cast<std::ptrdiff_t>(count);
  if (last != kept.end()) std::nth_element(first, last, kept.end(), std::greater<>());
  std::sort(first, last, std::greater<>());
}

// Keeps the fewest likeliest whose sum reaches p * total; returns their sum. Sorts
// only as far as it has to, in pieces that grow.
double keep_top_p(std::vector<uint64_t>& kept, double p, double total) {
  double sum = 0;
  size_t sorted = 0;
  for (size_t piece = 64; sorted < kept.size(); piece *= 4) {
    const size_t end = std::min(kept.size(), sorted + piece);
    sort_likeliest(kept, sorted, end - sorted);
    for (; sorted < end; ++sorted) {
      sum += weight_of(kept[sorted]);
      if (sum >= p * total) {
        kept.resize(sorted + 1);
        return sum;
      }
    }
  }
  return sum;
}

// Keeps those at least p times as heavy as the heaviest; returns their sum.
double keep_min_p(std::vector<uint64_t>& kept, double p) {
  const double least = p * weight_of(*std::max_element(kept.begin(), kept.end()));
  std::erase_if(kept, [&](uint64_t packed) { return weight_of(packed) < least; });
  double sum = 0;
  for (const uint64_t packed : kept) sum += weight_of(packed);
  return sum;
}

}  // namespace

int32_t draw(std::span<const float> logits, std::span<const int32_t> excluded, const Shaping& shaping, double u,
             DrawScratch& scratch) {
  std::vector<float>& p = scratch.probabilities;
  p.assign(logits.begin(), logits.end());
  for (const int32_t token : excluded) p[static_cast<size_t>(token)] = -std::numeric_limits<float>::infinity();
  const float highest = *std::max_element(p.begin(), p.end());
  if (highest == -std::numeric_limits<float>::infinity()) return -1;
  const int64_t V = static_cast<int64_t>(p.size());
  double total = exponentials(p, highest, static_cast<float>(1 / shaping.temperature), p.data());

  if (shaping.top_k == 0 && shaping.top_p >= 1 && shaping.min_p <= 0)
    return static_cast<int32_t>(
        place_of(u * total, V, [&](int64_t k) { return static_cast<double>(p[static_cast<size_t>(k)]); }));

  // Without top_k, tokens below this sum to less than 1 - top_p, so the others hold top_p.
  const double least = shaping.top_k > 0 ? 0 : (1 - shaping.top_p) * total / static_cast<double>(V);
  std::vector<uint64_t>& kept = scratch.kept;
  kept.clear();
  for (int32_t token = 0; token < V; ++token) {
    const float weight = p[static_cast<size_t>(token)];
    if (weight > 0 && static_cast<double>(weight) >= least) kept.push_back(pack(weight, token));
  }
  if (shaping.top_k > 0) {
    const size_t count = std::min(kept.size(), static_cast<size_t>(shaping.top_k));
    sort_likeliest(kept, 0, count);
    kept.resize(count);
    total = 0;
    for (const uint64_t packed : kept) total += weight_of(packed);
  }
  if (shaping.top_p < 1) total = keep_top_p(kept, shaping.top_p, total);
  if (shaping.min_p > 0) total = keep_min_p(kept, shaping.min_p);
  const int64_t at = place_of(u * total, static_cast<int64_t>(kept.size()),
                              [&](int64_t k) { return weight_of(kept[static_cast<size_t>(k)]); });
  return token_of(kept[static_cast<size_t>(at)]);
}

}  // namespace lookback::decode
