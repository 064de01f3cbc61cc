#include "lookback/models/labeller.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "lookback/base/elementary.h"
#include "lookback/models/spellings.h"
#include "lookback/ops/loss.h"

namespace lookback {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// The sum of two tables, either of which may be absent.
Var sum_of(const Var& x, const Tensor& y) {
  if (!x) return Var(y);
  return y.empty() ? x : ops::add(x, Var(y));
}

template <class Options>
void check_unchanged(Options options, const std::string& key, const std::string& why) {
  for (const auto& [option, value] : changed_options(options))
    throw ConfigError(str_cat(key, ".", option, " = ", value, " has no meaning ", why));
}

void check_not_shortened(const Encoder& encoder, const std::string& key) {
  check<ConfigError>(encoder.shortening() == 1, key, ": a block makes one row of ", encoder.shortening(),
                     ", and each has a tag of its own; take blocks without stride and pyramid");
}

}  // namespace

void LabellerObjective::check_with(const LabellerOptions& model) const {
  check<ConfigError>(smoothing == 0 || !model.crf, "loss.smoothing = ", smoothing,
                     " is of tags that are chosen each alone: set model.crf = false");
}

TagRules tag_rules(data::TagScheme scheme, const StringList& tags) {
  if (scheme == data::TagScheme::none) return {};
  const auto K = std::ssize(tags);
  TagRules out{Tensor::zeros({K, K}), Tensor::zeros({K}), Tensor::zeros({K})};
  bool any = false;  // that may be all of a sequence
  for (int64_t i = 0; i < K; ++i) {
    const std::string& tag = tags[static_cast<size_t>(i)];
    if (!may_follow(scheme, "", tag)) out.start.data<float>()[i] = kForbidden;
    if (!may_follow(scheme, tag, "")) out.end.data<float>()[i] = kForbidden;
    for (int64_t j = 0; j < K; ++j)
      if (!may_follow(scheme, tag, tags[static_cast<size_t>(j)])) out.transitions.data<float>()[i * K + j] = kForbidden;
    any = any || (may_follow(scheme, "", tag) && may_follow(scheme, tag, tag) && may_follow(scheme, tag, ""));
  }
  check<ConfigError>(any, "model.forbid: none of the tags ", joined(tags, ", "), " may be all of a sequence",
                     "; set model.forbid = \"none\"");
  return out;
}

Labeller::Labeller(const LabellerOptions& options, const Sizes& sizes, TagRules rules, uint64_t seed)
    : options_(options),
      sizes_(sizes),
      rules_(std::move(rules)),
      front_(options.front, sizes.vocabulary, sizes.characters, "model") {
  const int64_t K = sizes.tags;
  check(rules_.start.empty() || rules_.transitions.shape() == Shape{K, K}, "rules of ", rules_.start.size(),
        " tags for ", K);
  encoder_ = Encoder(options.encoder, front_.width());
  int64_t width = encoder_.width();
  if (options.of_texts()) {
    pooling_ = Pooling(options.pooling, encoder_, "model.pooling");
    width = pooling_.width();
    if (!options.texts.alone) {
      texts_encoder_ = Encoder(options.texts.encoder, width, "model.texts.encoder");
      check_not_shortened(texts_encoder_, "model.texts.encoder");
      width = texts_encoder_.width();
    }
  } else {
    check_not_shortened(encoder_, "model.encoder");
    check_unchanged(options.pooling, "model.pooling", "without model.unit = 'text'");
    check_unchanged(options.texts, "model.texts", "without model.unit = 'text'");
  }
  output_ = Linear(width, K, Linear::Bias::yes);
  if (options.crf) {
    transitions_ = Var::parameter(Tensor::zeros({K, K}));
    start_ = Var::parameter(Tensor::zeros({K})), end_ = Var::parameter(Tensor::zeros({K}));
  }
  if (seed != kNoInit) initialise(params_of(*this), options.init, seed);
}

void Labeller::params(ParamVisitor& v) {
  front_.params(v);
  v("encoder", encoder_);
  if (options_.of_texts()) {
    v("pooling", pooling_);
    if (!options_.texts.alone) v("texts.encoder", texts_encoder_);
  }
  v("output", output_);
  v("crf.transitions", transitions_, Role::preset);
  v("crf.start", start_, Role::preset);
  v("crf.end", end_, Role::preset);
}

StringList Labeller::kept_from_int8() const {
  StringList out = front_.kept_from_int8(encoder_.needs_exact_input());
  if (transitions_) out.emplace_back("crf.transitions");
  return out;
}

void Labeller::check_texts(const NestedTexts& texts) const {
  texts.check(sizes_.vocabulary, options_.front.spelling.any(), options_.of_texts());
}

// A row for each tag, by sequence, sequences in the order of ranks; and where attention over a text's tokens went.
struct Labeller::Read {
  Sequence rows;
  NestedTexts inner = {};  // texts as sequences of their own
  std::optional<Pooled> pooled = {};
  std::optional<Ragged> inner_shape = {};
};

Labeller::Read Labeller::read(const NestedTexts& texts, Noise* noise) const {
  const auto encoded = [&](const NestedTexts& all) {
    return encoder_(embedded(front_, all, options_.dropout, noise), options_.dropout, noise);
  };
  if (!options_.of_texts()) return {encoded(texts).memory};
  NestedTexts apart = texts.apart();
  const Encoded inner = encoded(apart);
  Pooled pooled = pooling_(inner);
  Sequence rows = parts_of_texts(pooled.x, inner.memory.shape, texts);
  if (!options_.texts.alone) rows = texts_encoder_(rows, options_.dropout, noise).memory;
  return {std::move(rows), std::move(apart), std::move(pooled), inner.memory.shape};
}

ops::CrfScores Labeller::crf_scores(const Var& emissions) const {
  return {emissions, sum_of(transitions_, rules_.transitions), sum_of(start_, rules_.start), sum_of(end_, rules_.end)};
}

TagRules Labeller::transitions() const {
  const NoGrad off;
  const int64_t K = sizes_.tags;
  if (!transitions_ && rules_.start.empty()) return {Tensor::zeros({K, K}), Tensor::zeros({K}), Tensor::zeros({K})};
  const ops::CrfScores scores = crf_scores(Var());
  return {scores.transitions.value(), scores.start.value(), scores.end.value()};
}

LabellerLoss Labeller::loss(const LabellerBatch& batch, const LabellerObjective& objective, double scale,
                            Noise* noise) const {
  check(batch.texts.size() == std::ssize(batch.tags) && batch.texts.size() > 0,
        "a batch needs tags for each text, got ", batch.texts.size(), " and ", batch.tags.size());
  check_texts(batch.texts);
  check_ids(batch.tags, sizes_.tags, "tag");
  for (size_t k = 0; k < batch.tags.size(); ++k) {
    const size_t members = options_.of_texts() ? batch.texts.parts[k].size() : batch.texts.tokens[k].size();
    check(batch.tags[k].size() == members, "text ", k, " has ", batch.tags[k].size(), " tags for ", members);
  }
  const Read got = read(batch.texts, noise);
  const Ragged& shape = got.rows.shape;
  const Var features =
      DropoutSite(options_.dropout, noise).sequence(got.rows.x, ops::row_ids(shape.memory().sentence_of_rows()));
  const std::vector<int32_t> tags = flattened(batch.tags, shape.sequence_of_rank());
  if (!options_.crf) {
    const auto found = ops::projected_xent(features, output_.weight, output_.bias, tags,
                                           {.smoothing = objective.smoothing, .scale = scale});
    return {found.loss, found.loss_sum, found.nll_sum, found.correct};
  }
  const ops::CrfScores scores = crf_scores(output_(features));
  const auto found = ops::crf_loss(scores, shape.memory(), tags, scale);
  LabellerLoss out{found.loss, found.nll_sum, found.nll_sum};
  const NoGrad off;
  const std::vector<int32_t> best = ops::crf_viterbi(scores, shape.memory()).tags;
  for (size_t n = 0; n < tags.size(); ++n) out.correct += best[n] == tags[n];
  return out;
}

std::vector<Labeller::Scores> Labeller::score(const NestedTexts& texts) const {
  const NoGrad off;
  std::vector<Scores> out(texts.tokens.size());
  if (out.empty()) return out;
  check_texts(texts);
  const Read got = read(texts, nullptr);
  const Tensor emissions = output_(got.rows.x).value();
  if (!options_.crf)
    for (int64_t n = 0; n < emissions.dim(0); ++n) elementary::log_softmax(emissions.rows(n, n + 1).span<float>());
  const Ragged& shape = got.rows.shape;
  for (int64_t rank = 0; rank < shape.sequences(); ++rank)
    out[static_cast<size_t>(shape.sequence_of_rank()[static_cast<size_t>(rank)])].emissions =
        emissions.rows(shape.memory().begin(rank), shape.memory().begin(rank + 1)).clone();
  if (!got.pooled || !got.pooled->weights) return out;
  auto weights = weights_of_texts(*got.pooled, options_.pooling.hops, got.inner.tokens,
                                  got.inner_shape->sequence_of_rank(), encoder_.shortening());
  for (size_t k = 0, text = 0; k < out.size(); ++k)
    for (size_t i = 0; i < texts.parts[k].size(); ++i) out[k].weights.push_back(std::move(weights[text++]));
  return out;
}

std::vector<LabelledSequence> best_tags(const std::vector<Tensor>& emissions, const TagRules& transitions,
                                        bool want_probabilities) {
  const NoGrad off;
  const int64_t K = transitions.start.size();
  std::vector<int64_t> lengths;
  int64_t rows = 0;
  for (const Tensor& e : emissions) lengths.push_back(e.empty() ? 0 : e.dim(0)), rows += lengths.back();
  Tensor all({rows, K});
  float* to = all.data<float>();
  for (const Tensor& e : emissions)
    if (!e.empty()) to = std::ranges::copy(e.span<float>(), to).out;
  const MemoryLayout layout(lengths);
  const ops::CrfScores scores{Var(all), Var(transitions.transitions), Var(transitions.start), Var(transitions.end)};
  const ops::CrfPaths paths = ops::crf_viterbi(scores, layout);
  std::optional<ops::CrfMarginals> marginals;
  if (want_probabilities) marginals = ops::crf_marginals(scores, layout);
  std::vector<LabelledSequence> out(emissions.size());
  for (size_t k = 0; k < out.size(); ++k) {
    const int64_t begin = layout.begin(static_cast<int64_t>(k)), end = layout.begin(static_cast<int64_t>(k) + 1);
    out[k].tags.assign(paths.tags.begin() + begin, paths.tags.begin() + end);
    out[k].log_prob = marginals ? paths.scores[k] - marginals->log_z[k] : std::numeric_limits<double>::quiet_NaN();
    if (marginals) out[k].probabilities = marginals->probabilities.rows(begin, end).clone();
  }
  return out;
}

}  // namespace lookback
