// Private to tasks: strings into strings, symbol by symbol: pronunciation, inflection, transliteration, spelling.
#pragma once

#include <map>
#include <utility>

#include "lookback/data/removal.h"
#include "lookback/tasks/data_options.h"
#include "lookback/tasks/over_cells.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/text_to_text.h"

namespace lookback::tasks {

struct Transduce : TextToTextTask, OverCells<Transduce> {
  static constexpr const char *kName = "transduce",
                              *kSummary =
                                  "a string into another, symbol by symbol: pronunciation, inflection, spelling",
                              *kUnit = "target symbols";

  struct DataGroup : DataOptions {
    bool features = false;
    std::string feature_separator = ",", target_remove;

    void fields(FieldVisitor& v) {
      DataOptions::fields(v);
      v("features", features,
        "rows have a third column between source and target: features like pos=V,tense=PST, each a symbol of its own "
        "that the model reads before the source's");
      v("feature_separator", feature_separator, "what stands between the features of a cell");
      v("target_remove", target_remove,
        "a regular expression (ECMAScript, over code points): its matches are taken out of targets, in training and "
        "in scoring; \"[0-9]\" is the stress of ARPAbet");
    }
  };
  // How strings are cut.
  struct TargetGroup {
    std::string kind = "char";
    int64_t min_count = 1;

    void fields(FieldVisitor& v) {
      v("kind", kind, "what a symbol is: char, a code point; word, what stands between spaces")
          .choices({"char", "word"});
      v("min_count", min_count, "symbols that training has less often are unknown").range(1, 1e9);
    }
  };
  struct SourceGroup : TargetGroup {
    bool lowercase = false;
    std::string normalization = "identity";

    void fields(FieldVisitor& v) {
      TargetGroup::fields(v);
      v("lowercase", lowercase, "letters to lower case, in training and in use");
      v("normalization", normalization, "Unicode forms made equal before anything else")
          .choices({"nmt_nfkc", "nfkc", "identity"});
    }
  };
  struct TokenizerGroup {
    SourceGroup source;
    TargetGroup target;

    void fields(FieldVisitor& v) { v("source", source), v("target", target); }
  };
  struct Recipe {
    DataGroup data;
    TokenizerGroup tokenizer;
    Seq2SeqOptions model;
    ObjectiveOptions loss;
    TrainGroup train;
    SearchedValid valid{"word_error_rate"};
    decode::SearchOptions decode;

    void fields(FieldVisitor& v) {
      v("data", data), v("tokenizer", tokenizer), v("model", model), v("loss", loss);
      v("train", train), v("valid", valid), v("decode", decode);
    }
  };

  // Distinct inputs, each with all outputs that are right: rows of one source and features are alternatives.
  struct Sources {
    std::vector<Input> inputs;
    metrics::SegmentReferences references;
  };
  // In the order in which they first appear; matches of `removal` are taken out of references.
  static Sources sources_of(const Examples& examples, const data::Removal& removal);

  using TextToTextTask::columns;
  static StringList columns_of(const Recipe& recipe) { return names(recipe.data.features); }
  static StringList columns_of(const TextToText& network) { return names(network.features != nullptr); }
  static std::vector<data::Column> columns(const TextToText& network);
  using TextToTextTask::input_fields;
  static std::vector<InputField> input_fields(const TextToText& network);

  static std::vector<int32_t> costs(const data::Table& table);
  static std::vector<std::vector<int32_t>> keys(const data::Table& table);
  static int64_t units(const data::Batch& batch);
  static StringList example(const TextToText& network, const data::Table& table, int64_t k, uint64_t seed);

  static void validate(const Recipe& recipe);
  static TextToText learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root,
                          const LogSink& log);
  static TextToText with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log);
  static void learn_from(TextToText&, const Recipe&, const data::Table&) {}
  static Loss loss(const TextToText& network, const Recipe& recipe, data::Batch batch, double scale, Noise* noise);

  static void check_options(Networks networks, const TextOptions& options, const LogSink& log);
  static StringList metrics() { return {"word_error_rate", "symbol_error_rate"}; }
  static StringList free_options() { return {"model.encoder.checkpoint"}; }
  static void score_outputs(const TextToText& network, const Recipe& recipe, const data::Table& valid,
                            train::Validation& out);
  static EvaluationReport report(Networks networks, const Examples& examples, const TextOptions& options,
                                 int64_t resamples);
  // Of symbols as `target_kind` says; what was removed stands in the signature.
  static std::vector<EvaluationLine> scores(const StringList& names, const metrics::Lines& hypotheses,
                                            const metrics::SegmentReferences& references, int64_t resamples,
                                            const std::string& target_kind, const std::string& target_remove);
  // The source as it is; the target of the nearest training pair, or its change of prefix and suffix.
  static std::vector<BaselineScores> baselines(const Recipe& recipe, const data::RowSource& train,
                                               const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                               const LogSink& log);

 private:
  static TextToText make_with(const Recipe& recipe, const TextToText& around);
  static StringList names(bool features) {
    return features ? StringList{"source", "features", "target"} : StringList{"source", "target"};
  }
};

TaskKind transduce_kind();

}  // namespace lookback::tasks
