#include "lookback/models/output_shortlist.h"

#include <algorithm>
#include <limits>

namespace lookback {
namespace {

constexpr int32_t kBlock = 256;  // candidates in one product

}  // namespace

void OutputShortlist::assign(const Linear& output, std::vector<std::vector<int32_t>> candidates) {
  candidates_ = std::move(candidates);
  std::vector<int32_t> place(static_cast<size_t>(output.weight.dim(0)), -1), tokens;
  places_.clear(), blocks_.clear();
  for (const auto& own : candidates_) {
    auto& places = places_.emplace_back();
    for (const int32_t token : own) {
      int32_t& at = place[static_cast<size_t>(token)];
      if (at < 0) at = static_cast<int32_t>(tokens.size()), tokens.push_back(token);
      places.push_back(at);
    }
  }
  const float* bias = output.bias.value().data<float>();
  for (auto first = tokens.begin(); first < tokens.end(); first += std::min<ptrdiff_t>(kBlock, tokens.end() - first)) {
    std::vector<int32_t> rows(first, first + std::min<ptrdiff_t>(kBlock, tokens.end() - first));
    Tensor b = Tensor::zeros({kBlock});
    std::transform(rows.begin(), rows.end(), b.data<float>(), [&](int32_t t) { return bias[t]; });
    rows.resize(kBlock, -1);  // zeros
    Linear& block = blocks_.emplace_back();
    block.weight = ops::gather_rows(output.weight, ops::row_ids(std::move(rows)));
    block.bias = Var(b);
  }
}

Tensor OutputShortlist::logits(const Var& readout, const std::vector<int32_t>& of) const {
  std::vector<const float*> all;
  std::vector<Tensor> kept;
  for (const Linear& block : blocks_) all.push_back(kept.emplace_back(block(readout).value()).data<float>());
  size_t most = 0;
  for (const int32_t s : of) most = std::max(most, places_[static_cast<size_t>(s)].size());
  Tensor out({std::ssize(of), static_cast<int64_t>(most)});
  float* to = out.data<float>();
  for (size_t n = 0; n < of.size(); ++n) {
    const auto& places = places_[static_cast<size_t>(of[n])];
    const auto row = static_cast<ptrdiff_t>(n) * kBlock;
    for (const int32_t at : places) *to++ = all[static_cast<size_t>(at / kBlock)][row + at % kBlock];
    to = std::fill_n(to, most - places.size(), -std::numeric_limits<float>::infinity());
  }
  return out;
}

std::vector<std::span<const int32_t>> OutputShortlist::candidates(const std::vector<int32_t>& of) const {
  std::vector<std::span<const int32_t>> out;
  for (const int32_t s : of) out.emplace_back(candidates_of(s));
  return out;
}

}  // namespace lookback
