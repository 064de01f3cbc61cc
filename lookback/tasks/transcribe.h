// Private to tasks: speech into text, by attention, CTC or both.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lookback/data/tokenizer.h"
#include "lookback/decode/hypothesis.h"
#include "lookback/decode/search_options.h"
#include "lookback/io/model_folder.h"
#include "lookback/models/transcriber.h"
#include "lookback/sound/audio_file.h"
#include "lookback/sound/augment.h"
#include "lookback/sound/features.h"
#include "lookback/sound/statistics.h"
#include "lookback/tasks/common_options.h"
#include "lookback/tasks/evaluation.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/recordings.h"
#include "lookback/tasks/speakers.h"
#include "lookback/tasks/task.h"
#include "lookback/tasks/transcribe_fusion.h"

namespace lookback::tasks {

// How a model hears: from samples to rows of features.
struct Hearing {
  std::shared_ptr<const sound::FeatureExtractor> extractor;
  std::shared_ptr<const sound::FeatureStatistics> statistics = {};  // of training; null unless features need them
  std::shared_ptr<const Speakers> speakers = {};                    // likewise, of those who are to be heard

  const sound::FeatureOptions& options() const { return extractor->options(); }
  bool by_speaker() const { return options().normalise == "speaker"; }
  // What a recording is normalised by; FormatError for one of which it is not known who speaks.
  const sound::FeatureStatistics* statistics_of(const std::string& path) const {
    return speakers ? &speakers->of(path) : statistics.get();
  }
};

// Features of recordings, and the ids of what is said in each.
class SoundTable {
 public:
  struct Batch {
    std::vector<int64_t> index;
    FeatureRows rows;
    Sentences targets;
  };
  // Reads all of them, on as many threads as there are. Those that cannot be read, are shorter than a frame or too
  // long, of which nothing or too much is said, are left out and counted; with data.damaged = "stop" the first that
  // cannot be read is a FormatError. `ctc_shortening`: so many rows of features stand behind each row that CTC reads,
  // and texts of more tokens than it then has rows are left out, for CTC cannot write them; 0: there is no CTC.
  SoundTable(std::vector<Recording> recordings, data::TableReport report, const RecordingData& options,
             const Hearing& hearing, const data::Tokenizer& tokenizer, const sound::AugmentOptions& augment,
             int64_t ctc_shortening);

  int64_t size() const { return std::ssize(rows_); }
  const data::TableReport& report() const { return report_; }
  const Recording& recording(int64_t k) const { return recordings_.at(static_cast<size_t>(k)); }
  const Tensor& rows(int64_t k) const { return rows_.at(static_cast<size_t>(k)); }
  const data::Ids& target(int64_t k) const { return targets_.at(static_cast<size_t>(k)); }
  std::vector<int32_t> lengths() const;  // rows of each

  Batch batch(std::vector<int64_t> index) const;
  // As training hears them in an epoch: changed as the options say, by (seed, epoch, recording) alone.
  Batch batch(std::vector<int64_t> index, uint64_t seed, int64_t epoch) const;

 private:
  Hearing hearing_;
  sound::AugmentOptions augment_;
  std::vector<Recording> recordings_;
  std::vector<Tensor> rows_;
  std::vector<data::Ids> targets_;
  data::TableReport report_;
};

struct Transcribe {
  static constexpr const char *kName = "transcribe",
                              *kSummary = "speech into text: attention, CTC or both; streamed, with times",
                              *kUnit = "target tokens";

  struct Recipe {
    RecordingData data;
    sound::FeatureOptions features;
    sound::AugmentOptions augment;
    data::TokenizerOptions tokenizer = {.kind = "char", .size = 1'000'000};
    TranscriberOptions model;
    TranscriberObjective loss;
    TrainGroup train;
    SearchedValid valid{"wer"};
    decode::SearchOptions decode;

    Recipe() {
      train.batches.batch = valid.batch = 16;
      // An output has at most one token for each row of the memory, whatever its length.
      decode.max_length_factor = 1, decode.max_length_offset = 1, decode.max_length = 1000;
    }
    void fields(FieldVisitor& v) {
      v("data", data), v("features", features), v("augment", augment), v("tokenizer", tokenizer);
      v("model", model), v("loss", loss), v("train", train), v("valid", valid), v("decode", decode);
    }
  };

  // config.json of a model folder.
  struct Config {
    std::string model_type = "lookback-transcriber", task = kName;
    int64_t format = 1;
    int64_t vocabulary = 0;
    double ctc = 0.3;
    sound::FeatureOptions features;
    StringList statistics;  // FeatureStatistics::values, where features need them
    TranscriberOptions model;

    void fields(FieldVisitor& v) {
      v("model_type", model_type, "").choices({"lookback-transcriber"});
      v("task", task, "").choices({kName});
      v("format", format, "").range(1, 1);
      v("vocabulary", vocabulary, "").range(1, 1e9);
      v("ctc", ctc, "").range(0, 1);
      v("features", features);
      v("statistics", statistics, "");
      v("model", model);
    }
  };

  struct Network {
    Config config;
    std::shared_ptr<data::Tokenizer> tokenizer;
    Hearing hearing;
    std::unique_ptr<Transcriber> model;
    decode::SearchOptions search;
    std::shared_ptr<FusedModels> language_models = std::make_shared<FusedModels>();  // that it was searched with
    std::shared_ptr<SpeakerLists> speaker_lists = std::make_shared<SpeakerLists>();  // whom it was to hear

    std::vector<NamedVar> parameters() const { return params_of(*model); }
    bool has_attention() const { return config.model.attends(); }
    StringList kept_from_int8() const { return {}; }
    void check_ensemble(const Network& other, const std::string& folder, const std::string& other_folder) const;
    StringList save(const std::string& folder) const;
    static Network open(const io::ModelFolder& folder);
    // Seconds from one row of the memory to the next.
    double seconds_per_row() const;
  };

  struct Options final : CommonOptions {
    decode::SearchOptions search;
    double ctc_weight = 0.3, longest_piece = 30;
    std::string lm;
    double lm_weight = 0.3;
    std::string speakers;
    std::shared_ptr<const Speakers> known_speakers = {};  // no option: those of the recordings, instead of a list

    Options() { batch = 16; }
    Fields fields() override { return fields_of(*this); }
    void fields(FieldVisitor& v) {
      search.fields(v);
      v("ctc_weight", ctc_weight,
        "of a model with both: weight of CTC in the score of an output; attention has what is left to 1. Where CTC has "
        "all of it, beam = 1 writes its best path, which is much faster than search")
          .range(0, 1);
      v("lm", lm,
        "folder of a language model (task language-model) whose tokenizer is of the same kind, for the score of an "
        "output (shallow fusion, Gulcehre et al. 2015): lm_weight times its log-probability is added; characters or "
        "pieces that it does not know are its unknown word");
      v("lm_weight", lm_weight, "lm: its weight; 0: it has no say").range(0, 1000);
      v("speakers", speakers,
        "of a model with features.normalise = 'speaker': a list with the path of each recording, relative to the list, "
        "and who speaks in it, TAB between; a speaker is heard as all of his or her recordings in it are");
      v("longest_piece", longest_piece,
        "recordings of more seconds are cut at silences into pieces of at most so many, and silence is left out; 0: "
        "never")
          .range(0, 1e6);
      common_fields(v);
    }
  };

  using Data = SoundTable;
  using Batch = SoundTable::Batch;
  using Networks = std::span<const Network* const>;

  static std::vector<InputField> input_fields() {
    return {{.name = "audio", .help = "a recording: WAV, FLAC or Ogg", .files = {".wav", ".flac", ".ogg"}}};
  }
  static std::string output_name() { return "text"; }
  static StringList tables() { return {}; }
  static std::vector<train::ScoreKind> sums() { return {{"accuracy_token", true}}; }
  static std::vector<train::ScoreKind> output_scores(const Recipe& recipe) { return scores_of(recipe.valid); }
  static void score_outputs(const Network& network, const Recipe& recipe, const Data& valid, train::Validation& out);
  static StringList free_options() { return {"model.encoder.checkpoint"}; }
  static StringList free_data_options() {
    return {"data.train", "data.valid", "data.test", "data.cache", "valid.batch"};
  }

  static void validate(const Recipe& recipe);
  static void validate_data(const Recipe& recipe);
  static Data open(const Recipe& recipe, const Network& network, Split split, const std::string& root);
  static Network learn_from_files(const Recipe& recipe, const std::string& root, const LogSink& log);
  static Network with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log);
  static void learn_from(Network&, const Recipe&, const Data&) {}
  static void check_test_files(const Recipe& recipe, const std::string& root);
  static StringList test_report(const Recipe& recipe, const std::string& root);
  static StringList data_digests(const Recipe& recipe, const std::string& root);
  static std::vector<int32_t> costs(const Data& data) { return data.lengths(); }
  static std::vector<std::vector<int32_t>> keys(const Data& data) { return {data.lengths()}; }
  static int64_t units(const Batch& batch);
  static StringList example(const Network& network, const Data& data, int64_t k, uint64_t seed);
  static Loss loss(const Network& network, const Recipe& recipe, const Batch& batch, double scale, Noise* noise);
  static void finish(Network&, const Data&, const LogSink&) {}

  static Options options(const Network& network, bool int8);
  static void check_options(Networks networks, const Options& options, const LogSink& log);
  static std::vector<Prediction> predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                         TaskModel::Detail detail);
  static viz::Figure explain(Networks networks, const Input& input, const Options& options);
  static std::string steps(Networks, const Input&, const Options&);
  static void listen(Networks networks, const std::string& file, const Options& options,
                     const std::function<void(std::string_view)>& emit);
  static EvaluationReport evaluate(Networks networks, const io::ModelFolder& folder, const TaskModel::Evaluation& what,
                                   const Options& options);
  static std::vector<BaselineScores> all_baselines(const Recipe& recipe, const std::string& root, const LogSink& log);
};

// A stretch of sound and what the networks make of it, best output first. Rows of weights are over the memory's rows.
struct HeardText {
  std::vector<decode::Hypothesis> outputs;
  // First and last row of the memory for each token of the best output: by CTC's best path, without CTC where the
  // attention is highest.
  std::vector<std::pair<int64_t, int64_t>> rows;
};
// Of sources that may be empty, which have one empty output. Where CTC alone writes the text (ctc_weight = 1) and
// search has one hypothesis and no rule of its own (beam = n_best = 1, no sampling, min_length, no_repeat_ngram or
// repetition_penalty, and unknown words allowed), it is CTC's best path, of several networks that of the mean of their
// log-probabilities: log_prob is that of this path alone, each token with the blanks before it. Otherwise search adds
// up all paths that stand for a text.
std::vector<HeardText> search_rows(Transcribe::Networks networks, std::span<const Tensor* const> sources,
                                   const Transcribe::Options& options, bool with_times);

TaskKind transcribe_kind();

}  // namespace lookback::tasks
