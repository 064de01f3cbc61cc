// Private to tasks: summarisation: a text into a shorter one that may repeat its words.
#pragma once

#include "lookback/tasks/data_options.h"
#include "lookback/tasks/over_cells.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/text_to_text.h"

namespace lookback::tasks {

struct Summarise : TextToTextTask, OverCells<Summarise> {
  static constexpr const char *kName = "summarise",
                              *kSummary = "a text into a shorter one: subjects, headlines, summaries";

  struct TokenizerGroup : data::TokenizerOptions {
    int64_t source_limit = 400;
    TokenizerGroup() { kind = "word", size = 20000, lowercase = true; }

    void fields(auto& v) {
      data::TokenizerOptions::fields(v);
      v("source_limit", source_limit,
        "source tokens that are read, in training and in use; what stands behind them is passed over, which is said; "
        "0: all")
          .range(0, 1e9);
    }
  };
  struct Recipe {
    DataOptions data;
    TokenizerGroup tokenizer;
    SideVectors vectors;
    Seq2SeqOptions model;
    ObjectiveOptions loss;
    TrainGroup train;
    SearchedValid valid{"rougel"};
    decode::SearchOptions decode;
    Recipe() {
      model.copy = true, model.score = "additive";
      data.table.max_length = 0;  // source_limit bounds what is read
    }

    void fields(FieldVisitor& v) {
      v("data", data), v("tokenizer", tokenizer), v("vectors", vectors), v("model", model), v("loss", loss);
      v("train", train), v("valid", valid), v("decode", decode);
    }
  };

  static void validate(const Recipe& recipe);
  static TextToText learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root,
                          const LogSink& log);
  static TextToText with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log);
  static void learn_from(TextToText&, const Recipe&, const data::Table&) {}
  static Loss loss(const TextToText& network, const Recipe& recipe, data::Batch batch, double scale, Noise* noise) {
    return loss_of(network, recipe.loss, std::move(batch), scale, noise);
  }
  static StringList metrics() { return {"rouge1", "rouge2", "rougel"}; }
  static StringList metrics(const TextToText&) { return metrics(); }
  // ROUGE, and how many trigrams a summary says again.
  static std::vector<EvaluationLine> scores(const TextToText&, const StringList& names,
                                            const metrics::Lines& hypotheses, const metrics::Lines& references,
                                            int64_t resamples);
  static StringList free_options() { return {"model.encoder.checkpoint"}; }
  // The first words, as many as summaries of training have on the mean, and the first sentence.
  static std::vector<BaselineScores> baselines(const Recipe& recipe, const data::RowSource& train,
                                               const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                               const LogSink& log);
};

TaskKind summarise_kind();

}  // namespace lookback::tasks
