#include "lookback/models/classifier.h"

#include <algorithm>
#include <optional>

#include "lookback/models/spellings.h"
#include "lookback/models/word_dropout.h"
#include "lookback/ops/loss.h"
#include "lookback/ops/pooling.h"

namespace lookback {
namespace {

// The sentences of all texts, one after the other, as texts of their own.
ClassifierTexts apart(const ClassifierTexts& texts) {
  ClassifierTexts out;
  for (size_t k = 0; k < texts.tokens.size(); ++k) {
    auto token = texts.tokens[k].begin();
    auto letter = texts.spellings.empty() ? std::vector<int32_t>::const_iterator() : texts.spellings[k].begin();
    for (const int64_t n : texts.sentences[k]) {
      out.tokens.emplace_back(token, token + n);
      token += n;
      if (texts.spellings.empty()) continue;
      auto& spelling = out.spellings.emplace_back();
      for (int64_t begun = 0; letter != texts.spellings[k].end(); spelling.push_back(*letter++))
        if (*letter < Front::kCases && ++begun > n) break;
    }
  }
  return out;
}

// Row k of `weights` as weights of the tokens behind it, `hops` rows a sequence, sequences in the order given.
std::vector<Tensor> weights_by_sequence(const Pooled& pooled, int64_t hops, const Sentences& texts,
                                        const std::vector<int32_t>& sequence_of_rank, int64_t shortening) {
  std::vector<Tensor> out(texts.size());
  if (!pooled.weights) return out;
  for (size_t rank = 0; rank < sequence_of_rank.size(); ++rank) {
    const auto s = static_cast<size_t>(sequence_of_rank[rank]);
    const int64_t first = static_cast<int64_t>(rank) * hops, tokens = std::ssize(texts[s]);
    if (tokens > 0)
      out[s] = over_tokens(pooled.weights.value().rows(first, first + hops),
                           std::vector<int64_t>(static_cast<size_t>(hops), tokens), shortening);
  }
  return out;
}

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

ClassifierTexts ClassifierTexts::chosen(std::span<const int64_t> index) const {
  ClassifierTexts out;
  for (const int64_t k : index) {
    const auto at = static_cast<size_t>(k);
    out.tokens.push_back(tokens[at]);
    if (!spellings.empty()) out.spellings.push_back(spellings[at]);
    if (!sentences.empty()) out.sentences.push_back(sentences[at]);
  }
  return out;
}

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

void Classifier::check_texts(const ClassifierTexts& texts) const {
  check_ids(texts.tokens, sizes_.vocabulary, "text");
  check(!options_.front.spelling.any() || texts.spellings.size() == texts.tokens.size(), "spellings of ",
        texts.spellings.size(), " texts for ", texts.tokens.size());
  check(!options_.hierarchical || texts.sentences.size() == texts.tokens.size(), "sentences of ",
        texts.sentences.size(), " texts for ", texts.tokens.size());
  for (size_t k = 0; options_.hierarchical && k < texts.tokens.size(); ++k) {
    int64_t sum = 0;
    for (const int64_t n : texts.sentences[k]) sum += n;
    check(sum == std::ssize(texts.tokens[k]), "text ", k, ": its sentences have ", sum, " tokens, it has ",
          texts.tokens[k].size());
  }
}

Sequence Classifier::embed(const ClassifierTexts& texts, Noise* noise) const {
  const Ragged shape(lengths_of(texts.tokens));
  std::vector<int32_t> ids = flattened(permuted(texts.tokens, shape.sequence_of_rank()));
  drop_words(ids, options_.dropout.words, noise);
  Spellings spellings;
  if (options_.front.spelling.any()) spellings = spellings_of(texts.spellings, shape.sequence_of_rank());
  return front_(std::move(ids), spellings, shape, RowOrder::by_sequence);
}

// What was read of some texts: a vector of each, in the order of ranks, and where attention went.
struct Classifier::Read {
  std::vector<int32_t> text_of_rank;
  Var features;  // [B, width]
  Pooled words;  // of a hierarchical model: of the sentences of all texts
  Ragged words_shape;
  ClassifierTexts sentences = {};  // these, of a hierarchical model
  std::optional<Pooled> outer = {};
};

Classifier::Read Classifier::read(const ClassifierTexts& texts, Noise* noise) const {
  ClassifierTexts sentences = options_.hierarchical ? apart(texts) : ClassifierTexts();
  const Sequence embedded = embed(options_.hierarchical ? sentences : texts, noise);
  const Encoded inner = encoder_(embedded, options_.dropout, noise);
  Pooled pooled = pooling_(inner);
  if (!options_.hierarchical) return {inner.memory.shape.sequence_of_rank(), pooled.x, pooled, inner.memory.shape};
  std::vector<int64_t> counts;
  std::vector<int32_t> first{0};  // sentence of each text, in the order of all
  for (const auto& of_text : texts.sentences) {
    counts.push_back(std::ssize(of_text));
    first.push_back(first.back() + static_cast<int32_t>(of_text.size()));
  }
  const Ragged shape(counts);
  const auto rank_of_sentence = inner.memory.shape.rank_of_sequence();
  std::vector<int32_t> rows;
  for (const int32_t text : shape.sequence_of_rank())
    for (int32_t s = first[static_cast<size_t>(text)]; s < first[static_cast<size_t>(text) + 1]; ++s)
      rows.push_back(rank_of_sentence[static_cast<size_t>(s)]);
  const Sequence vectors{ops::gather_rows(pooled.x, ops::row_ids(std::move(rows))), shape, RowOrder::by_sequence};
  Pooled outer = sentence_pooling_(sentence_encoder_(vectors, options_.dropout, noise));
  return {shape.sequence_of_rank(), outer.x, std::move(pooled), inner.memory.shape, std::move(sentences), outer};
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

std::vector<Classifier::Scores> Classifier::score(const ClassifierTexts& texts) const {
  const NoGrad off;
  std::vector<Scores> out(texts.tokens.size());
  if (out.empty()) return out;
  check_texts(texts);
  const Read got = read(texts, nullptr);
  const Tensor logits = output_(got.features).value();
  const Sentences& inner = options_.hierarchical ? got.sentences.tokens : texts.tokens;
  const auto words = weights_by_sequence(got.words, options_.pooling.hops, inner, got.words_shape.sequence_of_rank(),
                                         encoder_.shortening());
  std::vector<Tensor> outer(out.size());
  if (options_.hierarchical) {
    Sentences counts;  // a token for each sentence
    for (const auto& of_text : texts.sentences) counts.emplace_back(of_text.size());
    outer = weights_by_sequence(*got.outer, options_.sentences.pooling.hops, counts, got.text_of_rank,
                                sentence_encoder_.shortening());
  }
  for (size_t rank = 0; rank < got.text_of_rank.size(); ++rank) {
    const auto row = logits.rows(static_cast<int64_t>(rank), static_cast<int64_t>(rank) + 1).span<float>();
    out[static_cast<size_t>(got.text_of_rank[rank])].logits.assign(row.begin(), row.end());
  }
  for (size_t k = 0, at = 0; k < out.size(); ++k) {
    const size_t count = options_.hierarchical ? texts.sentences[k].size() : 1;
    out[k].weights = options_.hierarchical ? side_by_side(std::span(words).subspan(at, count)) : words[k];
    out[k].sentence_weights = outer[k];
    at += count;
  }
  return out;
}

}  // namespace lookback
