// Private to tasks: sequence labelling: a tag for each token of a text, or for each text of a sequence.
#pragma once

#include <functional>

#include "lookback/data/restore.h"
#include "lookback/data/spelling.h"
#include "lookback/data/table.h"
#include "lookback/data/tag_cells.h"
#include "lookback/models/labeller.h"
#include "lookback/tasks/common_options.h"
#include "lookback/tasks/data_options.h"
#include "lookback/tasks/evaluation.h"
#include "lookback/tasks/known_members.h"
#include "lookback/tasks/over_cells.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/vectors.h"

namespace lookback::tasks {

struct Label : OverCells<Label> {
  static constexpr const char *kName = "label",
                              *kSummary = "a tag for each word, or for each turn of a dialogue: encoder, CRF",
                              *kUnit = "tags";

  struct DataGroup : DataOptions {
    void fields(FieldVisitor& v) {
      DataOptions::fields(v);
      v("unseen", unseen,
        "layout = 'restore' or 'turns': dialogues (lines) of valid and test that train has too, but for case and "
        "punctuation, are left out, and counted");
    }
  };
  struct Recipe {
    DataGroup data;
    data::TokenizerOptions tokenizer = {.kind = "word", .size = 50'000, .split = "space"};
    VectorOptions vectors;
    LabellerOptions model;
    LabellerObjective loss;
    TrainGroup train;
    ValidGroup valid;

    Recipe() { data.table.max_length = 0, train.batches.batch = 32, valid.metric = "accuracy"; }
    void fields(FieldVisitor& v) {
      v("data", data), v("tokenizer", tokenizer), v("vectors", vectors), v("model", model), v("loss", loss);
      v("train", train), v("valid", valid);
    }
  };

  // config.json of a model folder.
  struct Config {
    std::string model_type = "lookback-labeller", task = kName;
    int64_t format = 1;
    int64_t vocabulary = 0;
    StringList tags;
    StringList characters;     // those that training has, of a model that reads them
    bool restore = false;      // tags are case and punctuation
    StringList mixed_case;     // of such a model: words whose case is none of the others
    int64_t token_column = 0;  // of columns it learnt from, from 1; 0: it learnt from something else
    LabellerOptions model;

    void fields(FieldVisitor& v) {
      v("model_type", model_type, "").choices({"lookback-labeller"});
      v("task", task, "").choices({kName});
      v("format", format, "").range(1, 1);
      v("vocabulary", vocabulary, "").range(1, 1e9);
      v("tags", tags, "");
      v("characters", characters, "");
      v("restore", restore, "");
      v("mixed_case", mixed_case, "");
      v("token_column", token_column, "").range(0, 1e9);
      v("model", model);
    }
  };

  struct Network {
    Config config;
    std::shared_ptr<data::Tokenizer> tokenizer;
    std::shared_ptr<data::TagSet> tags;
    std::shared_ptr<data::Spelling> spelling;  // null unless the model reads it
    data::MixedCase mixed_case;
    std::unique_ptr<Labeller> model;
    // What makes ids of cells of members, of their spelling and of tags.
    std::shared_ptr<data::MemberCells> members, spellings;
    std::shared_ptr<data::TagCells> tag_cells;
    std::shared_ptr<KnownMembers> known;  // of members and spellings

    std::vector<NamedVar> parameters() const { return params_of(*model); }
    bool has_attention() const { return true; }  // what explain shows are tags and their probabilities
    StringList kept_from_int8() const { return model->kept_from_int8(); }
    data::SequenceUnit unit() const {
      return config.model.of_texts() ? data::SequenceUnit::text : data::SequenceUnit::token;
    }
    // Cells' ids as the model reads them.
    NestedTexts texts(std::vector<data::Ids> members, std::vector<data::Ids> spellings) const;
    // The members of an input, each of which has a tag.
    StringList members_of(const std::string& text) const;
    void check_ensemble(const Network& other, const std::string& folder, const std::string& other_folder) const;
    StringList save(const std::string& folder) const;
    static Network open(const io::ModelFolder& folder);
  };

  struct Options final : CommonOptions {
    Fields fields() override { return fields_of(*this); }
    void fields(FieldVisitor& v) { common_fields(v); }
  };

  static StringList columns() { return {"tokens", "tags"}; }
  static StringList columns_of(const Recipe& recipe) { return columns_of(recipe.model); }
  static StringList columns_of(const Network& network) { return columns_of(network.config.model); }
  static StringList columns_of(const LabellerOptions& model) { return {model.of_texts() ? "texts" : "tokens", "tags"}; }
  static std::vector<data::Column> columns(const Network& n);
  static std::vector<InputField> input_fields() {
    return {{"tokens", "the text, its tokens with white space between"}};
  }
  static std::vector<InputField> input_fields(const Network& network);
  static std::vector<train::ScoreKind> sums() { return {{"correct", true}}; }
  static StringList metrics(const Network& n);
  static StringList free_options() { return {}; }

  static void validate(const Recipe& recipe);
  static Network learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root, const LogSink& log);
  static Network with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log);
  static void learn_from(Network&, const Recipe&, const data::Table&) {}
  static std::vector<int32_t> costs(const data::Table& table) { return table.lengths(0); }
  static std::vector<std::vector<int32_t>> keys(const data::Table& table) { return {table.lengths(0)}; }
  static int64_t units(const data::Batch& batch) { return batch.tokens(1); }
  static StringList example(const Network& network, const data::Table& table, int64_t k, uint64_t seed);
  static Loss loss(const Network& network, const Recipe& recipe, data::Batch batch, double scale, Noise* noise);

  using Networks = std::span<const Network* const>;
  static Options options(const Network&, bool int8) {
    Options out;
    if (int8) out.precision = "int8";
    return out;
  }
  static Options validation_options(const Recipe& recipe);
  static void score_outputs(const Network& network, const Recipe& recipe, const data::Table& valid,
                            train::Validation& out);
  static void check_options(Networks networks, const Options& options, const LogSink& log);
  static std::vector<Prediction> predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                         TaskModel::Detail detail);
  static void predict_columns(Networks networks, LineReader& file, const ColumnsInput& what, const Options& options,
                              const std::function<void(std::string_view)>& emit);
  static viz::Figure explain(Networks networks, const Input& input, const Options& options);
  static std::string steps(Networks networks, const Input& input, const Options& options);
  // Of lines of tags with a blank between.
  static std::vector<EvaluationLine> scores(const StringList& names, const metrics::Lines& hypotheses,
                                            const metrics::Lines& references, int64_t resamples);
  static StringList tables() { return {"type"}; }
  static EvaluationReport report(Networks networks, const Examples& examples, const Options& options,
                                 int64_t resamples);
  static void finish(Network&, const data::Table&, const LogSink&) {}
  // The most frequent tag of each word, and logistic regression over a word, its shape and its neighbours.
  static std::vector<BaselineScores> baselines(const Recipe& recipe, const data::RowSource& train,
                                               const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                               const LogSink& log);
};

TaskKind label_kind();

// What metrics tags of this kind are scored by, the one that matters most first.
StringList tag_metrics(const StringList& tags, bool restore);
// A cell of tags as a line with a blank between.
std::string tags_as_line(const std::string& cell);

}  // namespace lookback::tasks
