// One output of one sentence, step by step, in numbers.
#include "lookback/base/elementary.h"
#include "lookback/data/vocab.h"
#include "lookback/decode/row_scan.h"
#include "lookback/models/sentences.h"
#include "lookback/models/seq2seq.h"

namespace lookback {

std::vector<Seq2Seq::TracedStep> Seq2Seq::trace(const Seq2SeqBatch& pair) const {
  const NoGrad off;
  check_batch(pair);
  const std::vector<int32_t>& target = pair.target[0];
  const Encoded encoded = encode(pair.source, pair.spellings, pair.segments, nullptr);
  const DecoderPass pass(decoder_, encoded, {}, nullptr);
  DecoderState state = pass.start(encoded);
  std::vector<TracedStep> out;
  decode::RowScan scan;
  for (size_t t = 0; t <= target.size(); ++t) {
    TracedStep step{.read = t ? target[t - 1] : data::kBos, .written = t < target.size() ? target[t] : data::kEos};
    const Var embedded = ops::gather_rows(target_embedding_.weight, ops::row_ids({known(step.read)}));
    const DecoderStep done = pass.step(Var(), embedded, ops::row_ids({0}), state, &step.trace);
    Tensor logits;
    if (options_.copy) {
      const auto copies = std::make_shared<const std::vector<ops::CopySentence>>(1, copies_of(pair.copies[0]));
      const ops::Copying copying = copying_of(done.readout, done.weights, copies, ops::row_ids({0}));
      const int64_t V = vocabularies_.target;
      logits =
          ops::copy_logits(done.readout, output_.weight, output_.bias, copying, extended_size(pair.copies[0], V) - V);
      step.copying = 1 / (1 + elementary::exp(static_cast<double>(copying.gate.value().data<float>()[0])));
    } else {
      logits = project(done.readout).value();
    }
    decode::scan_row(logits.span<float>(), 3, {}, scan);
    for (const auto& [logit, token] : scan.top)
      step.likeliest.emplace_back(token, elementary::exp(logit - scan.log_sum_exp));
    out.push_back(std::move(step));
  }
  return out;
}

Unrolled Seq2Seq::forced(const Seq2SeqBatch& pair) const {
  const Encoded encoded = encode(pair.source, pair.spellings, pair.segments, nullptr);
  const DecoderPass pass(decoder_, encoded, {}, nullptr, {.weights = options_.segmented});
  std::vector<int32_t> read{data::kBos};
  for (const int32_t id : pair.target[0]) read.push_back(known(id));
  const Steps steps(std::vector<int64_t>{std::ssize(read)});
  const Var embedded = ops::gather_rows(target_embedding_.weight, ops::row_ids(std::move(read)));
  return pass.teacher_force(embedded, steps, pass.start(encoded), {0});
}

Tensor Seq2Seq::turn_weights(const Seq2SeqBatch& pair) const {
  const NoGrad off;
  check(options_.segmented && options_.turns.score != "none", "this model attends to no turns");
  check_batch(pair);
  return forced(pair).outer_weights.value();
}

std::vector<double> Seq2Seq::copying(const Seq2SeqBatch& pair) const {
  const NoGrad off;
  check(options_.copy, "this model does not copy");
  check_batch(pair);
  const Tensor gate = copy_gate_(forced(pair).readouts).value();
  std::vector<double> out;
  for (const float z : gate.span<float>()) out.push_back(1 / (1 + elementary::exp(static_cast<double>(z))));
  return out;
}

}  // namespace lookback
