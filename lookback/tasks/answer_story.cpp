#include "lookback/tasks/answer_story.h"

#include <algorithm>
#include <map>

#include "lookback/base/elementary.h"
#include "lookback/io/atomic_file.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/folder_parts.h"
#include "lookback/tasks/input.h"
#include "lookback/tasks/label_report.h"
#include "lookback/train/parameters.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

using data::Ids;
using data::StoryTokens;

constexpr int64_t kTokensAtOnce = 65'536;  // in prediction, unless one story alone has more

AnswerStory::Network make(const AnswerRecipe& recipe, std::shared_ptr<data::Tokenizer> tokenizer,
                          std::shared_ptr<data::Labels> answers) {
  tokenizer->set_sampling(recipe.tokenizer.sampling);
  AnswerStory::Network out{
      .config = {.vocabulary = tokenizer->size(), .answers = answers->labels(), .model = recipe.model.for_story()},
      .tokenizer = tokenizer,
      .stories = std::make_shared<StoryTokens>(tokenizer),
      .answers = std::move(answers),
      .search = {.n_best = recipe.decode.n_best}};
  out.model = std::make_unique<StoryReader>(
      out.config.model, StoryReader::Sizes{.vocabulary = tokenizer->size(), .classes = out.answers->count()},
      seed_of(recipe.train));
  return out;
}

// What the networks say of one question.
struct Said {
  std::vector<double> probabilities;  // [answers] the mean over networks; none for a question or story that is empty
  Tensor weights;                     // [hops, sentences] of a mean over networks
};

std::vector<Said> ask(AnswerStory::Networks networks, std::span<const Input> inputs,
                      const AnswerStory::Options& options) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  const auto& network = *networks[0];
  StoryTexts all;
  std::vector<int32_t> costs;
  std::vector<size_t> asked;  // of each question that is not empty, its input
  for (size_t k = 0; k < inputs.size(); ++k) {
    Ids question = network.tokenizer->encode(required_text(inputs[k], "question"));
    const Ids story = network.stories->encode(required_text(inputs[k], "story"));
    Sentences sentences = StoryTokens::sentences(story);
    if (question.empty() || sentences.empty()) continue;
    asked.push_back(k);
    all.questions.push_back(std::move(question)), all.stories.push_back(std::move(sentences));
    costs.push_back(static_cast<int32_t>(story.size()));
  }
  const auto share = 1 / static_cast<double>(networks.size());
  std::vector<Said> out(inputs.size());
  for (const auto& batch : data::costliest_first(costs, options.batch, kTokensAtOnce)) {
    StoryTexts now;
    for (const int64_t k : batch) {
      now.questions.push_back(all.questions[static_cast<size_t>(k)]);
      now.stories.push_back(all.stories[static_cast<size_t>(k)]);
    }
    for (const AnswerStory::Network* const one : networks) {
      const auto scores = one->model->score(now);
      for (size_t n = 0; n < batch.size(); ++n) {
        Said& said = out[asked[static_cast<size_t>(batch[n])]];
        std::vector<double> p(scores[n].logits.begin(), scores[n].logits.end());
        elementary::softmax(p);
        said.probabilities.resize(p.size());
        for (size_t c = 0; c < p.size(); ++c) said.probabilities[c] += p[c] * share;
        const Tensor& weights = scores[n].weights;
        if (weights.empty()) continue;
        if (said.weights.empty()) said.weights = Tensor::zeros(weights.shape());
        for (int64_t i = 0; i < weights.size(); ++i)
          said.weights.data<float>()[i] += weights.data<float>()[i] * static_cast<float>(share);
      }
    }
  }
  return out;
}

std::vector<Output> outputs_of(const data::Labels& answers, const Said& said, int64_t n_best) {
  if (said.probabilities.empty()) return {Output()};
  std::vector<Output> out;
  for (const auto& [answer, p] : ranked(answers, said.probabilities)) {
    if (std::ssize(out) == n_best) break;
    out.push_back({.text = answer, .score = elementary::log(p), .log_prob = elementary::log(p)});
  }
  return out;
}

// The sentences of a story that have tokens: those that the model reads.
StringList read_sentences(const AnswerStory::Network& network, const std::string& story) {
  StringList out;
  for (std::string& sentence : data::sentences_of_story(story))
    if (!network.tokenizer->encode(sentence).empty()) out.push_back(std::move(sentence));
  return out;
}

}  // namespace

void AnswerStory::Network::check_ensemble(const Network& other, const std::string& folder,
                                          const std::string& other_folder) const {
  check<FormatError>(tokenizer->bytes() == other.tokenizer->bytes() && config.answers == other.config.answers &&
                         config.model.hops == other.config.model.hops,
                     other_folder, ": its tokenizer, its answers or its hops are not those of ", folder,
                     "; an ensemble needs the same");
}

StringList AnswerStory::Network::save(const std::string& folder) const {
  return {save_options(folder, "config.json", config), save_options(folder, kGenerationFile, search),
          save_tokenizer(*tokenizer, folder)};
}

AnswerStory::Network AnswerStory::Network::open(const io::ModelFolder& folder) {
  const std::string file = folder.path() + "/config.json";
  Network out;
  read_fields(folder.open("config.json"), fields_of(out.config));
  out.tokenizer = load_tokenizer(folder);
  check_vocabulary(folder, *out.tokenizer, out.config.vocabulary);
  if (folder.has(kGenerationFile)) read_fields(folder.open(kGenerationFile), fields_of(out.search));
  out.stories = std::make_shared<StoryTokens>(out.tokenizer);
  try {
    out.answers = std::make_shared<data::Labels>(out.config.answers, data::LabelOptions(), file);
    out.model = std::make_unique<StoryReader>(
        out.config.model, StoryReader::Sizes{.vocabulary = out.config.vocabulary, .classes = out.answers->count()},
        StoryReader::kNoInit);
  } catch (const ConfigError& e) {
    throw FormatError(file + ": " + e.what());
  }
  return out;
}

std::vector<data::Column> AnswerStory::columns(const Network& n) {
  return {{"question", n.tokenizer.get()}, {"story", n.stories.get()}, {"answer", n.answers.get()}};
}

void AnswerStory::validate(const Recipe& recipe) {
  check_unused(recipe.model.span, "model", recipe);
  check_unused(recipe.windows, "windows", recipe);
  AnswerSearch search = recipe.decode;
  search.n_best = AnswerSearch().n_best;
  check_unused(search, "decode", recipe);
  check<ConfigError>(recipe.tokenizer.joint, "tokenizer.joint = false: questions and stories share their words");
  check<ConfigError>(recipe.data.table.max_ratio == 0, "data.max_ratio = ", recipe.data.table.max_ratio,
                     " compares two texts; a question is shorter than its story");
  check_vectors(recipe.vectors, recipe.tokenizer, "vectors");
  // Built small and thrown away: names the options that do not go together before any data is read.
  StoryReader small(recipe.model.for_story(), {.vocabulary = data::kSpecials, .classes = 2}, StoryReader::kNoInit);
  train::freeze(params_of(small), recipe.train.options.freeze);
}

AnswerStory::Network AnswerStory::learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root,
                                        const LogSink& log) {
  auto answers = std::make_shared<data::Labels>(data::Labels::learn(
      data::column_lines(rows, columns(), {2}, recipe.data.table), data::LabelOptions(), "data.train"));
  std::shared_ptr<data::Tokenizer> tokenizer =
      data::train_tokenizer(recipe.tokenizer, data::column_lines(rows, columns(), {0, 1}, recipe.data.table), log);
  tokenizer = with_words_of(recipe.vectors, std::move(tokenizer), root);
  log(Severity::info,
      str_cat("tokenizer: ", recipe.tokenizer.kind, ", ", tokenizer->size(), " entries; answers: ", answers->count()));
  Network out = make(recipe, std::move(tokenizer), std::move(answers));
  start_from_vectors(recipe.vectors, *out.tokenizer, out.model->embeddings(), "model.embedding", root, log);
  return out;
}

AnswerStory::Network AnswerStory::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe,
                                                 const LogSink& log) {
  const std::string file = folder.path() + "/config.json";
  Config config;
  read_fields(folder.open("config.json"), fields_of(config));
  log(Severity::info, "tokenizer and answers: those of " + folder.path());
  return make(recipe, load_tokenizer(folder),
              std::make_shared<data::Labels>(config.answers, data::LabelOptions(), file));
}

StringList AnswerStory::example(const Network& network, const data::Table& table, int64_t k, uint64_t seed) {
  const auto text = [&](const Ids& ids) {
    std::string out;
    for (const int32_t id : ids) out += " " + viz::one_line(network.tokenizer->piece(id));
    return out;
  };
  std::string story = "  story:";
  const char* between = "";
  for (const Ids& sentence : StoryTokens::sentences(table.ids(1, k, seed, 0)))
    story += between + text(sentence), between = " |";
  return {"  question:" + text(table.ids(0, k, seed, 0)), story,
          "  answer: " + viz::one_line(network.answers->text(table.ids(2, k)))};
}

Loss AnswerStory::loss(const Network& network, const Recipe&, data::Batch batch, double scale, Noise* noise) {
  StoryBatch read{.texts = {.stories = {}, .questions = std::move(batch.columns[0])}, .answers = {}};
  for (const Ids& story : batch.columns[1]) read.texts.stories.push_back(StoryTokens::sentences(story));
  for (const Ids& answer : batch.columns[2]) read.answers.push_back(answer[0]);
  const auto loss = network.model->loss(read, scale, noise);
  return {loss.loss,
          {.loss = loss.nll_sum,
           .units = std::ssize(read.answers),
           .sums = {{"nll", loss.nll_sum}, {"correct", static_cast<double>(loss.correct)}}}};
}

AnswerStory::Options AnswerStory::options(const Network& network, bool int8) {
  Options out;
  out.search = network.search;
  if (int8) out.precision = "int8";
  return out;
}

AnswerStory::Options AnswerStory::validation_options(const Recipe& recipe) {
  Options out;
  out.batch = recipe.valid.batch, out.precision = recipe.train.options.precision;
  return out;
}

std::vector<Prediction> AnswerStory::predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                             TaskModel::Detail detail) {
  const std::vector<Said> said = ask(networks, inputs, options);
  std::vector<Prediction> out(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) {
    out[k].line = inputs[k].line;
    out[k].outputs = outputs_of(*networks[0]->answers, said[k], options.search.n_best);
    if (detail != TaskModel::Detail::full) continue;
    const StringList sentences = read_sentences(*networks[0], required_text(inputs[k], "story"));
    out[k].details.raw("sentences", io::json_list(sentences, io::json_quote));
    if (!said[k].weights.empty()) out[k].details.raw("weights", io::json_matrix(said[k].weights));
  }
  return out;
}

viz::Figure AnswerStory::explain(Networks networks, const Input& input, const Options& options) {
  const Said said = ask(networks, {&input, 1}, options)[0];
  check<ConfigError>(!said.probabilities.empty(), "explain: needs a question and a story that are not empty");
  const auto answers = ranked(*networks[0]->answers, said.probabilities);
  return viz::Highlight{.words = {"story", read_sentences(*networks[0], required_text(input, "story"))},
                        .weights = said.weights,
                        .title = required_text(input, "question") + " → " + answers[0].first,
                        .probabilities = answers};
}

std::vector<BaselineScores> AnswerStory::baselines(const Recipe& recipe, const data::RowSource& train,
                                                   const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                                   const LogSink& log) {
  std::map<std::string, std::map<std::string, int64_t>> counts;  // of answers by question; "": of all
  int64_t questions = 0;
  data::RowReader reader(train, columns(), recipe.data.table);
  for (data::RowReader::Row row; reader.next(row);)
    if (row.problem.empty()) ++counts[""][row.cells[2]], ++counts[row.cells[0]][row.cells[2]], ++questions;
  check<FormatError>(questions > 0, "data.train: has no answers");
  std::map<std::string, std::string> best;
  for (const auto& [question, answers] : counts)
    best[question] = std::ranges::max_element(answers, std::less(), [](const auto& c) { return c.second; })->first;
  log(Severity::info,
      str_cat("training data: ", questions, " questions; the most frequent answer is '", best[""], "'"));
  const auto same_question = [best](const Input& input) {
    const auto at = best.find(*input.find("question"));
    return at == best.end() ? best.at("") : at->second;
  };
  return scored_baselines({{"most frequent answer", [best](const Input&) { return best.at(""); }},
                           {"most frequent answer to the same question", same_question}},
                          sets, columns(), recipe.data.table,
                          [](const metrics::Lines& hypotheses, const metrics::Lines& references) {
                            return scored({"accuracy"}, hypotheses, references);
                          });
}

}  // namespace lookback::tasks
