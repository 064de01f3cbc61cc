#include "lookback/tasks/caption.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "lookback/base/sha256.h"
#include "lookback/io/posix_file.h"
#include "lookback/tasks/task_definition.h"
#include "lookback/train/parameters.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

namespace fs = std::filesystem;

// Numbers of random streams: one for each place that draws.
constexpr uint64_t kViewStream = 0x70696374757265;
constexpr int64_t kMostBytes = int64_t{1} << 31;  // of a network's file

// The options of a network in a model folder.
picture::CnnOptions in_folder(picture::CnnOptions options, const std::string& place) {
  if (options.weights.empty()) {
    options.network = "";
    return options;
  }
  options.network = options.is_onnx() ? "" : place + "cnn.prototxt";
  options.weights = place + (options.is_onnx() ? "cnn.onnx" : "cnn.caffemodel");
  return options;
}

// What of `shape` is not known without a network, from the first features that can be read.
picture::FeatureShape shape_of_first(const std::vector<CaptionedPicture>& pictures, const Seeing& seeing) {
  for (const CaptionedPicture& p : pictures) {
    try {
      const Tensor one = seeing.features(p.path);
      const int64_t side = std::lround(std::sqrt(static_cast<double>(one.dim(1))));
      if (side * side == one.dim(1)) return {side, side, one.dim(2)};
      return {1, one.dim(1), one.dim(2)};
    } catch (const FormatError&) {  // told of when they are read
    } catch (const IoError&) {
    }
  }
  throw FormatError("data.train: no picture has features: of the first, " +
                    (pictures.empty() ? "there is none" : pictures[0].path));
}

Caption::Network make(const Caption::Recipe& recipe, std::shared_ptr<data::Tokenizer> tokenizer, Seeing seeing) {
  tokenizer->set_sampling(recipe.tokenizer.sampling);
  Caption::Network out{.config = {.vocabulary = tokenizer->size(),
                                  .width = seeing.shape.width,
                                  .grid_height = seeing.shape.grid_height,
                                  .grid_width = seeing.shape.grid_width,
                                  .features_hash = seeing.cnn ? seeing.cnn->key() : "",
                                  .features = in_folder(recipe.features, ""),
                                  .model = recipe.model},
                       .tokenizer = std::move(tokenizer),
                       .seeing = std::move(seeing),
                       .model = nullptr,
                       .search = recipe.decode};
  CaptionerOptions model = recipe.model;
  model.features = out.config.width;
  out.model = std::make_unique<Seq2Seq>(model, Seq2Seq::Vocabularies{0, out.config.vocabulary}, seed_of(recipe.train));
  return out;
}

std::vector<CaptionedPicture> pictures_of(const Caption::Recipe& recipe, Split split, const std::string& root) {
  data::TableReport report;
  return recipe.data.part(split, root, report);
}

data::LineSource captions_of(const std::vector<CaptionedPicture>& pictures) {
  auto rest = std::make_shared<StringList>();
  for (const CaptionedPicture& p : pictures) rest->insert(rest->end(), p.captions.begin(), p.captions.end());
  return [rest, at = size_t{0}](std::string& line) mutable {
    if (at == rest->size()) return false;
    line = (*rest)[at++];
    return true;
  };
}

}  // namespace

PictureTable::PictureTable(std::vector<CaptionedPicture> pictures, data::TableReport report, const PictureData& options,
                           const Seeing& seeing, const data::Tokenizer& tokenizer, int64_t views)
    : report_(std::move(report)) {
  std::vector<Seeing::Seen> read(pictures.size(), {Tensor::zeros({1, 1, seeing.shape.width}), ""});
  if (options.pictures == "files") {
    StringList paths;
    for (const CaptionedPicture& p : pictures) paths.push_back(p.path);
    read = seeing.features_of_all(paths, views, options.cache);
  }
  int64_t places = 0, tokens = 0;
  for (size_t k = 0; k < pictures.size(); ++k) {
    CaptionedPicture& picture = pictures[k];
    if (!read[k].problem.empty()) {
      check<FormatError>(options.damaged == "skip", picture.where, ": ", read[k].problem);
      for (size_t n = 0; n < picture.captions.size(); ++n)
        report_.leave_out("the picture cannot be read", picture.where + ": " + read[k].problem);
      continue;
    }
    for (const std::string& caption : picture.captions) {
      data::Ids target = tokenizer.encode(caption);
      if (options.max_length > 0 && std::ssize(target) > options.max_length) {
        report_.leave_out("the caption is too long", picture.where + ": the caption is too long");
        continue;
      }
      tokens += std::ssize(target);
      examples_.push_back({pictures_.size(), std::move(target)});
    }
    places += read[k].features.dim(1);
    features_.push_back(std::move(read[k].features));
    pictures_.push_back(std::move(picture));
  }
  report_.kept = std::ssize(examples_);
  report_.tokens = {{"places of pictures", places}, {"captions", tokens}};
}

std::vector<int32_t> PictureTable::lengths() const {
  std::vector<int32_t> out;
  for (const Example& e : examples_) out.push_back(static_cast<int32_t>(e.target.size()) + 1);
  return out;
}

Tensor PictureTable::rows(size_t picture, int64_t view) const {
  const Tensor& all = features_.at(picture);
  return all.rows(view, view + 1).reshape({all.dim(1), all.dim(2)});
}

PictureTable::Batch PictureTable::batch(std::vector<int64_t> index) const {
  Batch out;
  for (const int64_t k : index) out.rows.push_back(rows(example(k).picture)), out.targets.push_back(target(k));
  out.index = std::move(index);
  return out;
}

PictureTable::Batch PictureTable::batch(std::vector<int64_t> index, uint64_t seed, int64_t epoch) const {
  Batch out = batch(std::move(index));
  for (size_t k = 0; k < out.index.size(); ++k) {
    const size_t picture = example(out.index[k]).picture;
    const auto views = static_cast<uint64_t>(features_[picture].dim(0));
    if (views == 1) continue;
    Rng rng(seed ^ (static_cast<uint64_t>(epoch) << 32), kViewStream + static_cast<uint64_t>(out.index[k]));
    out.rows[k] = rows(picture, static_cast<int64_t>(rng.below(views)));
  }
  return out;
}

const StringList& caption_metrics() {
  static const StringList names{"cider_d", "bleu1", "bleu2", "bleu3", "bleu4", "rouge_l"};
  return names;
}

void Caption::Network::check_ensemble(const Network& other, const std::string& folder,
                                      const std::string& other_folder) const {
  check<FormatError>(tokenizer->bytes() == other.tokenizer->bytes() &&
                         config.features_hash == other.config.features_hash && config.width == other.config.width &&
                         model->shortening() == other.model->shortening(),
                     other_folder, ": its tokenizer, its features or how much its encoder shortens them are not those ",
                     "of ", folder, "; an ensemble needs the same");
}

StringList Caption::Network::save(const std::string& folder) const {
  StringList out{save_options(folder, "config.json", config), save_options(folder, kGenerationFile, search),
                 save_tokenizer(*tokenizer, folder)};
  if (!seeing.cnn) return out;
  const auto copy = [&](const std::string& from, const std::string& name) {
    if (name.empty()) return;
    std::error_code missing;
    const std::string to = folder + "/" + name;
    if (!fs::equivalent(from, to, missing)) io::write_file_atomic(to, io::read_file(from, kMostBytes));
    out.push_back(name);
  };
  copy(seeing.options.weights, config.features.weights);
  copy(seeing.options.network, config.features.network);
  return out;
}

Caption::Network Caption::Network::open(const io::ModelFolder& folder) {
  Network out;
  read_fields(folder.open("config.json"), fields_of(out.config));
  out.tokenizer = load_tokenizer(folder);
  check_vocabulary(folder, *out.tokenizer, out.config.vocabulary);
  try {
    picture::CnnOptions files = in_folder(out.config.features, "");
    for (std::string* name : {&files.weights, &files.network})
      if (!name->empty()) folder.open(*name), *name = folder.path_of(*name);
    out.seeing = Seeing::with(files);
    CaptionerOptions model = out.config.model;
    model.features = out.config.width;
    out.model = std::make_unique<Seq2Seq>(model, Seq2Seq::Vocabularies{0, out.config.vocabulary}, Seq2Seq::kNoInit);
  } catch (const ConfigError& e) {
    throw FormatError(folder.path() + "/config.json: " + e.what());
  }
  out.seeing.shape = {out.config.grid_height, out.config.grid_width, out.config.width};
  check<FormatError>((out.seeing.cnn ? out.seeing.cnn->key() : "") == out.config.features_hash, folder.path(),
                     ": its convolutional network is not the one that the model was trained with");
  if (folder.has(kGenerationFile)) read_fields(folder.open(kGenerationFile), fields_of(out.search));
  return out;
}

void Caption::score_outputs(const Network& network, const Recipe& recipe, const Data& valid, train::Validation& out) {
  if (recipe.valid.metric == "none") return;
  const int64_t count = recipe.valid.scored(std::ssize(valid.pictures()));
  Options how = options(network, false);
  how.search.beam = recipe.valid.beam, how.search.n_best = 1, how.search.sample = false;
  how.batch = recipe.valid.batch, how.precision = recipe.train.options.precision;
  std::vector<CaptionJob> jobs;
  metrics::SegmentReferences references;
  for (size_t k = 0; k < static_cast<size_t>(count); ++k)
    jobs.push_back({valid.rows(k)}), references.lines.push_back(valid.pictures()[k].captions);
  const auto* const one = &network;
  metrics::Lines hypotheses;
  for (const auto& found : search_captions({&one, 1}, jobs, how))
    hypotheses.push_back(network.tokenizer->decode(found[0].tokens));
  out.scores[recipe.valid.metric] = scored({recipe.valid.metric}, hypotheses, references)[0].value;
  const auto samples = std::min(count, recipe.train.options.samples);
  for (size_t k = 0; k < static_cast<size_t>(samples); ++k)
    out.samples.push_back(
        {.texts = {{"image", valid.pictures()[k].path}, {"caption", references.lines[k][0]}, {"output", hypotheses[k]}},
         .image_png = ""});
}

void Caption::validate(const Recipe& recipe) {
  recipe.decode.validate();
  check<ConfigError>(recipe.tokenizer.joint, "tokenizer.joint = false is for tasks of two texts; there is one here");
  check<ConfigError>(recipe.valid.metric == "none" || std::ranges::count(caption_metrics(), recipe.valid.metric) > 0,
                     "valid.metric = '", recipe.valid.metric, "': captions are scored by ",
                     joined(caption_metrics(), ", "), " or none");
  check<ConfigError>(recipe.valid.metric == "none" || recipe.data.pictures == "files", "data.pictures = 'none' needs ",
                     "valid.metric = 'none': captions of nothing are all alike");
  check<ConfigError>(!recipe.features.weights.empty() || recipe.augment.views == 1,
                     "augment.views = ", recipe.augment.views,
                     " needs pictures, and features.cnn names no network for them");
  recipe.loss.check_with(recipe.model);
  const Seq2Seq::Vocabularies sizes{0, data::kSpecials};
  Seq2Seq small(recipe.model, sizes, Seq2Seq::kNoInit);
  train::freeze(params_of(small), recipe.train.options.freeze);
}

Caption::Data Caption::open(const Recipe& recipe, const Network& network, Split split, const std::string& root) {
  data::TableReport report;
  auto pictures = recipe.data.part(split, root, report);
  PictureData data = recipe.data;
  data.cache = cache_file(data.cache, split, root);
  return Data(std::move(pictures), std::move(report), data, network.seeing, *network.tokenizer,
              split == Split::train ? recipe.augment.views : 1);
}

Caption::Network Caption::learn_from_files(const Recipe& recipe, const std::string& root, const LogSink& log) {
  const auto pictures = pictures_of(recipe, Split::train, root);
  check<FormatError>(!pictures.empty(), "data.train: no picture is left");
  std::shared_ptr<data::Tokenizer> tokenizer = data::train_tokenizer(recipe.tokenizer, captions_of(pictures), log);
  picture::CnnOptions files = recipe.features;
  if (files.weights.empty() || files.is_onnx()) files.network = "";
  for (std::string* name : {&files.weights, &files.network})
    if (!name->empty()) *name = path_from(*name, root);
  Seeing seeing = Seeing::with(files);
  check<ConfigError>(seeing.cnn || recipe.data.pictures == "files",
                     "data.pictures = 'none' needs features.cnn, which says how wide features will be");
  seeing.shape = seeing.cnn ? seeing.cnn->shape() : shape_of_first(pictures, seeing);
  log(Severity::info,
      str_cat("tokenizer: ", recipe.tokenizer.kind, ", ", tokenizer->size(), " entries; ", seeing.shape.width,
              " features at each of ", seeing.shape.grid_height, " x ", seeing.shape.grid_width, " places"));
  return make(recipe, std::move(tokenizer), std::move(seeing));
}

Caption::Network Caption::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log) {
  Network theirs = Network::open(folder);
  picture::CnnOptions here = recipe.features;
  here.weights = theirs.config.features.weights, here.network = theirs.config.features.network;
  check<ConfigError>(
      recipe.features.weights.empty() == theirs.config.features.weights.empty() &&
          io::write_json_fields(fields_of(here)) == io::write_json_fields(fields_of(theirs.config.features)),
      folder.path(), ": that model has other [features] than this recipe; they go with its weights");
  log(Severity::info, "tokenizer and features: those of " + folder.path());
  return make(recipe, theirs.tokenizer, theirs.seeing);
}

void Caption::check_test_files(const Recipe& recipe, const std::string& root) {
  if (recipe.data.has_test()) pictures_of(recipe, Split::test, root);
}

StringList Caption::test_report(const Recipe& recipe, const std::string& root) {
  if (!recipe.data.has_test()) return {};
  return {str_cat("test data: ", pictures_of(recipe, Split::test, root).size(), " pictures")};
}

StringList Caption::data_digests(const Recipe& recipe, const std::string& root) {
  StringList out;
  for (const auto& [name, split] : {std::pair("data.train", Split::train), {"data.valid", Split::valid}}) {
    Sha256 all;
    for (const CaptionedPicture& p : pictures_of(recipe, split, root)) {
      std::error_code missing;
      for (const std::string& caption : p.captions) all.update(caption + "\n");
      if (recipe.data.pictures == "files" && fs::exists(p.path, missing))
        all.update(io::sha256_file(io::File::open_regular(p.path)));
    }
    out.push_back(str_cat(name, "'s SHA-256 = ", all.hex()));
  }
  return out;
}

int64_t Caption::units(const Batch& batch) {
  int64_t out = 0;
  for (const auto& target : batch.targets) out += std::ssize(target) + 1;
  return out;
}

StringList Caption::example(const Network& network, const Data& data, int64_t k, uint64_t) {
  const Tensor rows = data.batch({k}).rows[0];
  std::string text = "  caption:";
  for (const int32_t id : data.target(k)) text += " " + viz::one_line(network.tokenizer->piece(id));
  return {str_cat("  image: ", data.picture_of(k).path, ", ", rows.dim(0), " places of ", rows.dim(1), " features"),
          text};
}

Loss Caption::loss(const Network& network, const Recipe& recipe, const Batch& batch, double scale, Noise* noise) {
  const Encoded encoded = network.model->encode(stacked(batch.rows, network.config.width), noise);
  const Seq2SeqLoss loss = network.model->loss(encoded, batch.targets, recipe.loss, scale, noise);
  return {loss.loss,
          {.loss = loss.loss_sum,
           .units = loss.tokens,
           .sums = {{"nll", loss.nll_sum}, {"accuracy_token", static_cast<double>(loss.correct)}}}};
}

Caption::Options Caption::options(const Network& network, bool int8) {
  Options out;
  out.search = network.search;
  if (int8) out.precision = "int8";
  return out;
}

void Caption::check_options(Networks, const Options& options, const LogSink& log) {
  options.search.validate();
  options.check_precision(log);
}

EvaluationReport Caption::evaluate(Networks networks, const io::ModelFolder& folder, const TaskModel::Evaluation& what,
                                   const Options& options) {
  const auto data = read_data_of_run<PictureData>(folder);
  data::TableReport report;
  check<ConfigError>(!what.files.empty() || data.data.has_test(),
                     "evaluate: the recipe named no data.test; say --data LIST");
  const auto pictures = what.files.empty() ? data.data.part(Split::test, data.root, report)
                                           : data.data.pictures_of(what.files, "--data", "", report);
  check<FormatError>(report.left_out.empty(), report.examples.empty() ? "" : report.examples[0]);
  check<FormatError>(!pictures.empty(), "evaluate: no picture");
  std::vector<Input> inputs;
  metrics::SegmentReferences references;
  for (const CaptionedPicture& p : pictures) {
    inputs.push_back({.line = std::ssize(inputs) + 1, .fields = {{"image", p.path}}});
    references.lines.push_back(p.captions);
  }
  const auto found = predict(networks, inputs, options, TaskModel::Detail::text_only);
  for (size_t k = 0; k < found.size(); ++k)
    if (!found[k].warnings.empty()) throw FormatError(pictures[k].where + ": " + found[k].warnings[0].second);
  const metrics::Lines hypotheses = texts_of(found);
  EvaluationReport out{.lines = scored(caption_metrics(), hypotheses, references, what.resamples)};
  out.lines[0].digits = 3;
  // What is left when pictures are exchanged: the mean over some shifts of all captions.
  const auto n = std::ssize(hypotheses), shifts = std::min<int64_t>(n - 1, 10);
  double exchanged = 0;
  for (int64_t s = 1; s <= shifts; ++s) {
    metrics::Lines moved = hypotheses;
    std::ranges::rotate(moved, moved.begin() + s * n / (shifts + 1));
    exchanged += scored({"cider_d"}, moved, references)[0].value / static_cast<double>(shifts);
  }
  if (shifts > 0) out.lines.push_back({.name = "cider_d_exchanged", .value = exchanged, .signature = "", .digits = 3});
  return out;
}

std::string Caption::steps(Networks, const Input&, const Options&) {
  throw ConfigError("explain: --steps follows text into text, and this model's input is a picture");
}

TaskKind caption_kind() { return task_kind<Caption>(); }

}  // namespace lookback::tasks
