// Private to tasks: pictures into sentences ("Show, attend and tell", Xu et al. 2015).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lookback/data/tokenizer.h"
#include "lookback/decode/hypothesis.h"
#include "lookback/decode/search_options.h"
#include "lookback/io/model_folder.h"
#include "lookback/models/feature_rows.h"
#include "lookback/models/seq2seq.h"
#include "lookback/tasks/common_options.h"
#include "lookback/tasks/evaluation.h"
#include "lookback/tasks/pictures.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/task.h"

namespace lookback::tasks {

// From the places of a picture's grid to tokens.
struct CaptionerOptions : Seq2SeqOptions {
  CaptionerOptions() {
    features = 1;  // until the width is known
    score = "additive", attention = 256, decoder.gate = "beta";
  }
};

struct AugmentPictures {
  int64_t views = 1;

  void fields(FieldVisitor& v) {
    v("views", views,
      "training draws one of so many views of a picture each time: the whole, its mirror image, then its middle and "
      "four "
      "corners of 7/8 of each side, and those mirrored; 1: the whole alone")
        .range(1, 12);
  }
};

// Features of pictures, and the ids of what is said of each: an example is one caption of one picture.
class PictureTable {
 public:
  struct Batch {
    std::vector<int64_t> index;
    FeatureRows rows;
    Sentences targets;
  };
  // Reads all of them, several at once. Pictures that cannot be read and captions that are too long are left out and
  // counted; with data.damaged = "stop" the first picture that cannot be read is a FormatError.
  PictureTable(std::vector<CaptionedPicture> pictures, data::TableReport report, const PictureData& options,
               const Seeing& seeing, const data::Tokenizer& tokenizer, int64_t views);

  int64_t size() const { return std::ssize(examples_); }
  const data::TableReport& report() const { return report_; }
  const data::Ids& target(int64_t k) const { return example(k).target; }
  // The picture of example k.
  const CaptionedPicture& picture_of(int64_t k) const { return pictures_[example(k).picture]; }
  std::vector<int32_t> lengths() const;  // of captions

  Batch batch(std::vector<int64_t> index) const;
  // As training sees them in an epoch: one view of each, by (seed, epoch, example) alone.
  Batch batch(std::vector<int64_t> index, uint64_t seed, int64_t epoch) const;

  const std::vector<CaptionedPicture>& pictures() const { return pictures_; }
  // f32 [places, width]
  Tensor rows(size_t picture, int64_t view = 0) const;

 private:
  struct Example {
    size_t picture;
    data::Ids target;
  };
  const Example& example(int64_t k) const { return examples_.at(static_cast<size_t>(k)); }

  std::vector<CaptionedPicture> pictures_;
  std::vector<Tensor> features_;  // of each, [views, places, width]
  std::vector<Example> examples_;
  data::TableReport report_;
};

struct Caption {
  static constexpr const char *kName = "caption",
                              *kSummary = "pictures into sentences: attention over the places of a picture",
                              *kUnit = "target tokens";

  struct Recipe {
    PictureData data;
    picture::CnnOptions features;
    AugmentPictures augment;
    data::TokenizerOptions tokenizer = {.kind = "word", .size = 20000, .lowercase = true};
    CaptionerOptions model;
    ObjectiveOptions loss;
    TrainGroup train;
    SearchedValid valid{"cider_d"};
    decode::SearchOptions decode;

    Recipe() {
      features.weights = "../squeezenet-cnn/" + features.weights;
      features.network = "../squeezenet-cnn/" + features.network;
      train.batches.batch = valid.batch = 32;
      decode.max_length_factor = 0, decode.max_length_offset = 50, decode.max_length = 50, decode.allow_unk = false;
    }
    void fields(FieldVisitor& v) {
      v("data", data), v("features", features), v("augment", augment), v("tokenizer", tokenizer);
      v("model", model), v("loss", loss), v("train", train), v("valid", valid), v("decode", decode);
    }
  };

  // config.json of a model folder, beside the network that makes features.
  struct Config {
    std::string model_type = "lookback-captioner", task = kName;
    int64_t format = 1;
    int64_t vocabulary = 0, width = 0, grid_height = 0, grid_width = 0;
    std::string features_hash;  // CnnFeatures::key; "" without a network
    picture::CnnOptions features;
    CaptionerOptions model;

    void fields(FieldVisitor& v) {
      v("model_type", model_type, "").choices({"lookback-captioner"});
      v("task", task, "").choices({kName});
      v("format", format, "").range(1, 1);
      v("vocabulary", vocabulary, "").range(1, 1e9);
      v("width", width, "").range(1, 1e6);
      v("grid_height", grid_height, "").range(0, 1e6);
      v("grid_width", grid_width, "").range(0, 1e6);
      v("features_hash", features_hash, "");
      v("features", features);
      v("model", model);
    }
  };

  struct Network {
    Config config;
    std::shared_ptr<data::Tokenizer> tokenizer;
    Seeing seeing;
    std::unique_ptr<Seq2Seq> model;
    decode::SearchOptions search;

    std::vector<NamedVar> parameters() const { return params_of(*model); }
    bool has_attention() const { return config.model.score != "none"; }
    StringList kept_from_int8() const { return model->kept_from_int8(); }
    void check_ensemble(const Network& other, const std::string& folder, const std::string& other_folder) const;
    StringList save(const std::string& folder) const;
    static Network open(const io::ModelFolder& folder);
  };

  struct Options final : CommonOptions {
    decode::SearchOptions search;

    Options() { batch = 32; }
    Fields fields() override { return fields_of(*this); }
    void fields(FieldVisitor& v) {
      search.fields(v);
      common_fields(v);
    }
  };

  using Data = PictureTable;
  using Batch = PictureTable::Batch;
  using Networks = std::span<const Network* const>;

  static std::vector<InputField> input_fields() {
    return {{.name = "image",
             .help = "a picture, JPEG or PNG, or features made elsewhere, .npy or .safetensors",
             .files = {".jpg", ".jpeg", ".png", ".npy", ".safetensors"}},
            {.name = "prefix", .help = "what the caption must begin with", .required = false}};
  }
  static std::string output_name() { return "caption"; }
  static StringList tables() { return {}; }
  static std::vector<train::ScoreKind> sums() { return {{"accuracy_token", true}}; }
  static std::vector<train::ScoreKind> output_scores(const Recipe& recipe) { return scores_of(recipe.valid); }
  static void score_outputs(const Network& network, const Recipe& recipe, const Data& valid, train::Validation& out);
  static StringList free_options() { return {"model.encoder.checkpoint"}; }
  static StringList free_data_options() {
    return {"data.train", "data.valid",   "data.test",        "data.images",
            "data.cache", "features.cnn", "features.network", "valid.batch"};
  }

  static void validate(const Recipe& recipe);
  static void validate_data(const Recipe& recipe) { recipe.data.validate(); }
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
  static EvaluationReport evaluate(Networks networks, const io::ModelFolder& folder, const TaskModel::Evaluation& what,
                                   const Options& options);
  static std::vector<BaselineScores> all_baselines(const Recipe& recipe, const std::string& root, const LogSink& log);
};

// "bleu1" to "bleu4", "rouge_l" and "cider_d".
const StringList& caption_metrics();

struct CaptionJob {
  Tensor rows;            // f32 [places, width]
  data::Ids prefix = {};  // what the caption begins with
  uint64_t key = 0;       // of a sample's draws
};
// Captions of each, best first.
std::vector<std::vector<decode::Hypothesis>> search_captions(Caption::Networks networks,
                                                             std::span<const CaptionJob> jobs,
                                                             const Caption::Options& options);

TaskKind caption_kind();

}  // namespace lookback::tasks
