// Private to tasks: language models: text, and how likely each of its tokens was, or what may follow it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lookback/decode/search_options.h"
#include "lookback/models/language_session.h"
#include "lookback/tasks/common_options.h"
#include "lookback/tasks/language_text.h"
#include "lookback/tasks/over_cells.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/vectors.h"

namespace lookback::tasks {

// Dynamic evaluation (Mikolov et al. 2010; Krause et al. 2018): the model goes on learning from the text it is scored
// on, of every piece after it was scored.
struct DynamicOptions {
  double lr = 0;
  int64_t steps = 20;
  double decay = 0.002;

  void fields(FieldVisitor& v) {
    v("lr", lr,
      "evaluate: dynamic evaluation (Krause et al. 2018): after each piece of the text the weights take a step of SGD "
      "along it, with this learning rate; 0: they stay")
        .range(0, 100);
    v("steps", steps, "tokens of a piece").range(1, 10000);
    v("decay", decay, "share by which the weights return to those of the model at each step").range(0, 1);
  }
};

struct LanguageTask : OverCells<LanguageTask> {
  static constexpr const char *kName = "language-model",
                              *kSummary = "what comes next: text scored token by token, and prompts completed",
                              *kUnit = "tokens";

  // [train] of a recipe, with what stands for batches of examples.
  struct Train {
    train::TrainOptions options;
    int64_t batch = 20, bptt = 70;
    bool random_windows = true;
    data::BatchOptions batches{.batch = 1, .shuffle = false};  // windows come one by one, in their order; no option

    void fields(FieldVisitor& v) {
      options.fields(v);
      v("batch", batch, "stretches of the text that are read side by side").range(1, 1e6);
      v("bptt", bptt,
        "steps that are read before the weights change; the state goes on, gradients do not (truncated "
        "backpropagation through time)")
          .range(1, 1e6);
      v("random_windows", random_windows,
        "windows end somewhere else in each epoch, up to bptt / 4 away; each token counts as much as any other "
        "(Merity et al. 2018 draw their lengths at random)");
    }
  };
  // [valid]
  struct Valid {
    int64_t stretches = 10, batch = 1;

    void fields(FieldVisitor& v) {
      v("batch", stretches, "stretches of the validation text that are read side by side; evaluate reads it as one")
          .range(1, 1e6);
    }
  };
  struct Recipe {
    DataOptions data;
    data::TokenizerOptions tokenizer;
    VectorOptions vectors;
    LanguageModelOptions model;
    LanguageObjective loss;
    Train train;
    Valid valid;
    decode::SearchOptions decode;
    CacheOptions cache;

    Recipe();
    void fields(FieldVisitor& v) {
      v("data", data), v("tokenizer", tokenizer), v("vectors", vectors), v("model", model), v("loss", loss);
      v("train", train), v("valid", valid), v("decode", decode), v("cache", cache);
    }
  };

  // config.json of a model folder.
  struct Config {
    std::string model_type = "lookback-language-model", task = kName;
    int64_t format = 1;
    int64_t vocabulary = 0;
    LanguageModelOptions model;

    void fields(FieldVisitor& v) {
      v("model_type", model_type, "").choices({"lookback-language-model"});
      v("task", task, "").choices({kName});
      v("format", format, "").range(1, 1);
      v("vocabulary", vocabulary, "").range(1, 1e9);
      v("model", model);
    }
  };

  // generation_config.json: how the model is asked unless told otherwise.
  struct Generation {
    decode::SearchOptions search;
    CacheOptions cache;

    void fields(FieldVisitor& v) { search.fields(v), v("cache", cache); }
  };

  struct Network {
    Config config;
    std::shared_ptr<data::Tokenizer> tokenizer;
    std::unique_ptr<LanguageModel> model;
    Generation generation;

    std::vector<NamedVar> parameters() const { return params_of(*model); }
    bool has_attention() const { return true; }  // there is always something to show
    StringList kept_from_int8() const { return model->kept_from_int8(); }
    void check_ensemble(const Network& other, const std::string& folder, const std::string& other_folder) const;
    StringList save(const std::string& folder) const;
    static Network open(const io::ModelFolder& folder);
    // With weights of its own, that may change.
    Network copy() const;
  };

  struct Options final : CommonOptions {
    decode::SearchOptions search;
    StringList stop_strings;
    bool carry = true;
    std::string show = "surprise";
    CacheOptions cache;
    DynamicOptions dynamic;

    Fields fields() override { return fields_of(*this); }
    void fields(FieldVisitor& v) {
      search.fields(v);
      v("stop_strings", stop_strings,
        "a continuation ends once its text holds one of these, which is then part of it, as it ends at a line's end");
      v("carry", carry, "evaluate: the state is carried from line to line; otherwise each line is read by itself");
      v("show", show,
        "explain: surprise: each token as dark as it was unexpected, in bits; attention: where the first attention "
        "block looked before each token, the mean over its heads; cache: where the cache pointed")
          .choices({"surprise", "attention", "cache"});
      v("cache", cache), v("dynamic", dynamic);
      common_fields(v);
    }
  };

  using Data = LanguageWindows;
  using Batch = LanguageBatch;
  using Carried = LanguageState;
  using Networks = std::span<const Network* const>;

  static StringList columns() { return {"text"}; }
  static std::vector<data::Column> columns(const Network& n) { return {{"text", n.tokenizer.get()}}; }
  static std::vector<InputField> input_fields() {
    return {{"text", "the text to go on from"},
            {.name = "score", .help = "what follows it, to be scored", .required = false, .alone = true}};
  }
  static std::vector<train::ScoreKind> sums() { return {{"accuracy_token", true}}; }
  static std::vector<train::ScoreKind> output_scores(const Recipe&) {
    return {{"perplexity", false}, {"bits_per_character", false}};
  }
  static void score_outputs(const Network&, const Recipe&, const Data& valid, train::Validation& out);
  static StringList free_options() { return {}; }
  static StringList free_data_options() {
    return {"data.train", "data.valid", "data.test", "data.memory_mb", "data.max_bad"};
  }

  static void validate(const Recipe& recipe);
  static Data open(const Recipe& recipe, const Network& network, Split split, const std::string& root);
  static Network learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root, const LogSink& log);
  static Network with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log);
  static void learn_from(Network& network, const Recipe& recipe, const Data& data);
  static StringList test_report(const Recipe& recipe, const std::string& root);
  static std::vector<int32_t> costs(const Data& data) {
    return std::vector<int32_t>(static_cast<size_t>(data.size()), 1);
  }
  static std::vector<std::vector<int32_t>> keys(const Data& data) { return {costs(data)}; }
  static int64_t units(const Batch& batch) { return std::ssize(batch.ids); }
  static StringList example(const Network& network, const Data& data, int64_t k, uint64_t seed);
  static Loss loss(const Network& network, const Recipe& recipe, const Batch& batch, Carried& state, double scale,
                   Noise* noise);
  static void finish(Network&, const Data&, const LogSink&) {}

  static Options options(const Network& network, bool int8);
  static void check_options(Networks networks, const Options& options, const LogSink& log);
  static std::vector<Prediction> predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                         TaskModel::Detail detail);
  static std::unique_ptr<TextStream> stream(Networks networks, const Options& options);
  static viz::Figure explain(Networks networks, const Input& input, const Options& options);
  static std::string steps(Networks networks, const Input& input, const Options& options);
  static EvaluationReport evaluate(Networks networks, const io::ModelFolder& folder, const TaskModel::Evaluation& what,
                                   const Options& options);
  // n-grams with modified Kneser-Ney smoothing, of several orders.
  static std::vector<BaselineScores> baselines(const Recipe& recipe, const data::RowSource& train,
                                               const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                               const LogSink& log);
};

// Perplexity by word and bits per character of a text that had `nats` in all.
std::vector<EvaluationLine> language_scores(double nats, const TextCounts& counts, const std::string& signature);

TaskKind language_model_kind();

}  // namespace lookback::tasks
