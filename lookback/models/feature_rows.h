// Sources that are rows of features: of sound, frames; of pictures, the cells of a grid.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/ops/sequence.h"

namespace lookback {

using FeatureRows = std::vector<Tensor>;  // of each source f32 [T, F]; T may be 0

// One batch of sources in the order given, by sequence. Throws ShapeError unless all have F = width.
inline Sequence stacked(const FeatureRows& sources, int64_t width) {
  std::vector<int64_t> lengths;
  for (const Tensor& t : sources) {
    check(t.shape().rank() == 2 && t.dim(1) == width, "rows of features of shape ", t.shape(), " for a width of ",
          width);
    lengths.push_back(t.dim(0));
  }
  const Ragged shape(lengths);
  Tensor x = Tensor::zeros({shape.rows(), width});
  auto to = x.span<float>().begin();
  for (const int32_t s : shape.sequence_of_rank())
    to = std::ranges::copy(sources[static_cast<size_t>(s)].span<float>(), to).out;
  return {Var(x), shape, RowOrder::by_sequence};
}

}  // namespace lookback
