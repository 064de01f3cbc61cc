// Private to tasks: questions about passages, answered by a stretch of the passage.
#pragma once

#include "lookback/data/answer_spans.h"
#include "lookback/data/extended_vocabulary.h"
#include "lookback/data/table.h"
#include "lookback/models/span_reader.h"
#include "lookback/tasks/common_options.h"
#include "lookback/tasks/data_options.h"
#include "lookback/tasks/evaluation.h"
#include "lookback/tasks/over_cells.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/vectors.h"

namespace lookback::tasks {

// How a passage is cut where it is long, and what an answer may be.
struct AnswerSearch {
  int64_t longest = 30;
  int64_t n_best = 1;
  double null_threshold = 0;

  void fields(FieldVisitor& v) {
    v("longest", longest, "most tokens of an answer").range(1, 1e6);
    v("n_best", n_best, "answers given for each question, best first; no two of them overlap").range(1, 1000);
    v("null_threshold", null_threshold,
      "model.no_answer: the log-odds of there being no answer, above which none is given")
        .range(-1e3, 1e3);
  }
};
struct PassageWindows {
  int64_t size = 400;
  int64_t stride = 200;

  void fields(FieldVisitor& v) {
    v("size", size, "longer passages are read in windows of so many tokens, in training and in use; 0: whole")
        .range(0, 1e9);
    v("stride", stride, "tokens from the beginning of one window to that of the next").range(1, 1e9);
  }
};

struct Answer : OverCells<Answer> {
  static constexpr const char *kName = "answer", *kSummary = "a question about a passage: what in it is the answer",
                              *kUnit = "questions";

  struct Recipe {
    DataOptions data;
    data::TokenizerOptions tokenizer = {
        .kind = "word", .size = 50'000, .min_count = 2, .lowercase = true, .normalization = "identity"};
    VectorOptions vectors;
    SpanReaderOptions model;
    PassageWindows windows;
    TrainGroup train;
    ValidGroup valid;
    AnswerSearch decode;

    Recipe() { data.table.max_length = 0, train.batches.batch = 32, valid.metric = "f1"; }
    void fields(FieldVisitor& v) {
      v("data", data), v("tokenizer", tokenizer), v("vectors", vectors), v("model", model), v("windows", windows);
      v("train", train), v("valid", valid), v("decode", decode);
    }
  };

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
    bool has_attention() const { return config.model.aligned || config.model.pooling.has_attention(); }
    StringList kept_from_int8() const { return model->kept_from_int8(); }
    void check_ensemble(const Network& other, const std::string& folder, const std::string& other_folder) const;
    StringList save(const std::string& folder) const;
    static Network open(const io::ModelFolder& folder);
  };

  struct Options final : CommonOptions {
    AnswerSearch search;
    std::string show = "answer";

    Fields fields() override { return fields_of(*this); }
    void fields(FieldVisitor& v) {
      search.fields(v);
      common_fields(v);
      v("show", show,
        "explain: answer, how likely each word is to be its first and its last; question, what each word of the "
        "passage "
        "reads of the question")
          .choices({"answer", "question"});
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
