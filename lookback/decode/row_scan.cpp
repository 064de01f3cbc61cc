#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/decode/row_scan.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "lookback/decode/fast_math.h"

#ifndef LOOKBACK_ROW_SCAN_BLOCK_
#define LOOKBACK_ROW_SCAN_BLOCK_
#include <cmath>
#include <limits>

namespace lookback::decode {

constexpr int kStride = 64;               // group g of a block is its elements g, g + kStride, ...
constexpr int kDepth = 16;                // elements per group
constexpr int kBlock = kStride * kDepth;  // logits between two looks at the running maximum
constexpr int kLanes = 16;                // partial sums
constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace lookback::decode
#endif

HWY_BEFORE_NAMESPACE();
namespace lookback::decode::HWY_NAMESPACE {

// The inner loops. All run over whole blocks and lie flat in memory, so that GCC vectorises them; the order of
// additions is fixed here, whatever the width.
float BlockMaxima(const float* x, float* maxima) {
  float m[kStride];
  for (int g = 0; g < kStride; ++g) m[g] = x[g];
  for (int j = 1; j < kDepth; ++j)
    for (int g = 0; g < kStride; ++g) m[g] = x[j * kStride + g] > m[g] ? x[j * kStride + g] : m[g];
  for (int g = 0; g < kStride; ++g) maxima[g] = m[g];
  for (int g = 0; g < 32; ++g) m[g] = m[g] > m[g + 32] ? m[g] : m[g + 32];
  for (int g = 0; g < 16; ++g) m[g] = m[g] > m[g + 16] ? m[g] : m[g + 16];
  float highest = m[0];
  for (int g = 1; g < 16; ++g) highest = m[g] > highest ? m[g] : highest;
  return highest;
}

template <int Half>
HWY_INLINE void fold(float* e) {
  for (int k = 0; k < Half; ++k) e[k] += e[k + Half];
}

void AddBlock(const float* x, float shift, double* sums) {
  float e[kBlock];
  for (int k = 0; k < kBlock; ++k) e[k] = clamp(x[k] - shift);
  for (int k = 0; k < kBlock; ++k) e[k] = exp_clamped(e[k]);
  // By halves, down to the lanes: six roundings in float, the rest in double.
  fold<512>(e), fold<256>(e), fold<128>(e), fold<64>(e), fold<32>(e), fold<16>(e);
  for (int l = 0; l < kLanes; ++l) sums[l] += static_cast<double>(e[l]);
}

void Exponentials(const float* x, int64_t n, float shift, float scale, float* out) {
  for (int64_t k = 0; k < n; ++k) out[k] = clamp((x[k] - shift) * scale);
  for (int64_t k = 0; k < n; ++k) out[k] = exp_clamped(out[k]);
}

// Zero if all are finite or -inf, else no number: x - x is none for infinities and NaN.
float BlockOdd(const float* x) {
  float odd[kStride] = {};
  for (int j = 0; j < kDepth; ++j)
    for (int g = 0; g < kStride; ++g) {
      const float v = x[j * kStride + g];
      odd[g] += v == -kInfinity ? 0.0f : v - v;
    }
  float sum = 0;
  for (const float v : odd) sum += v;
  return sum;
}

}  // namespace lookback::decode::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "lookback/base/elementary.h"
#include "lookback/decode/row_scan.h"

namespace lookback::decode {
HWY_EXPORT(BlockMaxima);
HWY_EXPORT(BlockOdd);
HWY_EXPORT(AddBlock);
HWY_EXPORT(Exponentials);

namespace {

// The running state of one row.
struct Pass {
  int64_t k;
  std::span<const int32_t> excluded;
  std::vector<Candidate>& heap;  // the worst kept candidate at the front
  ScanFor what;
  float maximum = -kInfinity;
  double sums[kLanes] = {};
  bool nan = false;

  bool full() const { return static_cast<int64_t>(heap.size()) == k; }
  // Below this nothing is kept; equal ones are if their token is smaller.
  float threshold() const { return full() ? heap.front().logit : -std::numeric_limits<float>::max(); }

  // While fewer than k are kept: among the groups' largest there are k that may be kept, and none of those is less.
  float least_wanted(const float* maxima) const {
    constexpr size_t kMost = 16;
    const size_t n = static_cast<size_t>(k) + excluded.size();
    float best[kMost];
    std::fill_n(best, kMost, threshold());
    if (full() || n > kMost) return best[0];
    for (int g = 0; g < kStride; ++g) {
      if (!(maxima[g] > best[n - 1])) continue;
      size_t at = n - 1;
      for (; at > 0 && best[at - 1] < maxima[g]; --at) best[at] = best[at - 1];
      best[at] = maxima[g];
    }
    return best[n - 1];
  }

  void offer(const Candidate& c) {
    if (full() && !ranks_before(c, heap.front())) return;
    if (std::binary_search(excluded.begin(), excluded.end(), c.token)) return;
    if (full()) {
      std::pop_heap(heap.begin(), heap.end(), ranks_before);
      heap.back() = c;
    } else {
      heap.push_back(c);
    }
    std::push_heap(heap.begin(), heap.end(), ranks_before);
  }

  // One block; its tokens start at `first`.
  void block(const float* x, int64_t first) {
    float maxima[kStride];
    const float highest = LOOKBACK_BEST(BlockMaxima)(x, maxima);
    if (what == ScanFor::best) {
      sums[0] += static_cast<double>(LOOKBACK_BEST(BlockOdd)(x));
      maximum = std::max(maximum, highest);
    } else if (highest > maximum) {
      // Sums so far were relative to the old maximum. e^-inf = 0 while there was none.
      const double factor = elementary::exp(static_cast<double>(maximum) - static_cast<double>(highest));
      for (double& s : sums) s *= factor;
      maximum = highest;
    }
    if (maximum == -kInfinity) {
      for (int j = 0; j < kBlock; ++j) nan |= std::isnan(x[j]);
      return;
    }
    if (what == ScanFor::best_and_sum) LOOKBACK_BEST(AddBlock)(x, maximum, sums);  // NaN and +inf make it NaN
    if (k == 0 || !(highest >= threshold())) return;
    float least = least_wanted(maxima);
    for (int g = 0; g < kStride; ++g) {
      if (!(maxima[g] >= least)) continue;
      for (int j = g; j < kBlock; j += kStride) {
        if (!(x[j] >= least)) continue;
        offer({x[j], static_cast<int32_t>(first + j)});
        least = std::max(least, threshold());
      }
    }
  }
};

}  // namespace

void scan_row(std::span<const float> logits, int64_t k, std::span<const int32_t> excluded, RowScan& out, ScanFor what) {
  out.top.clear();
  out.fault = RowFault::none;
  Pass pass{.k = k, .excluded = excluded, .heap = out.top, .what = what};
  const int64_t V = static_cast<int64_t>(logits.size()), whole = V / kBlock * kBlock;
  for (int64_t at = 0; at < whole; at += kBlock) pass.block(logits.data() + at, at);
  if (whole < V) {
    float tail[kBlock];  // filled up with tokens that cannot happen
    std::fill(std::copy(logits.begin() + whole, logits.end(), tail), tail + kBlock, -kInfinity);
    pass.block(tail, whole);
  }
  double sum = 0;
  for (const double s : pass.sums) sum += s;
  if (pass.nan || std::isnan(sum))
    out.fault = RowFault::not_a_number;
  else if (pass.maximum == -kInfinity)
    out.fault = RowFault::all_impossible;
  out.log_sum_exp = static_cast<double>(pass.maximum) + (what == ScanFor::best ? 0 : elementary::log(sum));
  std::sort_heap(out.top.begin(), out.top.end(), ranks_before);
}

void scan_step(std::span<const float> logits, bool log_probs, int64_t k, std::span<const int32_t> excluded,
               RowScan& out, ScanFor what) {
  scan_row(logits, k, excluded, out, log_probs ? ScanFor::best : what);
  if (!log_probs) return;
  if (out.fault == RowFault::none && out.log_sum_exp > 0) out.fault = RowFault::above_zero;
  out.log_sum_exp = 0;
}

double exponentials(std::span<const float> x, float shift, float scale, float* out) {
  LOOKBACK_BEST(Exponentials)(x.data(), static_cast<int64_t>(x.size()), shift, scale, out);
  double sums[8] = {};
  size_t k = 0;
  for (; k + 8 <= x.size(); k += 8)
    for (size_t l = 0; l < 8; ++l) sums[l] += static_cast<double>(out[k + l]);
  for (size_t l = 0; k < x.size(); ++k, ++l) sums[l] += static_cast<double>(out[k]);
  double sum = 0;
  for (const double s : sums) sum += s;
  return sum;
}

}  // namespace lookback::decode
#endif  // HWY_ONCE
