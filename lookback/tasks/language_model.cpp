#include "lookback/tasks/language_model.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/decode/search.h"
#include "lookback/io/atomic_file.h"
#include "lookback/metrics/corpus_metric.h"
#include "lookback/metrics/perplexity.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/input.h"
#include "lookback/tasks/task_definition.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

LanguageTask::Network make(const LanguageTask::Recipe& recipe, std::shared_ptr<data::Tokenizer> tokenizer) {
  LanguageTask::Network out{.config = {.vocabulary = tokenizer->size(), .model = recipe.model},
                            .tokenizer = std::move(tokenizer),
                            .generation = {recipe.decode, recipe.cache}};
  out.model = std::make_unique<LanguageModel>(recipe.model, out.tokenizer->size(), seed_of(recipe.train));
  return out;
}

// Its rows keep their text, by which scores count.
data::Table table_of(const data::RowSource& rows, const LanguageTask::Network& network,
                     const data::TableOptions& options) {
  return data::Table(rows, LanguageTask::columns(network), options, data::Keep::tokens_and_text);
}

}  // namespace

LanguageTask::Recipe::Recipe() {
  data.table.max_length = 0;
  decode.beam = 1;
}

void LanguageTask::Network::check_ensemble(const Network&, const std::string& folder,
                                           const std::string& other_folder) const {
  throw ConfigError(str_cat("language models make no ensemble: give one folder, not ", folder, " and ", other_folder));
}

StringList LanguageTask::Network::save(const std::string& folder) const {
  return {save_options(folder, "config.json", config), save_options(folder, kGenerationFile, generation),
          save_tokenizer(*tokenizer, folder)};
}

LanguageTask::Network LanguageTask::Network::open(const io::ModelFolder& folder) {
  const std::string file = folder.path() + "/config.json";
  Network out;
  read_fields(folder.open("config.json"), fields_of(out.config));
  out.tokenizer = load_tokenizer(folder);
  check_vocabulary(folder, *out.tokenizer, out.config.vocabulary);
  if (folder.has(kGenerationFile)) read_fields(folder.open(kGenerationFile), fields_of(out.generation));
  try {
    out.model = std::make_unique<LanguageModel>(out.config.model, out.config.vocabulary, LanguageModel::kNoInit);
  } catch (const ConfigError& e) {
    throw FormatError(file + ": " + e.what());
  }
  return out;
}

LanguageTask::Network LanguageTask::Network::copy() const {
  Network out{.config = config, .tokenizer = tokenizer, .generation = generation};
  out.model = std::make_unique<LanguageModel>(config.model, config.vocabulary, LanguageModel::kNoInit);
  const auto from = parameters(), to = out.parameters();
  for (size_t k = 0; k < from.size(); ++k) {
    check<ConfigError>(from[k].var.row_scales().empty(),
                       "dynamic.lr: the weights of this model are stored as int8, and cannot go on learning");
    const Tensor& value = from[k].var.value();
    Tensor own(value.shape(), value.dtype());
    std::ranges::copy(value.span<float>(), own.data<float>());
    to[k].var.set_value(std::move(own));
  }
  return out;
}

void LanguageTask::validate(const Recipe& recipe) {
  recipe.decode.validate();
  check<ConfigError>(recipe.tokenizer.joint, "tokenizer.joint = false is for tasks of two texts; there is one here");
  check<ConfigError>(recipe.tokenizer.sampling == 0, "tokenizer.sampling = ", recipe.tokenizer.sampling,
                     ": a language model reads its text as one; its pieces stay as they are");
  check<ConfigError>(recipe.data.table.max_ratio == 0, "data.max_ratio = ", recipe.data.table.max_ratio,
                     " compares two texts; there is one here");
  check_vectors(recipe.vectors, recipe.tokenizer, "vectors");
  // Built small and thrown away: names the options that do not go together before any data is read.
  LanguageModel small(recipe.model, recipe.model.cutoffs.empty() ? data::kSpecials : recipe.tokenizer.size,
                      LanguageModel::kNoInit);
  train::freeze(params_of(small), recipe.train.options.freeze);
}

LanguageTask::Data LanguageTask::open(const Recipe& recipe, const Network& network, Split split,
                                      const std::string& root) {
  const data::Table table = table_of(recipe.data.rows(split, columns(), root), network, recipe.data.table);
  check<FormatError>(table.size() > 0, split == Split::train ? "data.train" : "data.valid",
                     ": no line is left after filtering");
  const bool training = split == Split::train;
  return Data(LanguageText(table), training ? recipe.train.batch : recipe.valid.stretches, recipe.train.bptt,
              training && recipe.train.random_windows);
}

LanguageTask::Network LanguageTask::learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root,
                                          const LogSink& log) {
  std::shared_ptr<data::Tokenizer> tokenizer =
      data::train_tokenizer(recipe.tokenizer, data::column_lines(rows, columns(), {0}, recipe.data.table), log);
  tokenizer = with_words_of(recipe.vectors, std::move(tokenizer), root);
  log(Severity::info, str_cat("tokenizer: ", recipe.tokenizer.kind, ", ", tokenizer->size(), " entries"));
  Network out = make(recipe, std::move(tokenizer));
  start_from_vectors(recipe.vectors, *out.tokenizer, out.model->embeddings(), "model.embedding", root, log);
  return out;
}

LanguageTask::Network LanguageTask::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe,
                                                   const LogSink& log) {
  log(Severity::info, "tokenizer: that of " + folder.path());
  return make(recipe, load_tokenizer(folder));
}

void LanguageTask::learn_from(Network& network, const Recipe&, const Data& data) {
  std::vector<int64_t> counts(static_cast<size_t>(network.tokenizer->size()));
  for (const int32_t id : data.ids()) ++counts[static_cast<size_t>(id)];
  network.model->start_from_frequencies(counts);
}

StringList LanguageTask::test_report(const Recipe& recipe, const std::string& root) {
  if (!recipe.data.has_test()) return {};
  data::RowReader reader(recipe.data.rows(Split::test, columns(), root), columns(), recipe.data.table);
  int64_t lines = 0;
  for (data::RowReader::Row row; reader.next(row);) ++lines;
  return {str_cat("test data: ", lines, " lines")};
}

StringList LanguageTask::example(const Network& network, const Data& data, int64_t k, uint64_t) {
  constexpr int64_t kShown = 30;
  StringList out{"  text:"};
  const LanguageBatch batch = data.batch({k});
  for (int64_t t = 0; t < std::min(kShown, batch.steps()); ++t)
    out.back() += " " + viz::one_line(network.tokenizer->piece(batch.targets[static_cast<size_t>(t * batch.texts)]));
  if (batch.steps() > kShown) out.back() += " ...";
  return out;
}

Loss LanguageTask::loss(const Network& network, const Recipe& recipe, const Batch& batch, Carried& state, double scale,
                        Noise* noise) {
  // Every token counts as much as any other, however long its window is: as in AWD-LSTM, where the learning rate is
  // that of the mean length times the length.
  const double share = static_cast<double>(batch.steps()) / static_cast<double>(recipe.train.bptt);
  const auto loss = network.model->loss(batch, recipe.loss, state, noise ? scale * share : scale, noise);
  if (!std::isfinite(loss.loss_sum)) state = {};
  return {loss.loss,
          {.loss = loss.loss_sum,
           .units = std::ssize(batch.ids),
           .sums = {{"nll", loss.nll_sum}, {"accuracy_token", static_cast<double>(loss.correct)}}}};
}

// Scores by word and by character, of all tokens as of those that were read.
void LanguageTask::score_outputs(const Network&, const Recipe&, const Data& valid, train::Validation& out) {
  const double nats = elementary::log(out.scores.at("ppl")) * static_cast<double>(valid.counts().tokens);
  for (const EvaluationLine& line : language_scores(nats, valid.counts(), "")) out.scores[line.name] = line.value;
}

std::vector<EvaluationLine> language_scores(double nats, const TextCounts& counts, const std::string& signature) {
  metrics::LikelihoodSum sum;
  sum.add(nats, counts.tokens);
  const std::string text = str_cat("tokens:", counts.tokens, "|words:", counts.words, "|lines:", counts.lines,
                                   "|characters:", counts.characters, signature, "|version:", metrics::kVersion);
  return {{"perplexity", metrics::word_perplexity(sum, counts), text},
          {.name = "bits_per_character",
           .value = metrics::bits_per_character(sum, counts),
           .signature = text,
           .digits = 4}};
}

LanguageTask::Options LanguageTask::options(const Network& network, bool int8) {
  Options out;
  out.search = network.generation.search, out.cache = network.generation.cache;
  if (int8) out.precision = "int8";
  return out;
}

void LanguageTask::check_options(Networks, const Options& o, const LogSink& log) {
  o.search.validate();
  check<ConfigError>(o.dynamic.lr == 0 || o.cache.size == 0,
                     "dynamic.lr and cache.size: one or the other; states of weights that change are no cache");
  o.check_precision(log);
}

TaskKind language_model_kind() { return task_kind<LanguageTask>(); }

}  // namespace lookback::tasks
