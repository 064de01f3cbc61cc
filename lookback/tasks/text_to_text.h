// Private to tasks: text into text: an encoder-decoder with attention, its tokenizers, and its folder. What a task with
// such a model has in common with every other one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lookback/data/dialogue_source.h"
#include "lookback/data/extended_vocabulary.h"
#include "lookback/data/feature_tokenizer.h"
#include "lookback/data/first_tokens.h"
#include "lookback/data/spelling.h"
#include "lookback/data/table.h"
#include "lookback/decode/search_options.h"
#include "lookback/io/model_folder.h"
#include "lookback/models/seq2seq.h"
#include "lookback/tasks/common_options.h"
#include "lookback/tasks/evaluation.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/shortlist.h"
#include "lookback/tasks/task.h"
#include "lookback/tasks/vectors.h"

namespace lookback::tasks {

// The tokenizers of both sides; one object when they share a vocabulary.
struct Tokenizers {
  std::shared_ptr<data::Tokenizer> source, target;

  bool joint() const { return source == target; }
  Seq2Seq::Vocabularies vocabularies() const { return {source->size(), target->size()}; }
  // Of a table of pairs: "source" and "target".
  std::vector<data::Column> columns() const { return {{"source", source.get()}, {"target", target.get()}}; }
  // spm.model or tokenizer.json in the folder; in source/ and target/ below it when they differ. Returns their names.
  StringList save(const std::string& folder) const;
  // Learnt from the rows of a table of pairs, one for each side or, with options.joint, one for both.
  static Tokenizers learn(const data::TokenizerOptions& options, const data::RowSource& rows,
                          const data::TableOptions& table, const LogSink& log);
  // Throws FormatError, also if the folder has both kinds of file, and IoError.
  static Tokenizers load(const io::ModelFolder& folder, bool joint);
};

// config.json of a model folder.
struct TextToTextConfig {
  std::string model_type = "lookback-seq2seq";
  std::string task;
  int64_t format = 1;
  bool joint = true;
  int64_t source_vocabulary = 0, target_vocabulary = 0;
  StringList characters;  // those that sources of training have, of a model that reads them
  StringList features;    // those that training has, of a model that reads them
  std::string feature_separator = ",";
  std::string target_remove;       // a regular expression: what of targets is no part of them
  int64_t source_limit = 0;        // so many tokens of a source are read; 0: all
  data::DialogueOptions dialogue;  // where sources are dialogues (model.segmented)
  Seq2SeqOptions model;

  void fields(FieldVisitor& v) {
    v("model_type", model_type, "").choices({"lookback-seq2seq"});
    v("task", task, "");
    v("format", format, "").range(1, 1);
    v("joint", joint, "");
    v("source_vocabulary", source_vocabulary, "").range(1, 1e9);
    v("target_vocabulary", target_vocabulary, "").range(1, 1e9);
    v("characters", characters, "");
    v("features", features, "");
    v("feature_separator", feature_separator, "");
    v("target_remove", target_remove, "");
    v("source_limit", source_limit, "").range(0, 1e9);
    if (model.segmented) v("dialogue", dialogue);
    v("model", model);
  }
};

// What predict may be told.
struct TextOptions : CommonOptions {
  decode::SearchOptions search;
  StringList candidates = {};  // outputs to choose the best of, instead of searching; none: search. No option itself
  bool replace_unk = false;
  std::string ensemble = "probability";
  int64_t shortlist = 0;

  Fields fields() override { return fields_of(*this); }
  void fields(FieldVisitor& v) {
    search.fields(v);
    common_fields(v);
    v("replace_unk", replace_unk, "write the source word that an unknown word looked at in its place");
    v("ensemble", ensemble, "how several models are averaged: mean of probabilities, or of log-probabilities")
        .choices({"probability", "log_probability"});
    v("shortlist", shortlist,
      "outputs hold only the so many likeliest target tokens of each source token and the most frequent ones: faster, "
      "and now and then another output; needs a model trained with shortlist.per_token; 0: the whole vocabulary")
        .range(0, 1000);
  }
};

// A model with everything that prediction needs.
struct TextToText {
  TextToTextConfig config;
  Tokenizers tokenizers;
  std::shared_ptr<data::Spelling> spelling;            // of sources; null unless the model reads it
  std::shared_ptr<data::FeatureTokenizer> features;    // tokenizers.source; null unless the model reads features
  std::shared_ptr<data::FirstTokens> first_tokens;     // of sources; null unless their length is limited
  std::shared_ptr<data::ExtendedVocabulary> extended;  // null unless outputs copy
  std::shared_ptr<data::DialogueSource> dialogue;      // null unless sources are dialogues, as are
  std::shared_ptr<data::DialogueForms> dialogue_forms;
  std::unique_ptr<Seq2Seq> model;
  decode::SearchOptions search;  // generation_config.json: how it is asked unless told otherwise
  std::optional<Shortlist> shortlist;

  std::vector<NamedVar> parameters() const { return params_of(*model); }
  // Tables whose rows are added to something as they are, and not only multiplied with weights (which would round them
  // to the same int8): not stored as int8, so that predictions stay those of the trained model in int8.
  StringList kept_from_int8() const { return model->kept_from_int8(); }
  // Sets what config says of features and targets around the tokenizers, which are those of its files. Throws
  // FormatError for what cannot be; `file` is where it stands.
  void wrap_tokenizers(const std::string& file);
  // Sets first_tokens, `extended` and `dialogue` where config wants them. Throws ConfigError for tokenizers that do not
  // go with it.
  void wrap_sources();
  bool has_attention() const {
    return config.model.score != "none" || (config.model.segmented && config.model.turns.score != "none");
  }
  // Throws FormatError for models that make no ensemble.
  void check_ensemble(const TextToText& other, const std::string& folder, const std::string& other_folder) const;
  // Everything but the weights. Returns the names of the files.
  StringList save(const std::string& folder) const;
  // The same read back, with a model that waits for its weights. Throws FormatError and IoError.
  static TextToText open(const io::ModelFolder& folder);
};

// Word vectors for either side.
struct SideVectors {
  VectorOptions source, target;

  void fields(FieldVisitor& v) { v("source", source), v("target", target); }
  bool any() const { return !source.file.empty() || !target.file.empty(); }
};

// What tasks share that have such a model: the static functions that task_definition.h asks for.
struct TextToTextTask {
  using Network = TextToText;
  using Options = TextOptions;
  static constexpr const char* kUnit = "target tokens";

  static StringList columns() { return {"source", "target"}; }
  static std::vector<data::Column> columns(const TextToText& network);
  static std::vector<InputField> input_fields();
  static std::vector<train::ScoreKind> sums() { return {{"accuracy_token", true}}; }

  // What a batch costs, of which `target` is the column of outputs, and what examples are sorted by.
  static std::vector<int32_t> costs(const data::Table& table, size_t target = 1);
  static std::vector<std::vector<int32_t>> keys(const data::Table& table);
  static int64_t units(const data::Batch& batch) { return batch.tokens(1) + std::ssize(batch.index); }
  // Example k as the model sees it; `names` are those of the table's columns of files.
  static StringList example(const TextToText& network, const data::Table& table, int64_t k, uint64_t seed,
                            const StringList& names = columns());

  using Networks = std::span<const TextToText* const>;
  static TextOptions options(const TextToText& network, bool int8);
  static TextOptions validation_options(const auto& recipe) {
    TextOptions out;
    out.search = recipe.decode, out.batch = recipe.valid.batch, out.precision = recipe.train.options.precision;
    out.search.beam = recipe.valid.beam, out.search.n_best = 1, out.search.sample = false;
    return out;
  }
  static void check_options(Networks networks, const TextOptions& options, const LogSink& log);
  static std::vector<Prediction> predict(Networks networks, std::span<const Input> inputs, const TextOptions& options,
                                         TaskModel::Detail detail);
  static viz::Figure explain(Networks networks, const Input& input, const TextOptions& options);
  static std::string steps(Networks networks, const Input& input, const TextOptions& options);

  static std::vector<EvaluationLine> scores(const TextToText&, const StringList& names,
                                            const metrics::Lines& hypotheses, const metrics::Lines& references,
                                            int64_t resamples) {
    return scored(names, hypotheses, references, resamples);
  }
  static void finish(TextToText&, const data::Table&, const LogSink&) {}

 protected:
  // Of a network whose outputs copy: the target's column then reads the source too, and one more says what sources are
  // in outputs.
  static void add_copies(const TextToText& network, std::vector<data::Column>& columns);
  struct Assets {
    Tokenizers tokenizers;
    std::shared_ptr<data::Spelling> spelling;
    int64_t source_limit = 0;
    data::DialogueOptions dialogue = {};
  };
  // Fresh parameters for these.
  static TextToText make(const char* task, const Seq2SeqOptions& model, const decode::SearchOptions& search,
                         const data::TokenizerOptions& tokenizer, Assets assets, uint64_t seed);
  // What is there of a folder. Throws ConfigError if it is not as the recipe wants it.
  static Assets assets_of(const io::ModelFolder& folder, const Seq2SeqOptions& model,
                          const data::TokenizerOptions& options, const LogSink& log);
  // Learnt from rows; `vectors` may add words.
  static Assets learn_assets(const Seq2SeqOptions& model, const data::TokenizerOptions& options,
                             const SideVectors& vectors, const data::RowSource& rows, const data::TableOptions& table,
                             const std::string& root, const LogSink& log);
  // Throws ConfigError for what does not go together.
  static void check_network(const Seq2SeqOptions& model, const ObjectiveOptions& loss, const StringList& freeze);
  static void check_words(const Seq2SeqOptions& model, const data::TokenizerOptions& options,
                          const SideVectors& vectors);
  static void start_from(const SideVectors& vectors, const TextToText& network, const std::string& root,
                         const LogSink& log);
  static Loss loss_of(const TextToText& network, const ObjectiveOptions& objective, data::Batch batch, double scale,
                      Noise* noise, Segments segments = {});
};

}  // namespace lookback::tasks
