#include "lookback/tasks/transcribe.h"

#include <algorithm>
#include <filesystem>

#include "lookback/base/sha256.h"
#include "lookback/io/posix_file.h"
#include "lookback/metrics/alignment.h"
#include "lookback/ops/precision.h"
#include "lookback/sound/feature_cache.h"
#include "lookback/sound/resample.h"
#include "lookback/tasks/task_definition.h"
#include "lookback/train/parameters.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

namespace fs = std::filesystem;

// Numbers of random streams: one for each place that draws.
constexpr uint64_t kAugmentStream = 0x736f756e64;

// Plain rows of every recording; of those that `cache` has, if it is a file's name, from there.
std::vector<sound::PlainRows> read_all(const std::vector<Recording>& recordings,
                                       const sound::FeatureExtractor& extractor, const std::string& cache) {
  if (cache.empty()) return sound::plain_rows_of_files(paths_of(recordings), extractor);
  const sound::FeatureCache kept(cache, paths_of(recordings), extractor.options());
  std::vector<sound::PlainRows> out;
  for (int64_t k = 0; k < kept.size(); ++k) out.push_back({kept[k], kept.problem(k)});
  return out;
}

// The fewest rows that CTC writes a text in: one for each token, and a blank between equal ones.
int64_t rows_for_ctc(const data::Ids& text) {
  int64_t out = std::ssize(text);
  for (size_t k = 1; k < text.size(); ++k) out += text[k] == text[k - 1];
  return out;
}

bool same(sound::FeatureOptions a, sound::FeatureOptions b) {
  return io::write_json_fields(fields_of(a)) == io::write_json_fields(fields_of(b));
}

double seconds_of(int64_t rows, const sound::FeatureOptions& features) {
  return static_cast<double>(rows * features.skip) * features.shift_ms / 1000;
}

Transcribe::Network make(const Transcribe::Recipe& recipe, std::shared_ptr<data::Tokenizer> tokenizer,
                         Hearing hearing) {
  tokenizer->set_sampling(recipe.tokenizer.sampling);
  Transcribe::Network out{.config = {.vocabulary = tokenizer->size(),
                                     .ctc = recipe.loss.ctc,
                                     .features = hearing.options(),
                                     .model = recipe.model},
                          .tokenizer = std::move(tokenizer),
                          .hearing = std::move(hearing),
                          .model = nullptr,
                          .search = recipe.decode};
  if (out.hearing.statistics)
    for (const double x : out.hearing.statistics->values()) out.config.statistics.push_back(io::json_number(x));
  out.model = std::make_unique<Transcriber>(recipe.model, out.hearing.extractor->width(), out.config.vocabulary,
                                            seed_of(recipe.train));
  return out;
}

RecordingData data_of(const Transcribe::Recipe& recipe) {
  RecordingData out = recipe.data;
  out.with_speakers = recipe.features.normalise == "speaker";
  return out;
}

std::vector<Recording> recordings_of(const Transcribe::Recipe& recipe, Split split, const std::string& root) {
  data::TableReport report;
  return data_of(recipe).recordings(split, root, report);
}

data::LineSource texts_of(std::vector<Recording> recordings) {
  auto rest = std::make_shared<std::vector<Recording>>(std::move(recordings));
  return [rest, at = size_t{0}](std::string& line) mutable {
    if (at == rest->size()) return false;
    line = (*rest)[at++].text;
    return true;
  };
}

}  // namespace

SoundTable::SoundTable(std::vector<Recording> recordings, data::TableReport report, const RecordingData& options,
                       const Hearing& hearing, const data::Tokenizer& tokenizer, const sound::AugmentOptions& augment,
                       int64_t ctc_shortening)
    : hearing_(hearing), augment_(augment), report_(std::move(report)) {
  std::vector<sound::PlainRows> read = read_all(recordings, *hearing.extractor, options.cache);
  if (hearing.by_speaker()) {
    auto speakers = std::make_shared<Speakers>();
    for (size_t k = 0; k < recordings.size(); ++k)
      if (read[k].problem.empty()) speakers->add(recordings[k], read[k].rows);
    hearing_.speakers = speakers;
  }
  int64_t frames = 0, tokens = 0;
  for (size_t k = 0; k < recordings.size(); ++k) {
    Recording& recording = recordings[k];
    if (!read[k].problem.empty()) {
      check<FormatError>(options.damaged == "skip", recording.where, ": ", read[k].problem);
      report_.leave_out("the recording cannot be read", recording.where + ": " + read[k].problem);
      continue;
    }
    data::Ids target = tokenizer.encode(recording.text);
    const Tensor rows = hearing.extractor->finished_rows(read[k].rows, hearing_.statistics_of(recording.path));
    read[k].rows = Tensor();
    std::string why;
    if (rows.dim(0) == 0)
      why = "the recording is shorter than one frame";
    else if (options.max_seconds > 0 && seconds_of(rows.dim(0), hearing.options()) > options.max_seconds)
      why = "the recording is too long";
    else if (options.max_length > 0 && std::ssize(target) > options.max_length)
      why = "the text is too long";
    else if (target.empty())
      why = "the text is empty";
    else if (ctc_shortening > 0 && rows_for_ctc(target) > (rows.dim(0) + ctc_shortening - 1) / ctc_shortening)
      why = "the text is too long for its rows (CTC)";
    if (!why.empty()) {
      report_.leave_out(why, recording.where + ": " + why);
      continue;
    }
    frames += rows.dim(0), tokens += std::ssize(target);
    rows_.push_back(rows);
    targets_.push_back(std::move(target));
    recordings_.push_back(std::move(recording));
  }
  report_.kept = std::ssize(rows_);
  report_.tokens = {{"rows of features", frames}, {"text", tokens}};
}

std::vector<int32_t> SoundTable::lengths() const {
  std::vector<int32_t> out;
  for (const Tensor& t : rows_) out.push_back(static_cast<int32_t>(t.dim(0)));
  return out;
}

SoundTable::Batch SoundTable::batch(std::vector<int64_t> index) const {
  Batch out;
  for (const int64_t k : index) out.rows.push_back(rows(k)), out.targets.push_back(target(k));
  out.index = std::move(index);
  return out;
}

SoundTable::Batch SoundTable::batch(std::vector<int64_t> index, uint64_t seed, int64_t epoch) const {
  Batch out = batch(std::move(index));
  for (size_t k = 0; k < out.index.size(); ++k) {
    Rng rng(seed ^ (static_cast<uint64_t>(epoch) << 32), kAugmentStream + static_cast<uint64_t>(out.index[k]));
    Tensor& heard = out.rows[k];
    if (augment_.changes_sound()) {
      sound::Waveform wave = sound::read_audio_at(recording(out.index[k]).path, hearing_.options().sample_rate);
      sound::augment_waveform(wave, augment_, rng);
      const Tensor changed =
          hearing_.extractor->features(wave.samples, hearing_.statistics_of(recording(out.index[k]).path));
      if (changed.dim(0) > 0) heard = changed;
    }
    if (!augment_.changes_rows()) continue;
    if (heard.data<float>() == rows(out.index[k]).data<float>()) heard = heard.clone();
    sound::augment_features(heard, augment_, rng, hearing_.extractor->channels());
  }
  return out;
}

void Transcribe::Network::check_ensemble(const Network& other, const std::string& folder,
                                         const std::string& other_folder) const {
  check<FormatError>(tokenizer->bytes() == other.tokenizer->bytes() && same(config.features, other.config.features) &&
                         model->shortening() == other.model->shortening(),
                     other_folder,
                     ": its tokenizer, its features or how much its encoder shortens them are not those of ", folder,
                     "; an ensemble needs the same");
}

StringList Transcribe::Network::save(const std::string& folder) const {
  return {save_options(folder, "config.json", config), save_options(folder, kGenerationFile, search),
          save_tokenizer(*tokenizer, folder)};
}

Transcribe::Network Transcribe::Network::open(const io::ModelFolder& folder) {
  Network out;
  read_fields(folder.open("config.json"), fields_of(out.config));
  out.tokenizer = load_tokenizer(folder);
  check_vocabulary(folder, *out.tokenizer, out.config.vocabulary);
  try {
    out.hearing.extractor = std::make_shared<sound::FeatureExtractor>(out.config.features);
    if (!out.config.statistics.empty())
      out.hearing.statistics = std::make_shared<sound::FeatureStatistics>(
          sound::FeatureStatistics::of_values(finite_numbers(out.config.statistics, "statistics")));
    if (!out.hearing.by_speaker())
      out.hearing.extractor->finished_rows(Tensor::zeros({0, out.hearing.extractor->row_width()}),
                                           out.hearing.statistics.get());
    out.model = std::make_unique<Transcriber>(out.config.model, out.hearing.extractor->width(), out.config.vocabulary,
                                              Transcriber::kNoInit);
  } catch (const ConfigError& e) {
    throw FormatError(folder.path() + "/config.json: " + e.what());
  }
  if (folder.has(kGenerationFile)) read_fields(folder.open(kGenerationFile), fields_of(out.search));
  return out;
}

double Transcribe::Network::seconds_per_row() const { return seconds_of(model->shortening(), config.features); }

void Transcribe::score_outputs(const Network& network, const Recipe& recipe, const Data& valid,
                               train::Validation& out) {
  if (recipe.valid.metric == "none") return;
  const int64_t count = recipe.valid.scored(valid.size());
  Options how = options(network, false);
  how.search.beam = recipe.valid.beam, how.search.n_best = 1, how.search.sample = false;
  how.batch = recipe.valid.batch, how.precision = recipe.train.options.precision;
  std::vector<const Tensor*> rows;
  metrics::Lines references, hypotheses;
  for (int64_t k = 0; k < count; ++k) rows.push_back(&valid.rows(k)), references.push_back(valid.recording(k).text);
  const auto* const one = &network;
  for (const HeardText& heard : search_rows({&one, 1}, rows, how, false))
    hypotheses.push_back(network.tokenizer->decode(heard.outputs[0].tokens));
  out.scores[recipe.valid.metric] = scored({recipe.valid.metric}, hypotheses, references)[0].value;
  const auto samples = std::min(count, recipe.train.options.samples);
  for (size_t k = 0; k < static_cast<size_t>(samples); ++k)
    out.samples.push_back({.texts = {{"audio", valid.recording(static_cast<int64_t>(k)).path},
                                     {"text", references[k]},
                                     {"output", hypotheses[k]}},
                           .image_png = ""});
}

void Transcribe::validate(const Recipe& recipe) {
  recipe.decode.validate();
  check<ConfigError>(recipe.tokenizer.joint, "tokenizer.joint = false is for tasks of two texts; there is one here");
  check<ConfigError>(recipe.loss.ctc == TranscriberObjective().ctc || recipe.model.kind == "joint",
                     "loss.ctc = ", recipe.loss.ctc, " is of model.kind = 'joint'; this is '", recipe.model.kind, "'");
  check<ConfigError>(recipe.valid.metric == "none" || recipe.valid.metric == "wer" || recipe.valid.metric == "cer",
                     "valid.metric = '", recipe.valid.metric, "': recordings are scored by wer, cer or none");
  if (recipe.model.attends()) recipe.loss.check_with(recipe.model.seq2seq);
  const sound::FeatureExtractor extractor(recipe.features);
  sound::check_augment(recipe.augment);
  Transcriber small(recipe.model, extractor.width(), data::kSpecials, Transcriber::kNoInit);
  train::freeze(params_of(small), recipe.train.options.freeze);
}

void Transcribe::validate_data(const Recipe& recipe) { data_of(recipe).validate(); }

Transcribe::Data Transcribe::open(const Recipe& recipe, const Network& network, Split split, const std::string& root) {
  data::TableReport report;
  RecordingData data = data_of(recipe);
  auto recordings = data.recordings(split, root, report);
  data.cache = cache_file(data.cache, split, root);
  return Data(std::move(recordings), std::move(report), data, network.hearing, *network.tokenizer,
              split == Split::train ? recipe.augment : sound::AugmentOptions(),
              recipe.model.has_ctc() ? network.model->shortening() : 0);
}

Transcribe::Network Transcribe::learn_from_files(const Recipe& recipe, const std::string& root, const LogSink& log) {
  const auto recordings = recordings_of(recipe, Split::train, root);
  check<FormatError>(!recordings.empty(), "data.train: no recording is left");
  std::shared_ptr<data::Tokenizer> tokenizer = data::train_tokenizer(recipe.tokenizer, texts_of(recordings), log);
  Hearing hearing{std::make_shared<sound::FeatureExtractor>(recipe.features)};
  if (recipe.features.normalise == "global") {
    auto statistics = std::make_shared<sound::FeatureStatistics>();
    for (const sound::PlainRows& read :
         read_all(recordings, *hearing.extractor, cache_file(recipe.data.cache, Split::train, root)))
      if (read.problem.empty()) statistics->add(read.rows);
    check<FormatError>(statistics->count > 0, "data.train: no recording has a row of features");
    hearing.statistics = statistics;
  }
  log(Severity::info, str_cat("tokenizer: ", recipe.tokenizer.kind, ", ", tokenizer->size(), " entries; ",
                              hearing.extractor->width(), " features a row"));
  return make(recipe, std::move(tokenizer), std::move(hearing));
}

Transcribe::Network Transcribe::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe,
                                               const LogSink& log) {
  Network theirs = Network::open(folder);
  check<ConfigError>(same(theirs.config.features, recipe.features), folder.path(),
                     ": that model has other [features] than this recipe; they go with its weights");
  log(Severity::info, "tokenizer and features: those of " + folder.path());
  return make(recipe, theirs.tokenizer, theirs.hearing);
}

void Transcribe::check_test_files(const Recipe& recipe, const std::string& root) {
  if (recipe.data.has_test()) recordings_of(recipe, Split::test, root);
}

StringList Transcribe::test_report(const Recipe& recipe, const std::string& root) {
  if (!recipe.data.has_test()) return {};
  return {str_cat("test data: ", recordings_of(recipe, Split::test, root).size(), " recordings")};
}

StringList Transcribe::data_digests(const Recipe& recipe, const std::string& root) {
  StringList out;
  for (const auto& [name, split] : {std::pair("data.train", Split::train), {"data.valid", Split::valid}}) {
    Sha256 all;
    for (const Recording& r : recordings_of(recipe, split, root)) {
      std::error_code missing;
      all.update(r.text + "\n");
      if (recipe.features.normalise == "speaker") all.update(r.field("speaker") + "\n");
      if (fs::exists(r.path, missing)) all.update(io::sha256_file(io::File::open_regular(r.path)));
    }
    out.push_back(str_cat(name, "'s SHA-256 = ", all.hex()));
  }
  return out;
}

int64_t Transcribe::units(const Batch& batch) {
  int64_t out = 0;
  for (const auto& target : batch.targets) out += std::ssize(target) + 1;
  return out;
}

StringList Transcribe::example(const Network& network, const Data& data, int64_t k, uint64_t) {
  const Tensor& rows = data.rows(k);
  std::string text = "  text:";
  for (const int32_t id : data.target(k)) text += " " + viz::one_line(network.tokenizer->piece(id));
  return {str_cat("  audio: ", data.recording(k).path, ", ", rows.dim(0), " rows of ", rows.dim(1), " features"), text};
}

Loss Transcribe::loss(const Network& network, const Recipe& recipe, const Batch& batch, double scale, Noise* noise) {
  const TranscriberLoss loss = network.model->loss(batch.rows, batch.targets, recipe.loss, scale, noise);
  Loss out{loss.loss,
           {.loss = loss.loss_sum,
            .units = loss.tokens,
            .sums = {{"nll", loss.nll_sum}, {"accuracy_token", static_cast<double>(loss.correct)}}}};
  return out;
}

Transcribe::Options Transcribe::options(const Network& network, bool int8) {
  Options out;
  out.search = network.search;
  out.ctc_weight = network.config.model.kind == "joint" ? network.config.ctc : network.config.model.attends() ? 0 : 1;
  if (int8) out.precision = "int8";
  return out;
}

void Transcribe::check_options(Networks networks, const Options& options, const LogSink& log) {
  options.search.validate();
  check<ConfigError>(options.longest_piece == 0 || (options.longest_piece >= 0.5 && options.longest_piece <= 3600),
                     "longest_piece = ", options.longest_piece, ": pieces have 0.5 to 3600 s; 0 never cuts");
  for (const Network* n : networks) {
    const std::string& kind = n->config.model.kind;
    check<ConfigError>(kind == "joint" || options.ctc_weight == (kind == "ctc" ? 1 : 0),
                       "ctc_weight = ", options.ctc_weight, ": this model's kind is '", kind, "'");
  }
  check<ConfigError>(options.speakers.empty() || networks[0]->hearing.by_speaker(), "speakers = ", options.speakers,
                     ": this model's features.normalise is '", networks[0]->hearing.options().normalise, "'");
  check<ConfigError>(!options.lm.empty() || options.lm_weight == Options().lm_weight, "lm_weight = ", options.lm_weight,
                     " needs lm, the folder of a language model");
  if (!options.lm.empty()) {
    const auto& unknown = networks[0]->language_models->of(options.lm, *networks[0]->tokenizer).unknown();
    if (!unknown.empty())
      log(Severity::warning,
          str_cat("lm = ", options.lm, ": does not know ", unknown.size(), " of this model's ",
                  networks[0]->tokenizer->size() - data::kSpecials, " tokens, such as '", unknown[0], "'"));
  }
  options.check_precision(log);
}

EvaluationReport Transcribe::evaluate(Networks networks, const io::ModelFolder& folder,
                                      const TaskModel::Evaluation& what, const Options& options) {
  auto data = read_data_of_run<RecordingData>(folder);
  const Hearing& hearing = networks[0]->hearing;
  data.data.with_speakers = hearing.by_speaker();
  data::TableReport report;
  check<ConfigError>(!what.files.empty() || data.data.has_test(),
                     "evaluate: the recipe named no data.test; say --data LIST");
  const auto recordings = what.files.empty() ? data.data.recordings(Split::test, data.root, report)
                                             : data.data.recordings_of(what.files, "--data", "", report);
  check<FormatError>(report.left_out.empty(), report.examples.empty() ? "" : report.examples[0]);
  check<FormatError>(!recordings.empty(), "evaluate: no recording");
  std::vector<Input> inputs;
  metrics::Lines references;
  for (const Recording& r : recordings) {
    inputs.push_back({.line = std::ssize(inputs) + 1, .fields = {{"audio", r.path}}});
    references.push_back(r.text);
  }
  Options how = options;
  if (hearing.by_speaker() && options.speakers.empty())
    how.known_speakers = speakers_of(recordings, *hearing.extractor);
  const auto found = predict(networks, inputs, how, TaskModel::Detail::text_only);
  for (size_t k = 0; k < found.size(); ++k)
    if (!found[k].warnings.empty()) throw FormatError(recordings[k].where + ": " + found[k].warnings[0].second);
  const metrics::Lines hypotheses = texts_of(found);
  EvaluationReport out{.lines = scored({"wer", "cer"}, hypotheses, references, what.resamples)};
  std::vector<metrics::LineAlignment> lines;
  for (size_t k = 0; k < hypotheses.size(); ++k)
    lines.push_back(metrics::align_words(hypotheses[k], {&references[k], 1}));
  const metrics::AttentionFailures failures = metrics::attention_failures(lines);
  out.lines.push_back({.name = "skips", .value = static_cast<double>(failures.skips), .signature = "", .digits = 0});
  out.lines.push_back({.name = "loops", .value = static_cast<double>(failures.loops), .signature = "", .digits = 0});
  return out;
}

std::string Transcribe::steps(Networks, const Input&, const Options&) {
  throw ConfigError("explain: --steps follows text into text, and this model's input is sound");
}

TaskKind transcribe_kind() { return task_kind<Transcribe>(); }

}  // namespace lookback::tasks
