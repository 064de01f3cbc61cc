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
      decode.max_length_factor = 0;  // a reply to one word may be long
    }

    void fields(FieldVisitor& v) {
      v("data", data), v("tokenizer", tokenizer), v("dialogue", dialogue), v("vectors", vectors);
      v("model", model), v("loss", loss), v("train", train), v("valid", valid), v("decode", decode);
    }
  };

  // What predict may be told.
  struct Options final : TextOptions {
    std::string candidates_file;

    Fields fields() override { return fields_of(*this); }
    void fields(FieldVisitor& v) {
      TextOptions::fields(v);
      v("candidates", candidates_file,
        "a file of replies, one a line: the likeliest of them is given, by the score of a search, and none is made up");
    }
  };
  static Options options(const TextToText& network, bool int8) {
    return with_options(TextToTextTask::options(network, int8));
  }
  static Options validation_options(const Recipe& recipe) {
    return with_options(TextToTextTask::validation_options(recipe));
  }
  static void check_options(Networks networks, const Options& options, const LogSink& log);
  static std::vector<Prediction> predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                         TaskModel::Detail detail) {
    return TextToTextTask::predict(networks, inputs, with_candidates(options), detail);
  }
  static viz::Figure explain(Networks networks, const Input& input, const Options& options) {
    return TextToTextTask::explain(networks, input, with_candidates(options));
  }

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
  static EvaluationReport report(Networks networks, const Examples& examples, const Options& options,
                                 int64_t resamples);
  // The reply whose turn before it is likest to the last turn (BM25), and the most frequent one.
  static std::vector<BaselineScores> baselines(const Recipe& recipe, const data::RowSource& train,
                                               const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                               const LogSink& log);

 private:
  static Options with_options(const TextOptions& base) {
    Options out;
    static_cast<TextOptions&>(out) = base;
    return out;
  }
  // The file read. Throws IoError, FormatError.
  static Options with_candidates(Options options);
  enum { kHistory, kSegments, kReply };  // columns
};

TaskKind chat_kind();

}  // namespace lookback::tasks
