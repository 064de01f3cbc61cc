// Sound that is read as it comes, and its text as soon as it is known.
#include <algorithm>

#include "lookback/decode/ctc.h"
#include "lookback/ops/precision.h"
#include "lookback/sound/audio_file.h"
#include "lookback/sound/features.h"
#include "lookback/sound/resample.h"
#include "lookback/tasks/transcribe.h"

namespace lookback::tasks {
namespace {

constexpr int64_t kReadsPerSecond = 25;  // of sound: what has been read is heard at most 40 ms later

// The text of CTC's best path as it grows.
class GrowingText {
 public:
  explicit GrowingText(const data::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // Log-probabilities [T, V] of the next rows; what of the text is new.
  std::string read(const Tensor& log_probs) {
    path_.read(log_probs);
    if (path_.tokens().size() == ids_.size()) return "";
    for (size_t k = ids_.size(); k < path_.tokens().size(); ++k) ids_.push_back(path_.tokens()[k].token);
    const std::string text = tokenizer_.decode(ids_);
    std::string out = text.substr(std::min(text.size(), said_));
    said_ = std::max(said_, text.size());
    return out;
  }

 private:
  const data::Tokenizer& tokenizer_;
  decode::CtcBestPath path_{Transcriber::kBlank};
  std::vector<int32_t> ids_;
  size_t said_ = 0;  // bytes of the text
};

}  // namespace

void Transcribe::listen(Networks networks, const std::string& file, const Options& options,
                        const std::function<void(std::string_view)>& emit) {
  check<ConfigError>(networks.size() == 1, "predict: --stream hears with one model, not with an ensemble of ",
                     networks.size());
  check<ConfigError>(options.lm.empty(), "predict: --stream writes CTC's best path as it comes, without search: --lm ",
                     options.lm, " does not go with it");
  const Network& network = *networks[0];
  const std::string why = network.model->cannot_stream();
  check<ConfigError>(why.empty(), "predict: --stream: ", why);
  check<ConfigError>(network.config.features.normalise != "utterance",
                     "predict: --stream: features.normalise = 'utterance' needs the whole recording; train with "
                     "'global' or 'running'");
  check<ConfigError>(!network.hearing.by_speaker(),
                     "predict: --stream: features.normalise = 'speaker' needs what a speaker is going to say; train "
                     "with 'global' or 'running'");
  const PrecisionScope scope(ops::available_precision(options.precision));
  sound::AudioReader reader(file);
  auto resampler = [&] {
    try {
      return sound::Resampler(reader.rate(), network.config.features.sample_rate);
    } catch (const FormatError& e) {
      throw FormatError(reader.name() + ": " + e.what());
    }
  }();
  sound::FeatureStream features(network.hearing.extractor, network.hearing.statistics.get());
  Transcriber::StreamState state;
  GrowingText text(*network.tokenizer);
  const auto hear = [&](const Tensor& rows) {
    if (rows.empty() || rows.dim(0) == 0) return;
    if (const std::string more = text.read(network.model->continued(rows, state)); !more.empty()) emit(more);
  };
  std::vector<float> samples(static_cast<size_t>(std::max<int64_t>(1, reader.rate() / kReadsPerSecond))), at_rate;
  while (const int64_t n = reader.read(samples)) {
    at_rate.clear();
    resampler.push(std::span(samples).first(static_cast<size_t>(n)), at_rate);
    hear(features.push(at_rate));
  }
  at_rate.clear();
  resampler.finish(at_rate);
  hear(features.push(at_rate));
  hear(features.finish());
}

}  // namespace lookback::tasks
