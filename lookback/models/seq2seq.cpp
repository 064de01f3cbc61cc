#include "lookback/models/seq2seq.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/data/vocab.h"
#include "lookback/models/sentences.h"
#include "lookback/models/spellings.h"
#include "lookback/models/word_dropout.h"
#include "lookback/ops/context_gate.h"
#include "lookback/ops/loss.h"

namespace lookback {
namespace {

// Token t of rank b, for every packed row.
template <class TokenAt>
std::vector<int32_t> packed_tokens(const Steps& steps, TokenAt&& token_at) {
  std::vector<int32_t> out;
  out.reserve(static_cast<size_t>(steps.N()));
  for (int64_t t = 0; t < steps.T(); ++t)
    for (int64_t b = 0; b < steps.alive(t); ++b)
      out.push_back(token_at(static_cast<size_t>(b), static_cast<size_t>(t)));
  return out;
}

int32_t argmax(const float* x, int64_t n) { return static_cast<int32_t>(std::max_element(x, x + n) - x); }

}  // namespace

std::vector<Segment> segments_of(const std::vector<int32_t>& numbers) {
  std::vector<Segment> out;
  for (size_t k = 0; k + 1 < numbers.size(); k += 2) out.push_back({numbers[k], numbers[k + 1]});
  return out;
}

void check_segments(const Sentences& sources, const Segments& segments) {
  check(segments.size() == sources.size(), "segments of ", segments.size(), " sources for ", sources.size());
  for (size_t b = 0; b < sources.size(); ++b) {
    int64_t tokens = 0;
    for (const Segment& s : segments[b]) {
      check(0 <= s.role && s.role < kSegmentRoles && s.tokens > 0, "source ", b, ": a segment of role ", s.role,
            " with ", s.tokens, " tokens");
      tokens += s.tokens;
    }
    check(tokens == std::ssize(sources[b]), "source ", b, ": its segments have ", tokens, " tokens, it has ",
          sources[b].size());
  }
}

void ObjectiveOptions::check_with(const Seq2SeqOptions& model) const {
  check<ConfigError>(coverage == 0 || model.score != "none", "loss.coverage = ", coverage,
                     " needs attention, and model.score is 'none'");
  check<ConfigError>(doubly_stochastic == 0 || model.score != "none", "loss.doubly_stochastic = ", doubly_stochastic,
                     " needs attention, and model.score is 'none'");
  check<ConfigError>(sampling == "none" || !model.copy, "loss.sampling = '", sampling,
                     "' does not go with model.copy = true");
  const int64_t stretch = model.decoder.time.checkpoint;
  check<ConfigError>(stretch == 0 || coverage == 0, "model.decoder.checkpoint = ", stretch,
                     " does not go with loss.coverage, for which the decoder runs step by step");
  check<ConfigError>(stretch == 0 || sampling == "none", "model.decoder.checkpoint = ", stretch,
                     " does not go with loss.sampling = '", sampling, "', where the decoder runs step by step");
}

double ObjectiveOptions::sampled_share(uint64_t step) const {
  if (sampling == "none") return 0;
  if (sampling == "constant") return sampling_rate;
  const double at = std::min(1.0, static_cast<double>(step) / static_cast<double>(sampling_steps));
  if (sampling == "linear") return sampling_rate * at;
  if (sampling == "exponential") return sampling_rate * (1 - elementary::pow(0.01, at)) / 0.99;
  // k / (k + exp(i / k)) is the share of true inputs left. Its S shape is stretched to run from
  // all of them at 0 to none at 1, with the half of them half-way.
  const double k = 12;
  auto sampled = [&](double x) { return 1 - k / (k + elementary::pow(k, 2 * x)); };
  return sampling_rate * (sampled(at) - sampled(0)) / (sampled(1) - sampled(0));
}

Seq2Seq::Seq2Seq(const Seq2SeqOptions& options, Vocabularies vocabularies, uint64_t seed)
    : options_(options), vocabularies_(vocabularies) {
  const int64_t E = options.embedding, H = options.decoder.hidden;
  const bool tied = options.tie != "none";
  const int64_t R = options.readout ? options.readout : tied ? E : H;
  check<ConfigError>(!tied || R == E, "model.tie = '", options.tie, "' needs model.readout = model.embedding = ", E,
                     ", got ", R);
  check<ConfigError>(options.tie != "all" || vocabularies.source == vocabularies.target,
                     "model.tie = 'all' needs one vocabulary for both languages; set tokenizer.joint = true");
  target_embedding_.weight = Var::parameter(Tensor::zeros({vocabularies.target, E}));
  if (options.features == 0)
    front_ = Front({E, options.spelling}, vocabularies.source, vocabularies.characters, "model");
  else
    check<ConfigError>(!options.segmented && !options.copy && options.tie != "all" && !options.spelling.any(),
                       "a model of features has no words in its sources");
  if (options.tie == "all") front_.share_embeddings(target_embedding_.weight);
  encoder_ = Encoder(options.encoder, options.features ? options.features : front_.width());
  if (options.segmented) {
    check<ConfigError>(!options.spelling.any(), "model.characters and model.capitals do not go with dialogues");
    segmented_ = SegmentedEncoder(options.turns, encoder_, options.score != "none", "model.turns");
    roles_.weight = Var::parameter(Tensor::zeros({kSegmentRoles, front_.width()}));
  }
  decoder_ =
      Decoder(options.decoder, options.segmented ? segmented_.final_widths() : encoder_.final_widths(), options.score,
              {.embedding = E,
               .memory = encoder_.width(),
               .attention = options.attention ? options.attention : H,
               .readout = R,
               .location = options.location,
               .monotonic = options.monotonic,
               .heads = options.heads,
               .outer = options.segmented ? segmented_.outer_width() : 0,
               .outer_score = options.segmented ? options.turns.score : "none"});
  output_ = Linear(R, vocabularies.target, Linear::Bias::yes);
  if (tied) output_.weight = target_embedding_.weight;
  check<ConfigError>(!options.copy || options.score != "none",
                     "model.copy = true copies from where the attention is, and model.score is 'none'");
  check<ConfigError>(!options.copy || options.decoder.gate != "sentinel",
                     "model.copy = true needs weights that sum to 1, and with model.decoder.gate = 'sentinel' they do "
                     "not");
  if (options.copy) copy_gate_ = Linear(R, 1, Linear::Bias::yes);
  if (seed != kNoInit) initialise(params_of(*this), options.init, seed);
}

void Seq2Seq::params(ParamVisitor& v) {
  struct Source {
    Seq2Seq& model;
    void params(ParamVisitor& v) {
      // A shared table is named once, by the decoder.
      if (model.options_.features == 0)
        model.options_.tie == "all" ? model.front_.params_without_embeddings(v) : model.front_.params(v);
      model.encoder_.params(v);
      if (model.options_.segmented) v("roles", model.roles_), v("turns", model.segmented_);
    }
  } source{*this};
  struct Target {
    Seq2Seq& model;
    void params(ParamVisitor& v) {
      v("embedding", model.target_embedding_);
      model.decoder_.params(v);
    }
  } target{*this};
  v("encoder", source);
  v("decoder", target);
  if (options_.tie == "none") v("output.weight", output_.weight, Role::weight);
  v("output.bias", output_.bias, Role::bias);
  v("copy_gate", copy_gate_);
}

StringList Seq2Seq::kept_from_int8() const {
  if (options_.features > 0) return {};
  StringList out = front_.kept_from_int8(options_.segmented || encoder_.needs_exact_input());
  if (options_.segmented) out.emplace_back("roles.weight");
  for (std::string& name : out)
    name = (options_.tie == "all" && name == "embedding.weight" ? "decoder." : "encoder.") + name;
  return out;
}

Sequence Seq2Seq::embed_source(const Sentences& sentences, const Sentences& spellings, Noise* noise) const {
  const Ragged shape(lengths_of(sentences));
  if (options_.spelling.any()) {
    check(spellings.size() == sentences.size(), "spellings of ", spellings.size(), " sources for ", sentences.size());
    auto ids = flattened(sentences, shape.sequence_of_rank());
    drop_words(ids, options_.dropout.words, noise);
    return front_(std::move(ids), spellings_of(spellings, shape.sequence_of_rank()), shape, RowOrder::by_sequence);
  }
  const auto& sentence = shape.sequence_of_rank();
  auto ids =
      packed_tokens(shape.steps(), [&](size_t b, size_t t) { return sentences[static_cast<size_t>(sentence[b])][t]; });
  drop_words(ids, options_.dropout.words, noise);
  return front_(std::move(ids), {}, shape, RowOrder::by_step);
}

Encoded Seq2Seq::encode(const Sentences& sources, const Sentences& spellings, const Segments& segments,
                        Noise* noise) const {
  if (options_.segmented) return encode_segments(sources, segments, noise);
  return encoder_(embed_source(sources, spellings, noise), options_.dropout, noise);
}

Encoded Seq2Seq::encode_segments(const Sentences& sources, const Segments& segments, Noise* noise) const {
  Sentences parts;  // of all sources, one after the other
  std::vector<int32_t> roles;
  std::vector<int64_t> counts;
  for (size_t b = 0; b < sources.size(); ++b) {
    auto token = sources[b].begin();
    for (const Segment& s : segments[b]) {
      parts.emplace_back(token, token + s.tokens);
      roles.push_back(s.role);
      token += s.tokens;
    }
    counts.push_back(std::ssize(segments[b]));
  }
  Sequence embedded = in_order(embed_source(parts, {}, noise), RowOrder::by_step);
  const auto& part = embedded.shape.sequence_of_rank();
  auto role_of_row =
      packed_tokens(embedded.shape.steps(), [&](size_t b, size_t) { return roles[static_cast<size_t>(part[b])]; });
  embedded.x = ops::add(embedded.x, ops::gather_rows(roles_.weight, ops::row_ids(std::move(role_of_row))));
  return segmented_(encoder_(embedded, options_.dropout, noise), counts, options_.dropout, noise);
}

Var Seq2Seq::project(const Var& readout) const { return output_(readout); }

ops::CopySentence Seq2Seq::copies_of(std::vector<int32_t> tokens) {
  std::ranges::replace(tokens, data::kPad, -1);
  return tokens;
}

ops::Copying Seq2Seq::copying_of(const Var& readout, const Var& weights, ops::CopySentences copies,
                                 ops::RowIds sentence_of_row) const {
  return {copy_gate_(readout), weights, {std::move(copies), std::move(sentence_of_row), shortening()}};
}

Encoded Seq2Seq::encode(const Sequence& rows, Noise* noise) const {
  check(options_.features > 0 && rows.x.value().dim(1) == options_.features, "rows of ", rows.x.value().dim(1),
        " features for a model of ", options_.features);
  return encoder_(rows, options_.dropout, noise);
}

void Seq2Seq::check_batch(const Seq2SeqBatch& batch) const {
  check(batch.source.size() == batch.target.size() && !batch.source.empty(),
        "a batch needs as many sources as targets, got ", batch.source.size(), " and ", batch.target.size());
  check_ids(batch.source, vocabularies_.source, "source");
  if (options_.segmented) check_segments(batch.source, batch.segments);
  if (!options_.copy) return check_ids(batch.target, vocabularies_.target, "target");
  check_copies(batch.source, batch.copies);
  for (size_t b = 0; b < batch.target.size(); ++b)
    check_ids({batch.target[b]}, extended_size(batch.copies[b], vocabularies_.target), "target");
}

Seq2SeqLoss Seq2Seq::loss(const Seq2SeqBatch& batch, const ObjectiveOptions& objective, double scale,
                          Noise* noise) const {
  check_batch(batch);
  return loss_of(encode(batch.source, batch.spellings, batch.segments, noise), batch.target, batch.copies, objective,
                 scale, noise);
}

Seq2SeqLoss Seq2Seq::loss(const Encoded& encoded, const Sentences& target, const ObjectiveOptions& objective,
                          double scale, Noise* noise) const {
  check(options_.features > 0 && std::ssize(target) == encoded.memory.shape.sequences(), target.size(), " targets for ",
        encoded.memory.shape.sequences(), " sources");
  check_ids(target, vocabularies_.target, "target");
  return loss_of(encoded, target, {}, objective, scale, noise);
}

Seq2SeqLoss Seq2Seq::loss_of(const Encoded& encoded, const Sentences& sentences, const Sentences& copies,
                             const ObjectiveOptions& objective, double scale, Noise* noise) const {
  const Ragged target(lengths_of(sentences, 1));
  const Steps& steps = target.steps();
  if (noise) objective.check_with(options_);  // held-out text is only scored
  // Only where there is something to learn: held-out text is scored by its likelihood.
  const DecoderPass pass(decoder_, encoded, options_.dropout, noise,
                         {.weights = options_.copy || (objective.doubly_stochastic > 0 && noise),
                          .coverage_loss = objective.coverage > 0 && noise});

  // Decoder row b is target rank b; its source stands at this rank.
  const std::vector<int32_t> rank = encoded.memory.shape.rank_of_sequence();
  std::vector<int32_t> of;
  for (const int32_t s : target.sequence_of_rank()) of.push_back(rank[static_cast<size_t>(s)]);
  const DecoderState start = pass.start(encoded).gather(ops::row_ids(of));
  auto target_token = [&](size_t b, size_t t) {
    const auto& y = sentences[static_cast<size_t>(target.sequence_of_rank()[b])];
    return t < y.size() ? y[t] : data::kEos;
  };
  auto inputs = packed_tokens(steps, [&](size_t b, size_t t) { return t ? target_token(b, t - 1) : data::kBos; });
  const auto targets = packed_tokens(steps, target_token);
  for (int32_t& id : inputs) id = known(id);
  drop_words(inputs, options_.dropout.words, noise);

  const DropoutSite site(options_.dropout, noise);
  const double share = noise ? objective.sampled_share(noise->step) : 0;
  Unrolled unrolled;
  if (share > 0) {
    unrolled = pass.unroll(steps, start, of, [&](int64_t t, const Var& last) {
      const std::vector<int32_t> truth(inputs.begin() + steps.begin(t), inputs.begin() + steps.begin(t + 1));
      return sampled_input(pass, site, truth, last, share, *noise);
    });
  } else {
    const Var embedded = site.sequence(ops::gather_rows(target_embedding_.weight, ops::row_ids(inputs)),
                                       ops::row_ids(steps.sequence_of_rows()));
    unrolled = pass.teacher_force(embedded, steps, start, of);
  }
  const ops::XentOptions xent_options{.smoothing = objective.smoothing, .scale = scale};
  ops::XentOut xent;
  if (options_.copy) {
    std::vector<int32_t> source_of_row = steps.sequence_of_rows();
    for (int32_t& b : source_of_row) b = of[static_cast<size_t>(b)];
    std::vector<ops::CopySentence> by_rank;
    for (const int32_t s : encoded.memory.shape.sequence_of_rank())
      by_rank.push_back(copies_of(copies[static_cast<size_t>(s)]));
    const auto copying = copying_of(unrolled.readouts, unrolled.weights,
                                    std::make_shared<const std::vector<ops::CopySentence>>(std::move(by_rank)),
                                    ops::row_ids(source_of_row));
    xent = ops::copy_xent(unrolled.readouts, output_.weight, output_.bias, copying, targets, xent_options);
  } else {
    xent = ops::projected_xent(unrolled.readouts, output_.weight, output_.bias, targets, xent_options);
  }
  Seq2SeqLoss out{xent.loss, xent.loss_sum, xent.nll_sum, xent.correct, steps.N()};
  if (objective.doubly_stochastic > 0 && noise) {
    std::vector<int64_t> lengths;
    for (const int32_t rank_of_source : of) lengths.push_back(encoded.memory.shape.memory().length(rank_of_source));
    const Var loss = ops::doubly_stochastic_loss(unrolled.weights, steps.sequence_of_rows(), lengths);
    out.loss = ops::add(out.loss, ops::scale(loss, objective.doubly_stochastic * scale));
    out.loss_sum += objective.doubly_stochastic * static_cast<double>(loss.value().data<float>()[0]);
  }
  if (unrolled.coverage_loss) {
    out.loss = ops::add(out.loss, ops::scale(unrolled.coverage_loss, objective.coverage * scale));
    out.loss_sum += objective.coverage * static_cast<double>(unrolled.coverage_loss.value().data<float>()[0]);
  }
  return out;
}

// What a step reads under scheduled sampling: the truth, or with the given
// chance what the model itself would have said last.
DecoderPass::Input Seq2Seq::sampled_input(const DecoderPass& pass, const DropoutSite& site, std::vector<int32_t> truth,
                                          const Var& last_readout, double share, Noise& noise) const {
  if (last_readout) {
    const NoGrad off;
    const Tensor logits = project(Var(last_readout.value())).value();
    Rng rng(noise.seed, noise.next().stream);
    for (size_t b = 0; b < truth.size(); ++b)
      if (rng.uniform() < share)
        truth[b] = argmax(logits.data<float>() + static_cast<int64_t>(b) * vocabularies_.target, vocabularies_.target);
  }
  const Var embedded = site.step(ops::gather_rows(target_embedding_.weight, ops::row_ids(std::move(truth))));
  return {pass.input_part(embedded), embedded};
}

}  // namespace lookback
