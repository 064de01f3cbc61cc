// Private to tasks: translation: parallel text, an encoder-decoder with attention, BLEU.
#pragma once

#include "lookback/data/batcher.h"
#include "lookback/tasks/data_options.h"
#include "lookback/tasks/over_cells.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/text_to_text.h"

namespace lookback::tasks {

struct Translate : TextToTextTask, OverCells<Translate> {
  static constexpr const char *kName = "translate",
                              *kSummary = "one sequence of text into another: encoder, attention, decoder";

  struct Recipe {
    DataOptions data;
    data::TokenizerOptions tokenizer;
    SideVectors vectors;
    Seq2SeqOptions model;
    ObjectiveOptions loss;
    TrainGroup train;
    SearchedValid valid{"bleu"};
    decode::SearchOptions decode;
    ShortlistOptions shortlist;

    void fields(FieldVisitor& v) {
      v("data", data), v("tokenizer", tokenizer), v("vectors", vectors), v("model", model), v("loss", loss);
      v("train", train), v("valid", valid), v("decode", decode), v("shortlist", shortlist);
    }
  };

  static void validate(const Recipe& recipe);
  static TextToText learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root,
                          const LogSink& log);
  static TextToText with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log);
  static void learn_from(TextToText& network, const Recipe& recipe, const data::Table& table);
  static Loss loss(const TextToText& network, const Recipe& recipe, data::Batch batch, double scale, Noise* noise) {
    return loss_of(network, recipe.loss, std::move(batch), scale, noise);
  }
  static StringList metrics() { return {"bleu", "chrf", "ter"}; }
  static StringList metrics(const TextToText&) { return metrics(); }
  static StringList free_options() { return {"model.encoder.checkpoint"}; }
  // The source as it is, and each word by its likeliest translation: IBM model 1 (Brown et al. 1993).
  static std::vector<BaselineScores> baselines(const Recipe& recipe, const data::RowSource& train,
                                               const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                               const LogSink& log);
};

TaskKind translate_kind();

}  // namespace lookback::tasks
