#include "lookback/models/classifier.h"

#include <algorithm>
#include <optional>

#include "lookback/models/spellings.h"
#include "lookback/ops/loss.h"
#include "lookback/ops/pooling.h"

namespace lookback {
namespace {

// Matrices of as many rows side by side; empty ones are passed over.
Tensor side_by_side(std::span<const Tensor> parts) {
  int64_t hops = 0, width = 0, at = 0;
  for (const Tensor& part : parts)
    if (!part.empty()) hops = part.dim(0), width += part.dim(1);
  if (width == 0) return {};
  Tensor out({hops, width});
  for (const Tensor& part : parts) {
    if (part.empty()) continue;
    for (int64_t hop = 0; hop < hops; ++hop)
      std::ranges::copy(part.rows(hop, hop + 1).span<float>(), out.data<float>() + hop * width + at);
    at += part.dim(1);
  }
  return out;
}

}  // namespace

void ClassifierObjective::check_with(const ClassifierOptions& model) const {
  check<ConfigError>(penalty == 0 || model.pooling.has_attention(), "loss.penalty = ", penalty,
                     " needs attention, and model.pooling.kind is '", model.pooling.kind, "'");
}

Classifier::Classifier(const ClassifierOptions& options, const Sizes& sizes, uint64_t seed)
    : options_(options), sizes_(sizes), front_(options.front, sizes.vocabulary, sizes.characters, "model") {
  encoder_ = Encoder(options.encoder, front_.width());
  pooling_ = Pooling(options.pooling, encoder_, "model.pooling");
  if (options.hierarchical) {
    sentence_encoder_ = Encoder(options.sentences.encoder, pooling_.width(), "model.sentences.encoder");
    sentence_pooling_ = Pooling(options.sentences.pooling, sentence_encoder_, "model.sentences.pooling");
  } else {
    for (const auto& [option, value] : changed_options(options.sentences))
      throw ConfigError(
          str_cat("model.sentences.", option, " = ", value, " has no meaning without model.hierarchical = true"));
  }
  output_ =
      Linear(options.hierarchical ? sentence_pooling_.width() : pooling_.width(), sizes.classes, Linear::Bias::yes);
  if (seed != kNoInit) initialise(params_of(*this), options.init, seed);
}

void Classifier::params(ParamVisitor& v) {
  front_.params(v);
  v("encoder", encoder_);
  v("pooling", pooling_);
  if (options_.hierarchical) v("sentences.encoder", sentence_encoder_), v("sentences.pooling", sentence_pooling_);
  v("output", output_);
}

void Classifier::check_texts(const NestedTexts& texts) const {
  texts.check(sizes_.vocabulary, options_.front.spelling.any(), options_.hierarchical);
}

// What was read of some texts: a vector of each, in the order of ranks, and where attention went.
struct Classifier::Read {
  std::vector<int32_t> text_of_rank;
  Var features;  // [B, width]
  Pooled words;  // of a hierarchical model: of the sentences of all texts
  Ragged words_shape;
  NestedTexts sentences = {};  // these, of a hierarchical model
  std::optional<Pooled> outer = {};
};

Classifier::Read Classifier::read(const NestedTexts& texts, Noise* noise) const {
  NestedTexts sentences = options_.hierarchical ? texts.apart() : NestedTexts();
  const Sequence words = embedded(front_, options_.hierarchical ? sentences : texts, options_.dropout, noise);
  const Encoded inner = encoder_(words, options_.dropout, noise);
  Pooled pooled = pooling_(inner);
  const Ragged& shape = inner.memory.shape;
  if (!options_.hierarchical) return {shape.sequence_of_rank(), pooled.x, pooled, shape};
  const Sequence vectors = parts_of_texts(pooled.x, shape, texts);
  Pooled outer = sentence_pooling_(sentence_encoder_(vectors, options_.dropout, noise));
  return {vectors.shape.sequence_of_rank(), outer.x, std::move(pooled), shape, std::move(sentences), outer};
}

ClassifierLoss Classifier::loss(const ClassifierBatch& batch, const ClassifierObjective& objective, double scale,
                                Noise* noise) const {
  check(batch.texts.size() == std::ssize(batch.labels) && batch.texts.size() > 0,
        "a batch needs labels for each text, got ", batch.texts.size(), " and ", batch.labels.size());
  check(objective.class_weights.empty() || std::ssize(objective.class_weights) == sizes_.classes,
        objective.class_weights.size(), " weights for ", sizes_.classes, " classes");
  check_texts(batch.texts);
  check_ids(batch.labels, sizes_.classes, "label");
  const Read got = read(batch.texts, noise);
  const Var features = DropoutSite(options_.dropout, noise).step(got.features);
  const Sentences labels = permuted(batch.labels, got.text_of_rank);
  ClassifierLoss out;
  if (sizes_.several) {
    add_binary_loss(output_(features), labels, objective, scale, out);
  } else {
    std::vector<int32_t> targets;
    ops::XentOptions xent{.smoothing = objective.smoothing, .scale = scale};
    for (const auto& label : labels) {
      check(label.size() == 1, "a text has ", label.size(), " classes; it must have one");
      targets.push_back(label[0]);
      if (!objective.class_weights.empty())
        xent.weights.push_back(objective.class_weights[static_cast<size_t>(label[0])]);
    }
    const auto found = ops::projected_xent(features, output_.weight, output_.bias, targets, xent);
    out = {found.loss, found.loss_sum, found.nll_sum, found.correct};
  }
  if (objective.penalty > 0 && noise) {
    const Var penalty = ops::hops_penalty(got.words.weights, options_.pooling.hops, got.words_shape.memory());
    out.loss = ops::add(out.loss, ops::scale(penalty, objective.penalty * scale));
    out.loss_sum += objective.penalty * static_cast<double>(penalty.value().data<float>()[0]);
  }
  return out;
}

void Classifier::add_binary_loss(const Var& logits, const Sentences& labels, const ClassifierObjective& objective,
                                 double scale, ClassifierLoss& out) const {
  const int64_t K = sizes_.classes;
  Tensor has = Tensor::zeros(logits.shape());
  for (size_t n = 0; n < labels.size(); ++n)
    for (const int32_t k : labels[n]) has.data<float>()[static_cast<int64_t>(n) * K + k] = 1;
  Tensor targets = has.clone();
  for (float& y : targets.span<float>())
    y = static_cast<float>(y * (1 - objective.smoothing) + objective.smoothing / 2);
  const auto found = ops::binary_xent(logits, targets, objective.class_weights, scale);
  out.loss = found.loss, out.loss_sum = found.loss_sum;
  {
    const NoGrad plain;
    out.nll_sum = ops::binary_xent(logits, has, {}).loss_sum;
  }
  for (int64_t n = 0; n < logits.dim(0); ++n) {
    bool right = true;
    for (int64_t i = n * K; i < (n + 1) * K; ++i)
      right = right && (logits.value().data<float>()[i] > 0) == (has.data<float>()[i] > 0);
    out.correct += right;
  }
}

std::vector<Classifier::Scores> Classifier::score(const NestedTexts& texts) const {
  const NoGrad off;
  std::vector<Scores> out(texts.tokens.size());
  if (out.empty()) return out;
  check_texts(texts);
  const Read got = read(texts, nullptr);
  const Tensor logits = output_(got.features).value();
  const Sentences& inner = options_.hierarchical ? got.sentences.tokens : texts.tokens;
  const auto words = weights_of_texts(got.words, options_.pooling.hops, inner, got.words_shape.sequence_of_rank(),
                                      encoder_.shortening());
  std::vector<Tensor> outer(out.size());
  if (options_.hierarchical) {
    Sentences counts;  // a token for each sentence
    for (const auto& of_text : texts.parts) counts.emplace_back(of_text.size());
    outer = weights_of_texts(*got.outer, options_.sentences.pooling.hops, counts, got.text_of_rank,
                             sentence_encoder_.shortening());
  }
  for (size_t rank = 0; rank < got.text_of_rank.size(); ++rank) {
    const auto row = logits.rows(static_cast<int64_t>(rank), static_cast<int64_t>(rank) + 1).span<float>();
    out[static_cast<size_t>(got.text_of_rank[rank])].logits.assign(row.begin(), row.end());
  }
  for (size_t k = 0, at = 0; k < out.size(); ++k) {
    const size_t count = options_.hierarchical ? texts.parts[k].size() : 1;
    out[k].weights = options_.hierarchical ? side_by_side(std::span(words).subspan(at, count)) : words[k];
    out[k].sentence_weights = outer[k];
    at += count;
  }
  return out;
}

}  // namespace lookback
