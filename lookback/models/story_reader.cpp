#include "lookback/models/story_reader.h"

#include <algorithm>
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
  story_ = Encoder(options.story, pooling_.width(), "model.story");
  check<ConfigError>(story_.shortening() == 1,
                     "model.story: the memory has a row for each sentence; take no block that "
                     "shortens");
  const int64_t C = story_.width();
  question_ = Linear(pooling_.width(), C, Linear::Bias::yes);
  for (int64_t k = 0; k < options.hops; ++k)
    hops_.push_back({Linear(C, C, Linear::Bias::no), Linear(C, C, Linear::Bias::no)});
  output_ = Linear(C, sizes.classes, Linear::Bias::yes);
  if (seed != kNoInit) initialise(params_of(*this), options.init, seed);
}

void StoryReader::params(ParamVisitor& v) {
  front_.params(v);
  v("sentence", sentence_), v("pooling", pooling_), v("story", story_);
  v("question", question_), v("hops", hops_), v("output", output_);
}

void StoryReader::check_texts(const StoryTexts& texts) const {
  check(std::ssize(texts.stories) == texts.size() && texts.size() > 0, "as many stories as questions, got ",
        texts.stories.size(), " and ", texts.size());
  check_ids(texts.questions, sizes_.vocabulary, "question");
  for (const Sentences& story : texts.stories) check_ids(story, sizes_.vocabulary, "story");
}

struct StoryReader::Read {
  Var found;                    // [B, C] in the order of questions
  Ragged stories;               // of sentences
  std::vector<Tensor> weights;  // of each hop [B, T], by rank of the story
};

// All sentences and then all questions are read as one batch; a story's row of the memory is a sentence.
StoryReader::Read StoryReader::read(const StoryTexts& texts, Noise* noise) const {
  Sentences all;
  std::vector<int64_t> counts;
  for (const Sentences& story : texts.stories) {
    counts.push_back(std::ssize(story));
    all.insert(all.end(), story.begin(), story.end());
  }
  const auto sentences = static_cast<int32_t>(all.size());
  all.insert(all.end(), texts.questions.begin(), texts.questions.end());
  const Ragged words(lengths_of(all));
  std::vector<int32_t> ids = flattened(permuted(all, words.sequence_of_rank()));
  drop_words(ids, options_.dropout.words, noise);
  const Encoded encoded = sentence_(front_(std::move(ids), {}, words, RowOrder::by_sequence), options_.dropout, noise);
  const Var vectors = pooling_(encoded).x;
  const std::vector<int32_t> rank = words.rank_of_sequence();

  Read out{.found = {}, .stories = Ragged(counts), .weights = {}};
  std::vector<int32_t> first(counts.size()), rows, asked;
  std::exclusive_scan(counts.begin(), counts.end(), first.begin(), 0);
  for (const int32_t story : out.stories.sequence_of_rank())
    for (int32_t s = 0; s < counts[static_cast<size_t>(story)]; ++s)
      rows.push_back(rank[static_cast<size_t>(first[static_cast<size_t>(story)] + s)]);
  for (int32_t q = sentences; q < std::ssize(all); ++q) asked.push_back(rank[static_cast<size_t>(q)]);
  out.found = ops::tanh(question_(ops::gather_rows(vectors, ops::row_ids(std::move(asked)))));
  if (hops_.empty() || rows.empty()) return out;

  const Sequence told{ops::gather_rows(vectors, ops::row_ids(std::move(rows))), out.stories, RowOrder::by_sequence};
  const Var memory = rows_in(story_(told, options_.dropout, noise).memory, RowOrder::by_sequence);
  const ops::Visible visible{out.stories.memory(), ops::row_ids(out.stories.rank_of_sequence())};
  const DropoutSite site(options_.dropout, noise);
  for (const Hop& hop : hops_) {
    const auto attended = ops::attend(ops::score_dot(out.found, hop.key(memory), visible), hop.value(memory), visible);
    // u[k+1] = u[k] + o[k]   (Sukhbaatar et al. 2015, equation 4)
    out.found = ops::add(out.found, site.step(attended.context));
    out.weights.push_back(attended.weights.value());
  }
  return out;
}

StoryLoss StoryReader::loss(const StoryBatch& batch, double scale, Noise* noise) const {
  check_texts(batch.texts);
  check(std::ssize(batch.answers) == batch.texts.size(), batch.answers.size(), " answers to ", batch.texts.size(),
        " questions");
  const Read got = read(batch.texts, noise);
  const auto xent = ops::projected_xent(got.found, output_.weight, output_.bias, batch.answers, {.scale = scale});
  return {xent.loss, xent.nll_sum, xent.correct};
}

std::vector<StoryReader::Scores> StoryReader::score(const StoryTexts& texts) const {
  const NoGrad off;
  check_texts(texts);
  const Read got = read(texts, nullptr);
  const Tensor logits = output_(got.found).value();
  const auto hops = std::ssize(got.weights);
  std::vector<Scores> out(static_cast<size_t>(texts.size()));
  for (int64_t k = 0; k < texts.size(); ++k) {
    Scores& scores = out[static_cast<size_t>(k)];
    const auto row = logits.rows(k, k + 1).span<float>();
    scores.logits.assign(row.begin(), row.end());
    const auto sentences = std::ssize(texts.stories[static_cast<size_t>(k)]);
    if (hops == 0 || sentences == 0) continue;
    scores.weights = Tensor({hops, sentences});
    for (int64_t h = 0; h < hops; ++h)  // rows are in the order of questions
      std::copy_n(got.weights[static_cast<size_t>(h)].rows(k, k + 1).data<float>(), sentences,
                  scores.weights.data<float>() + h * sentences);
  }
  return out;
}

}  // namespace lookback
