// Private to tasks: questions about stories, each answered by one of the answers that training has.
#pragma once

#include "lookback/data/labels.h"
#include "lookback/data/stories.h"
#include "lookback/data/table.h"
#include "lookback/models/story_reader.h"
#include "lookback/tasks/answer_recipe.h"
#include "lookback/tasks/common_options.h"
#include "lookback/tasks/evaluation.h"
#include "lookback/tasks/over_cells.h"

namespace lookback::tasks {

struct AnswerStory : OverCells<AnswerStory> {
  static constexpr const char *kName = "answer", *kSummary = "a question about a story", *kUnit = "questions",
                              *kModelType = "lookback-story-reader";
  using Recipe = AnswerRecipe;

  struct Search {
    int64_t n_best = 1;
    void fields(FieldVisitor& v) {
      v("n_best", n_best, "answers given for each question, the likeliest first").range(1, 1000);
    }
  };

  // config.json of a model folder.
  struct Config {
    std::string model_type = kModelType, task = kName;
    int64_t format = 1;
    int64_t vocabulary = 0;
    StringList answers;
    StoryReaderOptions model;

    void fields(FieldVisitor& v) {
      v("model_type", model_type, "").choices({kModelType});
      v("task", task, "").choices({kName});
      v("format", format, "").range(1, 1);
      v("vocabulary", vocabulary, "").range(1, 1e9);
      v("answers", answers, "");
      v("model", model);
    }
  };

  struct Network {
    Config config;
    std::shared_ptr<data::Tokenizer> tokenizer;
    std::shared_ptr<data::StoryTokens> stories;
    std::shared_ptr<data::Labels> answers;
    std::unique_ptr<StoryReader> model;
    Search search;  // generation_config.json

    std::vector<NamedVar> parameters() const { return params_of(*model); }
    bool has_attention() const { return true; }
    StringList kept_from_int8() const { return model->kept_from_int8(); }
    void check_ensemble(const Network& other, const std::string& folder, const std::string& other_folder) const;
    StringList save(const std::string& folder) const;
    static Network open(const io::ModelFolder& folder);
  };

  struct Options final : CommonOptions {
    Search search;

    Fields fields() override { return fields_of(*this); }
    void fields(FieldVisitor& v) { search.fields(v), common_fields(v); }
  };

  static StringList columns() { return {"question", "story", "answer"}; }
  static std::vector<data::Column> columns(const Network& n);
  static std::vector<InputField> input_fields() {
    return {{"question", "what is asked"}, {"story", "its sentences, with line feeds between"}};
  }
  static std::vector<train::ScoreKind> sums() { return {{"correct", true}}; }
  static StringList metrics(const Network&) { return {"accuracy"}; }
  static StringList free_options() { return {}; }

  static void validate(const Recipe& recipe);
  static Network learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root, const LogSink& log);
  static Network with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log);
  static void learn_from(Network&, const Recipe&, const data::Table&) {}
  static std::vector<int32_t> costs(const data::Table& table) { return table.lengths(1); }
  static std::vector<std::vector<int32_t>> keys(const data::Table& table) { return {table.lengths(1)}; }
  static int64_t units(const data::Batch& batch) { return std::ssize(batch.index); }
  static StringList example(const Network& network, const data::Table& table, int64_t k, uint64_t seed);
  static Loss loss(const Network& network, const Recipe& recipe, data::Batch batch, double scale, Noise* noise);

  using Networks = std::span<const Network* const>;
  static Options options(const Network& network, bool int8);
  static Options validation_options(const Recipe& recipe);
  static void check_options(Networks, const Options& options, const LogSink& log) { options.check_precision(log); }
  static std::vector<Prediction> predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                         TaskModel::Detail detail);
  // A row for each hop: what it looked at of the sentences.
  static viz::Figure explain(Networks networks, const Input& input, const Options& options);
  static std::string steps(Networks, const Input&, const Options&) {
    throw ConfigError("explain: --steps follows a decoder, and a model of task answer has none");
  }
  static std::vector<EvaluationLine> scores(const Network&, const StringList& names, const metrics::Lines& hypotheses,
                                            const metrics::Lines& references, int64_t resamples) {
    return scored(names, hypotheses, references, resamples);
  }
  static void finish(Network&, const data::Table&, const LogSink&) {}
  // The most frequent answer of training, and the most frequent one to the same question.
  static std::vector<BaselineScores> baselines(const Recipe& recipe, const data::RowSource& train,
                                               const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                               const LogSink& log);
};

}  // namespace lookback::tasks
