// One output of one sentence, step by step, in numbers.
#include <algorithm>
#include <numeric>

#include "lookback/base/elementary.h"
#include "lookback/data/vocab.h"
#include "lookback/models/sentence_order.h"
#include "lookback/models/seq2seq.h"

namespace lookback {

std::vector<Seq2Seq::TracedStep> Seq2Seq::trace(const std::vector<int32_t>& source,
                                                const std::vector<int32_t>& target) const {
  const NoGrad off;
  check_ids({source}, vocabularies_.source, "source");
  check_ids({target}, vocabularies_.target, "target");
  const std::vector<int64_t> lengths = {std::ssize(source)};
  const Steps steps(lengths);
  const Encoded encoded = encoder_(embed_source({source}, steps, nullptr), steps, {}, nullptr);
  const DecoderPass pass(decoder_, encoded, MemoryLayout(lengths), {}, nullptr);
  DecoderState state = pass.start(encoded);
  std::vector<TracedStep> out;
  for (size_t t = 0; t <= target.size(); ++t) {
    TracedStep step{.read = t ? target[t - 1] : data::kBos, .written = t < target.size() ? target[t] : data::kEos};
    const Var embedded = ops::gather_rows(target_embedding_.weight, ops::row_ids({step.read}));
    const DecoderStep done = pass.step(Var(), embedded, ops::row_ids({0}), state, &step.trace);
    const std::vector<float> logits = first_row(project(done.readout));
    const float top = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float x : logits) sum += elementary::exp(x - top);
    std::vector<int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    const auto likelier = [&](int32_t a, int32_t b) {
      const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
      return x != y ? x > y : a < b;
    };
    const size_t few = std::min<size_t>(3, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(few), order.end(), likelier);
    for (size_t k = 0; k < few; ++k)
      step.likeliest.emplace_back(order[k], elementary::exp(logits[static_cast<size_t>(order[k])] - top) / sum);
    out.push_back(std::move(step));
  }
  return out;
}

}  // namespace lookback
