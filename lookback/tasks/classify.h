// Private to tasks: classification: a text, and one label or any number of them.
#pragma once

#include "lookback/data/labels.h"
#include "lookback/data/spelling.h"
#include "lookback/data/table.h"
#include "lookback/models/classifier.h"
#include "lookback/models/token_evidence.h"
#include "lookback/tasks/common_options.h"
#include "lookback/tasks/data_options.h"
#include "lookback/tasks/evaluation.h"
#include "lookback/tasks/over_cells.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/vectors.h"

namespace lookback::tasks {

struct Classify : OverCells<Classify> {
  static constexpr const char *kName = "classify",
                              *kSummary = "a label for each text, or several: encoder, pooling by attention",
                              *kUnit = "examples";

  struct BesideOptions {
    std::string kind = "none";

    void fields(FieldVisitor& v) {
      v("kind", kind,
        "what is added to the network's logits, by a share that is fitted on the validation part with the temperature: "
        "naive_bayes, how often training's texts of each label have a token and each pair of neighbours; worth it "
        "where texts are few")
          .choices({"none", "naive_bayes"});
    }
  };
  struct Objective : ClassifierObjective {
    StringList class_weights;

    void fields(FieldVisitor& v) {
      ClassifierObjective::fields(v);
      v("class_weights", class_weights,
        "how much an example of each label counts, \"LABEL=2\" (1 for the others), or \"balanced\": the rarer the "
        "more, 1 on average; of several labels what a label that is there counts, beside those that are not");
    }
  };
  struct Recipe {
    DataOptions data;
    data::TokenizerOptions tokenizer = {.kind = "word", .size = 50'000, .min_count = 2};
    VectorOptions vectors;
    data::LabelOptions label;
    BesideOptions beside;
    ClassifierOptions model;
    Objective loss;
    TrainGroup train;
    ValidGroup valid;

    Recipe() { data.table.max_length = 0, train.batches.batch = 32, valid.metric = "accuracy"; }
    void fields(FieldVisitor& v) {
      v("data", data), v("tokenizer", tokenizer), v("vectors", vectors), v("label", label), v("beside", beside);
      v("model", model), v("loss", loss), v("train", train), v("valid", valid);
    }
  };

  // config.json of a model folder.
  struct Config {
    std::string model_type = "lookback-classifier", task = kName;
    int64_t format = 1;
    int64_t vocabulary = 0;
    StringList labels;
    data::LabelOptions label;
    StringList characters;  // those that training has, of a model that reads them
    BesideOptions beside;
    double temperature = 1;
    double share = 0;  // of what stands beside the network
    ClassifierOptions model;

    void fields(FieldVisitor& v) {
      v("model_type", model_type, "").choices({"lookback-classifier"});
      v("task", task, "").choices({kName});
      v("format", format, "").range(1, 1);
      v("vocabulary", vocabulary, "").range(1, 1e9);
      v("labels", labels, "");
      v("label", label);
      v("characters", characters, "");
      v("beside", beside);
      v("temperature", temperature, "").range(1e-3, 1e3);
      v("share", share, "").range(0, 1e3);
      v("model", model);
    }
  };

  struct Network {
    Config config;
    std::shared_ptr<data::Tokenizer> tokenizer;
    std::shared_ptr<data::Labels> labels;
    std::shared_ptr<data::Spelling> spelling;  // null unless the model reads it
    std::optional<TokenEvidence> evidence;     // what stands beside the model, if anything does
    std::unique_ptr<Classifier> model;
    std::vector<double> class_weights;  // in training; see ClassifierObjective

    std::vector<NamedVar> parameters() const { return params_of(*model); }
    bool has_attention() const { return config.model.pooling.has_attention(); }
    StringList kept_from_int8() const { return model->kept_from_int8(); }
    // Texts as the model reads them, from what makes ids of their cells.
    NestedTexts texts(std::vector<data::Ids> tokens, std::vector<data::Ids> spellings) const;
    void check_ensemble(const Network& other, const std::string& folder, const std::string& other_folder) const;
    StringList save(const std::string& folder) const;
    static Network open(const io::ModelFolder& folder);
  };

  struct Options final : CommonOptions {
    Fields fields() override { return fields_of(*this); }
    void fields(FieldVisitor& v) { common_fields(v); }
  };

  static StringList columns() { return {"text", "label"}; }
  static std::vector<data::Column> columns(const Network& n);
  static std::vector<InputField> input_fields() { return {{"text", "the text to be labelled"}}; }
  static std::vector<train::ScoreKind> sums() { return {{"correct", true}}; }
  static StringList metrics(const Network& n) { return metrics(n.config.label); }
  static StringList metrics(const data::LabelOptions& label) {
    return label.several ? StringList{"accuracy", "macro_f1", "micro_f1"} : StringList{"accuracy", "macro_f1", "mcc"};
  }
  static StringList free_options() { return {}; }

  static void validate(const Recipe& recipe);
  static Network learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root, const LogSink& log);
  static Network with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log);
  static void learn_from(Network& network, const Recipe& recipe, const data::Table& table);
  static std::vector<int32_t> costs(const data::Table& table) { return table.lengths(0); }
  static std::vector<std::vector<int32_t>> keys(const data::Table& table) { return {table.lengths(0)}; }
  static int64_t units(const data::Batch& batch) { return std::ssize(batch.index); }
  static StringList example(const Network& network, const data::Table& table, int64_t k, uint64_t seed);
  static Loss loss(const Network& network, const Recipe& recipe, data::Batch batch, double scale, Noise* noise);

  using Networks = std::span<const Network* const>;
  static Options options(const Network&, bool int8) {
    Options out;
    if (int8) out.precision = "int8";
    return out;
  }
  static Options validation_options(const Recipe& recipe);
  static void check_options(Networks networks, const Options& options, const LogSink& log);
  static std::vector<Prediction> predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                         TaskModel::Detail detail);
  static viz::Figure explain(Networks networks, const Input& input, const Options& options);
  static std::string steps(Networks networks, const Input& input, const Options& options);
  // Of references in the words of the data.
  static std::vector<EvaluationLine> scores(const Network& network, const StringList& names,
                                            const metrics::Lines& hypotheses, metrics::Lines references,
                                            int64_t resamples);
  static StringList tables() { return {"label"}; }
  static EvaluationReport report(Networks networks, const Examples& examples, const Options& options,
                                 int64_t resamples);
  // The temperature of the probabilities, and the share of what stands beside the network.
  static void finish(Network& network, const data::Table& valid, const LogSink& log);
  // The most frequent label, naive Bayes and logistic regression over words and pairs of neighbours.
  static std::vector<BaselineScores> baselines(const Recipe& recipe, const data::RowSource& train,
                                               const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                               const LogSink& log);
};

TaskKind classify_kind();

}  // namespace lookback::tasks
