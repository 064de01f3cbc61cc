// Private to tasks: questions about passages, answered by a stretch of the passage.
#pragma once

#include "lookback/data/answer_spans.h"
#include "lookback/data/extended_vocabulary.h"
#include "lookback/data/table.h"
#include "lookback/models/span_reader.h"
#include "lookback/tasks/answer_recipe.h"
#include "lookback/tasks/common_options.h"
#include "lookback/tasks/evaluation.h"
#include "lookback/tasks/over_cells.h"

namespace lookback::tasks {

struct Answer : OverCells<Answer> {
  static constexpr const char *kName = "answer",
                              *kSummary = "a question about a passage or a story: what in it is the answer",
                              *kUnit = "questions";

  using Recipe = AnswerRecipe;

  // config.json of a model folder.
  struct Config {
    std::string model_type = "lookback-span-reader", task = kName;
    int64_t format = 1;
    int64_t vocabulary = 0;
    PassageWindows windows;
    SpanReaderOptions model;

    void fields(FieldVisitor& v) {
      v("model_type", model_type, "").choices({"lookback-span-reader"});
      v("task", task, "").choices({kName});
      v("format", format, "").range(1, 1);
      v("vocabulary", vocabulary, "").range(1, 1e9);
      v("windows", windows), v("model", model);
    }
  };

  struct Network {
    Config config;
    std::shared_ptr<data::Tokenizer> tokenizer;
    std::shared_ptr<data::ExtendedVocabulary> words;
    std::shared_ptr<data::AnswerSpans> spans;
    std::unique_ptr<SpanReader> model;
    AnswerSearch search;  // generation_config.json

    std::vector<NamedVar> parameters() const { return params_of(*model); }
    bool has_attention() const {
      return config.model.aligned || config.model.flow || config.model.pooling.has_attention();
    }
    StringList kept_from_int8() const { return model->kept_from_int8(); }
    void check_ensemble(const Network& other, const std::string& folder, const std::string& other_folder) const;
    StringList save(const std::string& folder) const;
    static Network open(const io::ModelFolder& folder);
  };

  struct Options final : CommonOptions {
    AnswerSearch search;
    std::string draw = "answer";

    Fields fields() override { return fields_of(*this); }
    void fields(FieldVisitor& v) {
      search.fields(v);
      common_fields(v);
      v("draw", draw,
        "explain: answer, how likely each word of the passage is to be in it; question, what each word of the "
        "passage reads of the question; passage, what the question reads of the passage (model.flow)")
          .choices({"answer", "question", "passage"});
    }
  };

  static StringList columns() { return {"question", "context", "answer"}; }
  static std::vector<data::Column> columns(const Network& n);
  static std::vector<InputField> input_fields() {
    return {{"question", "what is asked"}, {"context", "the passage to answer from"}};
  }
  static std::vector<train::ScoreKind> sums() { return {{"correct", true}}; }
  static StringList metrics(const Network&) { return {"exact_match", "f1"}; }
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
  static void check_options(Networks networks, const Options& options, const LogSink& log);
  static std::vector<Prediction> predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                         TaskModel::Detail detail);
  static viz::Figure explain(Networks networks, const Input& input, const Options& options);
  static std::string steps(Networks, const Input&, const Options&) {
    throw ConfigError("explain: --steps follows a decoder, and a model of task answer has none");
  }
  // A cell of answers for people: their texts, each once.
  static std::string shown_reference(const std::string& cell);
  // References are cells of the data: all answers that are right.
  static std::vector<EvaluationLine> scores(const Network& network, const StringList& names,
                                            const metrics::Lines& hypotheses, const metrics::Lines& references,
                                            int64_t resamples);
  static void finish(Network&, const data::Table&, const LogSink&) {}
  // The sentence of the passage that has most of the question's words, and the most frequent answer of training.
  static std::vector<BaselineScores> baselines(const Recipe& recipe, const data::RowSource& train,
                                               const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                               const LogSink& log);

 private:
  static Network make(const Recipe& recipe, std::shared_ptr<data::Tokenizer> tokenizer);
};

TaskKind answer_kind();

}  // namespace lookback::tasks
