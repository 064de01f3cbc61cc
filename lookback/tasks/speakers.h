// Private to tasks: who speaks in which recording, and what the rows of all that a speaker says are like, so that
// features tell words apart more than people (normalisation by speaker, as in Kaldi's recipes).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "lookback/sound/features.h"
#include "lookback/sound/statistics.h"
#include "lookback/tasks/recordings.h"

namespace lookback::tasks {

class Speakers {
 public:
  // A recording with its field "speaker", and its plain rows (features.h).
  void add(const Recording& recording, const Tensor& plain_rows);
  // Of all recordings of the one who speaks in this one, with no row if nothing can be heard in any. Throws
  // FormatError, naming it, if it is none of those that were added.
  const sound::FeatureStatistics& of(const std::string& path) const;

 private:
  std::map<std::string, std::string> speaker_of_;  // by absolute path
  std::map<std::string, sound::FeatureStatistics> statistics_;
};

// Speakers by lists, each read once. May be used from several threads at once.
class SpeakerLists {
 public:
  // A list has a line for each recording, its path, relative to the list, and who speaks, TAB between. Reads all of
  // them, on as many threads as there are. Throws FormatError for a line or a recording that cannot be read, and
  // IoError.
  std::shared_ptr<const Speakers> of(const std::string& list, const sound::FeatureExtractor& extractor);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Speakers>> lists_;
};

// The plain rows of every recording and who speaks in it. FormatError as above.
std::shared_ptr<const Speakers> speakers_of(const std::vector<Recording>& recordings,
                                            const sound::FeatureExtractor& extractor);

}  // namespace lookback::tasks
