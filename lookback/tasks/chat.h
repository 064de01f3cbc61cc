// Private to tasks: replies to a dialogue, which may repeat what was said and what is known.
#pragma once

#include "lookback/tasks/data_options.h"
#include "lookback/tasks/over_cells.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/text_to_text.h"

namespace lookback::tasks {

struct Chat : TextToTextTask, OverCells<Chat> {
  static constexpr const char *kName = "chat",
                              *kSummary = "replies to a dialogue, from its turns and what is known besides";

  struct DataGroup : DataOptions {
    void fields(FieldVisitor& v) {
      DataOptions::fields(v);
      v("unseen", unseen,
        "layout = 'dialogues': dialogues of valid and test that train has too, but for case and punctuation, are left "
        "out, and counted");
    }
  };
  struct Recipe {
    DataGroup data;
    data::TokenizerOptions tokenizer = {.kind = "word", .size = 50'000, .split = "space"};
    data::DialogueOptions dialogue;
    VectorOptions vectors;
    Seq2SeqOptions model;
    ObjectiveOptions loss;
    TrainGroup train;
    SearchedValid valid{"bleu"};
    decode::SearchOptions decode;
    Recipe() {
      model.segmented = true, model.score = "additive", model.tie = "all";
      data.table.max_length = 0;
    }

    void fields(FieldVisitor& v) {
      v("data", data), v("tokenizer", tokenizer), v("dialogue", dialogue), v("vectors", vectors);
      v("model", model), v("loss", loss), v("train", train), v("valid", valid), v("decode", decode);
    }
  };

  static StringList columns() { return {"history", "knowledge", "reply"}; }
  static std::vector<data::Column> columns(const TextToText& network);
  static std::vector<InputField> input_fields();
  static std::vector<int32_t> costs(const data::Table& table);
  static std::vector<std::vector<int32_t>> keys(const data::Table& table);
  static int64_t units(const data::Batch& batch) { return batch.tokens(kReply) + std::ssize(batch.index); }
  static StringList example(const TextToText& network, const data::Table& table, int64_t k, uint64_t seed);

  static void validate(const Recipe& recipe);
  static TextToText learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root,
                          const LogSink& log);
  static TextToText with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log);
  static void learn_from(TextToText&, const Recipe&, const data::Table&) {}
  static Loss loss(const TextToText& network, const Recipe& recipe, data::Batch batch, double scale, Noise* noise);
  static StringList free_options() { return {"model.encoder.checkpoint"}; }

  // Texts are compared as the tokenizer cuts them.
  static std::vector<EvaluationLine> scores(const TextToText& network, const StringList& names,
                                            const metrics::Lines& hypotheses, const metrics::Lines& references,
                                            int64_t resamples);
  // perplexity, bleu, accuracy by reply and by dialogue, and how varied the replies are. Rows whose history does not go
  // on from the row before begin a dialogue.
  static EvaluationReport report(Networks networks, const Examples& examples, const TextOptions& options,
                                 int64_t resamples);
  // The reply whose turn before it is likest to the last turn (BM25), and the most frequent one.
  static std::vector<BaselineScores> baselines(const Recipe& recipe, const data::RowSource& train,
                                               const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                               const LogSink& log);

 private:
  enum { kHistory, kSegments, kReply };  // columns
};

TaskKind chat_kind();

}  // namespace lookback::tasks
