#include "lookback/ops/layout.h"

#include <algorithm>
#include <numeric>

#include "lookback/base/error.h"

namespace lookback {

Steps::Steps(std::span<const int64_t> lengths) : batch_(static_cast<int64_t>(lengths.size())) {
  auto begin = std::make_shared<std::vector<int64_t>>(1, 0);
  int64_t alive = batch_;
  for (size_t b = 0; b < lengths.size(); ++b)
    check(lengths[b] >= 0 && (b == 0 || lengths[b] <= lengths[b - 1]),
          "steps: lengths must not be negative and go from long to short, length ", b, " is ", lengths[b]);
  for (int64_t t = 0; !lengths.empty() && t < lengths[0]; ++t) {
    while (lengths[static_cast<size_t>(alive - 1)] <= t) --alive;
    begin->push_back(begin->back() + alive);
  }
  begin_ = std::move(begin);
}

Steps Steps::dense(int64_t T, int64_t B) {
  const std::vector<int64_t> lengths(static_cast<size_t>(B), T);
  return Steps(lengths);
}

int64_t Steps::length(int64_t b) const {
  int64_t t = 0;
  while (t < T() && alive(t) > b) ++t;
  return t;
}

std::vector<int32_t> Steps::sequence_of_rows() const {
  std::vector<int32_t> out;
  out.reserve(static_cast<size_t>(N()));
  for (int64_t t = 0; t < T(); ++t)
    for (int64_t b = 0; b < alive(t); ++b) out.push_back(static_cast<int32_t>(b));
  return out;
}

std::vector<int32_t> Steps::rows_by_sequence() const {
  std::vector<int32_t> out;
  out.reserve(static_cast<size_t>(N()));
  for (int64_t b = 0; b < B(); ++b)
    for (int64_t t = 0; t < T() && alive(t) > b; ++t) out.push_back(static_cast<int32_t>(row(t, b)));
  return out;
}

MemoryLayout::MemoryLayout(std::span<const int64_t> lengths) {
  auto begin = std::make_shared<std::vector<int64_t>>(1, 0);
  for (const int64_t n : lengths) {
    check(n >= 0, "memory: a length cannot be ", n);
    begin->push_back(begin->back() + n);
    longest_ = std::max(longest_, n);
  }
  begin_ = std::move(begin);
}

std::vector<int32_t> MemoryLayout::sentence_of_rows() const {
  std::vector<int32_t> out;
  for (int64_t s = 0; s < sentences(); ++s)
    out.insert(out.end(), static_cast<size_t>(length(s)), static_cast<int32_t>(s));
  return out;
}

std::vector<int32_t> MemoryLayout::position_of_rows() const {
  std::vector<int32_t> out;
  for (int64_t s = 0; s < sentences(); ++s)
    for (int64_t t = 0; t < length(s); ++t) out.push_back(static_cast<int32_t>(t));
  return out;
}

namespace {

std::shared_ptr<const std::vector<int32_t>> from_long_to_short(std::span<const int64_t> lengths) {
  auto out = std::make_shared<std::vector<int32_t>>(lengths.size());
  std::iota(out->begin(), out->end(), 0);
  std::ranges::stable_sort(*out, std::greater(), [&](int32_t s) { return lengths[static_cast<size_t>(s)]; });
  return out;
}

std::vector<int64_t> by_rank(std::span<const int64_t> lengths, const std::vector<int32_t>& sequence_of_rank) {
  std::vector<int64_t> out;
  out.reserve(lengths.size());
  for (const int32_t s : sequence_of_rank) out.push_back(lengths[static_cast<size_t>(s)]);
  return out;
}

}  // namespace

Ragged::Ragged(std::span<const int64_t> lengths)
    : sequence_of_rank_(from_long_to_short(lengths)),
      steps_(by_rank(lengths, *sequence_of_rank_)),
      memory_(by_rank(lengths, *sequence_of_rank_)) {}

Ragged Ragged::shortened(int64_t factor) const {
  check(factor > 0, "a sequence cannot have a row for every ", factor);
  std::vector<int64_t> lengths;
  for (int64_t s = 0; s < sequences(); ++s) lengths.push_back((memory_.length(s) + factor - 1) / factor);
  return {sequence_of_rank_, lengths};
}

std::vector<int32_t> Ragged::rank_of_sequence() const {
  std::vector<int32_t> out(sequence_of_rank_->size());
  for (size_t k = 0; k < out.size(); ++k) out[static_cast<size_t>((*sequence_of_rank_)[k])] = static_cast<int32_t>(k);
  return out;
}

}  // namespace lookback
