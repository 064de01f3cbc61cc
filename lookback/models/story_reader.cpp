#include "lookback/models/story_reader.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "lookback/models/spellings.h"
#include "lookback/models/word_dropout.h"
#include "lookback/ops/attention.h"
#include "lookback/ops/loss.h"

namespace lookback {

StoryReader::StoryReader(const StoryReaderOptions& options, const Sizes& sizes, uint64_t seed)
    : options_(options), sizes_(sizes), front_(options.front, sizes.vocabulary, 1, "model") {
  check<ConfigError>(!options.front.spelling.any(),
                     "model.characters and model.capitals: a reader of stories reads whole words");
  sentence_ = Encoder(options.sentence, front_.width(), "model.sentence");
  pooling_ = Pooling(options.pooling, sentence_, "model.pooling");
  const int64_t C = pooling_.width();
  if (options.told_in_order) {
    story_ = Encoder(options.story, C, "model.story");
    check<ConfigError>(story_.shortening() == 1,
                       "model.story: the memory has a row for each sentence; take no block that shortens");
    told_ = Linear(story_.width(), C, Linear::Bias::no);
  } else {
    for (const auto& [option, value] : changed_options(options.story))
      throw ConfigError(
          str_cat("model.story.", option, " = ", value, " has no meaning without model.told_in_order = true"));
  }
  check<ConfigError>(options.ages > 0 || options.age_noise == 0, "model.age_noise = ", options.age_noise,
                     " has no meaning without model.ages");
  if (options.ages > 0) ages_.weight = Var::parameter(Tensor::zeros({options.ages, C}));
  for (int64_t k = 0; k < options.hops; ++k)
    hops_.push_back({Linear(C, C, Linear::Bias::no), Linear(C, C, Linear::Bias::no)});
  readout_ = Linear(3 * C, C, Linear::Bias::yes);
  output_ = Linear(C, sizes.classes, Linear::Bias::yes);
  if (seed != kNoInit) initialise(params_of(*this), options.init, seed);
}

void StoryReader::params(ParamVisitor& v) {
  front_.params(v);
  v("sentence", sentence_), v("pooling", pooling_);
  if (options_.told_in_order) v("story", story_), v("told", told_);
  if (options_.ages > 0) v("ages", ages_);
  v("hops", hops_), v("readout", readout_), v("output", output_);
}

StringList StoryReader::kept_from_int8() const {
  StringList out = front_.kept_from_int8(sentence_.needs_exact_input());
  if (options_.ages > 0) out.push_back("ages.weight");
  return out;
}

void StoryReader::check_texts(const StoryTexts& texts) const {
  check(std::ssize(texts.stories) == texts.size() && texts.size() > 0, "as many stories as questions, got ",
        texts.stories.size(), " and ", texts.size());
  check_ids(texts.questions, sizes_.vocabulary, "question");
  for (const Sentences& story : texts.stories) check_ids(story, sizes_.vocabulary, "story");
}

struct StoryReader::Read {
  Var readout;                  // [B, C] in the order of questions
  std::vector<Tensor> weights;  // of each hop [B, T], in the same order
};

// The rows of memory, by sequence, of stories whose sentences are `told`.
Var StoryReader::memory_of(const Sequence& told, Noise* noise) const {
  Var out = told.x;
  if (options_.told_in_order)
    out = ops::add(out, told_(rows_in(story_(told, options_.dropout, noise).memory, RowOrder::by_sequence)));
  if (options_.ages == 0) return out;
  const MemoryLayout& layout = told.shape.memory();
  std::vector<int32_t> ages(static_cast<size_t>(layout.rows()));
  const bool noisy = noise && options_.age_noise > 0;
  const Stream stream = noisy ? noise->next() : Stream();
  Rng rng(stream.seed, stream.stream);
  for (int64_t story = 0; story < layout.sentences(); ++story) {
    int64_t age = 0;
    for (int64_t row = layout.begin(story + 1) - 1; row >= layout.begin(story); --row, ++age) {
      if (noisy && rng.uniform() < options_.age_noise) ++age;
      ages[static_cast<size_t>(row)] = static_cast<int32_t>(std::min(age, options_.ages - 1));
    }
  }
  return ops::add(out, ops::gather_rows(ages_.weight, ops::row_ids(std::move(ages))));
}

// All sentences and then all questions are read as one batch, each once, however often it is there.
StoryReader::Read StoryReader::read(const StoryTexts& texts, Noise* noise) const {
  Sentences all;
  std::map<std::vector<int32_t>, int32_t> known;
  const auto number = [&](const std::vector<int32_t>& sentence) {
    const auto [at, is_new] = known.emplace(sentence, static_cast<int32_t>(all.size()));
    if (is_new) all.push_back(sentence);
    return at->second;
  };
  std::vector<int64_t> counts;
  for (const Sentences& story : texts.stories) counts.push_back(std::ssize(story));
  const Ragged stories(counts);
  std::vector<int32_t> rows, asked;
  for (const int32_t story : stories.sequence_of_rank())
    for (const auto& sentence : texts.stories[static_cast<size_t>(story)]) rows.push_back(number(sentence));
  for (const auto& question : texts.questions) asked.push_back(number(question));

  const Ragged words(lengths_of(all));
  std::vector<int32_t> ids = flattened(all, words.sequence_of_rank());
  drop_words(ids, options_.dropout.words, noise);
  const Encoded encoded = sentence_(front_(std::move(ids), {}, words, RowOrder::by_sequence), options_.dropout, noise);
  const Var vectors = pooling_(encoded).x;
  const std::vector<int32_t> rank = words.rank_of_sequence();
  for (std::vector<int32_t>* list : {&rows, &asked})
    for (int32_t& row : *list) row = rank[static_cast<size_t>(row)];

  const Var question = ops::gather_rows(vectors, ops::row_ids(std::move(asked)));
  Var found = question;
  Read out;
  const DropoutSite site(options_.dropout, noise);
  if (!rows.empty()) {
    const Var memory =
        memory_of({ops::gather_rows(vectors, ops::row_ids(std::move(rows))), stories, RowOrder::by_sequence}, noise);
    const ops::Visible visible{stories.memory(), ops::row_ids(stories.rank_of_sequence())};
    for (const Hop& hop : hops_) {
      // Sentences and questions are read alike: what is like the question stands out before anything is learnt.
      const Var key = ops::add(memory, hop.key(memory));
      const auto attended = ops::attend(ops::score_dot(found, key, visible), hop.value(memory), visible);
      // u[k+1] = u[k] + o[k]   (Sukhbaatar et al. 2015, equation 4)
      found = ops::add(found, attended.context);
      out.weights.push_back(attended.weights.value());
    }
  }
  // With their product, whether what was found is what was asked for, "Is Ana in the attic?", can be said.
  out.readout = site.step(ops::relu(readout_(ops::concat_columns({found, question, ops::mul(found, question)}))));
  return out;
}

StoryLoss StoryReader::loss(const StoryBatch& batch, double scale, Noise* noise) const {
  check_texts(batch.texts);
  check(std::ssize(batch.answers) == batch.texts.size(), batch.answers.size(), " answers to ", batch.texts.size(),
        " questions");
  const Read got = read(batch.texts, noise);
  const auto xent = ops::projected_xent(got.readout, output_.weight, output_.bias, batch.answers, {.scale = scale});
  return {xent.loss, xent.nll_sum, xent.correct};
}

std::vector<StoryReader::Scores> StoryReader::score(const StoryTexts& texts) const {
  const NoGrad off;
  check_texts(texts);
  const Read got = read(texts, nullptr);
  const Tensor logits = output_(got.readout).value();
  const auto hops = std::ssize(got.weights);
  std::vector<Scores> out(static_cast<size_t>(texts.size()));
  for (int64_t k = 0; k < texts.size(); ++k) {
    Scores& scores = out[static_cast<size_t>(k)];
    const auto row = logits.rows(k, k + 1).span<float>();
    scores.logits.assign(row.begin(), row.end());
    const auto sentences = std::ssize(texts.stories[static_cast<size_t>(k)]);
    if (sentences == 0) continue;
    scores.weights = Tensor({hops, sentences});
    for (int64_t h = 0; h < hops; ++h)
      std::copy_n(got.weights[static_cast<size_t>(h)].rows(k, k + 1).data<float>(), sentences,
                  scores.weights.data<float>() + h * sentences);
  }
  return out;
}

}  // namespace lookback
