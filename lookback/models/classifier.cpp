#include "lookback/models/classifier.h"

#include "lookback/models/sentences.h"
#include "lookback/models/word_dropout.h"
#include "lookback/ops/loss.h"
#include "lookback/ops/pooling.h"

namespace lookback {

void ClassifierObjective::check_with(const ClassifierOptions& model) const {
  check<ConfigError>(penalty == 0 || model.pooling.has_attention(), "loss.penalty = ", penalty,
                     " needs attention, and model.pooling.kind is '", model.pooling.kind, "'");
}

Classifier::Classifier(const ClassifierOptions& options, int64_t vocabulary, int64_t classes, uint64_t seed)
    : options_(options), vocabulary_(vocabulary), classes_(classes) {
  embedding_.weight = Var::parameter(Tensor::zeros({vocabulary, options.embedding}));
  encoder_ = Encoder(options.encoder, options.embedding);
  pooling_ = Pooling(options.pooling, encoder_, "model.pooling");
  output_ = Linear(pooling_.width(), classes, Linear::Bias::yes);
  if (seed != kNoInit) initialise(params_of(*this), options.init, seed);
}

void Classifier::params(ParamVisitor& v) {
  v("embedding", embedding_);
  v("encoder", encoder_);
  v("pooling", pooling_);
  v("output", output_);
}

Sequence Classifier::embed(const Sentences& texts, Noise* noise) const {
  const Ragged shape(lengths_of(texts));
  std::vector<int32_t> ids;
  for (const int32_t s : shape.sequence_of_rank()) {
    const auto& text = texts[static_cast<size_t>(s)];
    ids.insert(ids.end(), text.begin(), text.end());
  }
  drop_words(ids, options_.dropout.words, noise);
  return {ops::gather_rows(embedding_.weight, ops::row_ids(std::move(ids))), shape, RowOrder::by_sequence};
}

ClassifierLoss Classifier::loss(const ClassifierBatch& batch, const ClassifierObjective& objective, double scale,
                                Noise* noise) const {
  check(batch.texts.size() == batch.labels.size() && !batch.texts.empty(), "a batch needs a label for each text, got ",
        batch.texts.size(), " and ", batch.labels.size());
  check_ids(batch.texts, vocabulary_, "text");
  check_ids({batch.labels}, classes_, "label");
  const Encoded encoded = encoder_(embed(batch.texts, noise), options_.dropout, noise);
  const Pooled pooled = pooling_(encoded);
  const Var features = DropoutSite(options_.dropout, noise).step(pooled.x);
  std::vector<int32_t> targets;
  for (const int32_t s : encoded.memory.shape.sequence_of_rank())
    targets.push_back(batch.labels[static_cast<size_t>(s)]);
  const auto xent = ops::projected_xent(features, output_.weight, output_.bias, targets,
                                        {.smoothing = objective.smoothing, .scale = scale});
  ClassifierLoss out{xent.loss, xent.loss_sum, xent.nll_sum, xent.correct};
  if (objective.penalty > 0 && noise) {
    const Var penalty = ops::hops_penalty(pooled.weights, options_.pooling.hops, encoded.memory.shape.memory());
    out.loss = ops::add(out.loss, ops::scale(penalty, objective.penalty * scale));
    out.loss_sum += objective.penalty * static_cast<double>(penalty.value().data<float>()[0]);
  }
  return out;
}

std::vector<Classifier::Scores> Classifier::score(const Sentences& texts) const {
  const NoGrad off;
  std::vector<Scores> out(texts.size());
  if (texts.empty()) return out;
  check_ids(texts, vocabulary_, "text");
  const Encoded encoded = encoder_(embed(texts, nullptr), {}, nullptr);
  const Pooled pooled = pooling_(encoded);
  const Tensor logits = output_(pooled.x).value();
  const auto& sequence = encoded.memory.shape.sequence_of_rank();
  for (size_t rank = 0; rank < sequence.size(); ++rank) {
    const auto s = static_cast<size_t>(sequence[rank]);
    const auto row = logits.rows(static_cast<int64_t>(rank), static_cast<int64_t>(rank) + 1);
    out[s].logits.assign(row.span<float>().begin(), row.span<float>().end());
    if (!pooled.weights || texts[s].empty()) continue;
    const int64_t hops = options_.pooling.hops, first = static_cast<int64_t>(rank) * hops;
    out[s].weights =
        over_tokens(pooled.weights.value().rows(first, first + hops),
                    std::vector<int64_t>(static_cast<size_t>(hops), std::ssize(texts[s])), encoder_.shortening());
  }
  return out;
}

}  // namespace lookback
