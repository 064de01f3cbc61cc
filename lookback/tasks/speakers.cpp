#include "lookback/tasks/speakers.h"

#include <filesystem>

#include "lookback/sound/feature_cache.h"

namespace lookback::tasks {
namespace {

std::string absolute(const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); }

}  // namespace

void Speakers::add(const Recording& recording, const Tensor& plain_rows) {
  const std::string speaker = recording.field("speaker");
  speaker_of_[absolute(recording.path)] = speaker;
  statistics_[speaker].add(plain_rows);
}

const sound::FeatureStatistics& Speakers::of(const std::string& path) const {
  const auto speaker = speaker_of_.find(absolute(path));
  check<FormatError>(speaker != speaker_of_.end(), path, ": the list of speakers does not say who speaks in it");
  return statistics_.at(speaker->second);
}

std::shared_ptr<const Speakers> SpeakerLists::of(const std::string& list, const sound::FeatureExtractor& extractor) {
  const std::lock_guard lock(mutex_);
  auto& out = lists_[list];
  if (out) return out;
  data::TableReport report;
  // What such a list says in its second column is who speaks.
  const RecordingData data{.train = {}, .columns = {"1", "2"}, .bad_lines = "stop"};
  auto recordings = data.recordings_of({list}, "speakers", "", report);
  for (Recording& r : recordings) {
    check<FormatError>(!r.text.empty(), r.where, ": the speaker is empty");
    r.fields = {{"speaker", r.text}};
  }
  check<FormatError>(!recordings.empty(), "speakers = ", list, ": no recording");
  return out = speakers_of(recordings, extractor);
}

std::shared_ptr<const Speakers> speakers_of(const std::vector<Recording>& recordings,
                                            const sound::FeatureExtractor& extractor) {
  const auto read = sound::plain_rows_of_files(paths_of(recordings), extractor);
  auto out = std::make_shared<Speakers>();
  for (size_t k = 0; k < read.size(); ++k) {
    check<FormatError>(read[k].problem.empty(), recordings[k].where, ": ", read[k].problem);
    out->add(recordings[k], read[k].rows);
  }
  return out;
}

}  // namespace lookback::tasks
