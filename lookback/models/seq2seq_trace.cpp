// One output of one sentence, step by step, in numbers.
#include "lookback/base/elementary.h"
#include "lookback/data/vocab.h"
#include "lookback/decode/row_scan.h"
#include "lookback/models/sentences.h"
#include "lookback/models/seq2seq.h"

namespace lookback {

std::vector<Seq2Seq::TracedStep> Seq2Seq::trace(const std::vector<int32_t>& source, const std::vector<int32_t>& target,
                                                const std::vector<int32_t>& spelling) const {
  const NoGrad off;
  check_ids({source}, vocabularies_.source, "source");
  check_ids({target}, vocabularies_.target, "target");
  const Encoded encoded = encoder_(embed_source({source}, {spelling}, nullptr), {}, nullptr);
  const DecoderPass pass(decoder_, encoded, {}, nullptr);
  DecoderState state = pass.start(encoded);
  std::vector<TracedStep> out;
  decode::RowScan scan;
  for (size_t t = 0; t <= target.size(); ++t) {
    TracedStep step{.read = t ? target[t - 1] : data::kBos, .written = t < target.size() ? target[t] : data::kEos};
    const Var embedded = ops::gather_rows(target_embedding_.weight, ops::row_ids({step.read}));
    const DecoderStep done = pass.step(Var(), embedded, ops::row_ids({0}), state, &step.trace);
    decode::scan_row(project(done.readout).value().span<float>(), 3, {}, scan);
    for (const auto& [logit, token] : scan.top)
      step.likeliest.emplace_back(token, elementary::exp(logit - scan.log_sum_exp));
    out.push_back(std::move(step));
  }
  return out;
}

}  // namespace lookback
