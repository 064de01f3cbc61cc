// Long recordings cut at their pauses, in one pass and constant memory.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "lookback/base/fields.h"

namespace lookback::sound {

struct SilenceOptions {
  double above_db = 6;
  double silence_db = -60;
  double pause_ms = 300;
  double margin_ms = 100;
  double least_ms = 50;
  double longest = 20;

  void fields(FieldVisitor& v) {
    v("above_db", above_db, "speech is this much louder than the noise floor, the quietest of the last 10 seconds")
        .range(0.5, 60);
    v("silence_db", silence_db, "what is quieter is silence whatever the floor; 0 is full scale").range(-120, 0);
    v("pause_ms", pause_ms, "the shortest silence to cut at, milliseconds").range(20, 1e5);
    v("margin_ms", margin_ms, "what is kept of a pause on either side, at most half of pause_ms").range(0, 1e5);
    v("least_ms", least_ms, "pieces with less speech are noises and are left out, milliseconds").range(0, 1e4);
    v("longest", longest, "the longest piece, seconds; one without a pause is cut where it is quietest")
        .range(0.5, 3600);
  }
};

// Samples [begin, end) of a recording.
struct Span {
  int64_t begin = 0, end = 0;

  bool operator==(const Span&) const = default;
};

// The pieces of a recording that is given bit by bit. Energies are those of 30 ms around every 10 ms, without their
// mean. Speech is what lies above the floor by above_db, or as close as that to the loudest so far: sound that never
// pauses is speech as a whole. A piece is known three seconds after its end.
class SpeechCutter {
 public:
  // ConfigError for options out of range.
  SpeechCutter(int64_t rate, const SilenceOptions& options = {});

  // Pieces that are complete, in order, without overlap.
  std::vector<Span> push(std::span<const float> samples);
  // The last ones. Nothing may follow.
  std::vector<Span> finish();

 private:
  struct Block {
    double count = 0, sum = 0, squares = 0;
  };
  void end_block();
  void add_energy(double decibels);
  void decide();
  void take(int64_t frame, float energy, bool speech);
  void cut_longest(int64_t length);
  void end_piece(int64_t end_frame);

  SilenceOptions options_;
  int64_t block_size_, pause_, margin_, least_, longest_;  // samples; the rest frames of block_size_
  int64_t samples_ = 0;
  Block block_, last_[2];
  int64_t blocks_ = 0;
  std::deque<float> waiting_;                     // energies that are not decided yet
  std::deque<std::pair<int64_t, float>> minima_;  // rising candidates for the floor
  int64_t heard_ = 0, decided_ = 0;               // frames
  float loudest_ = -200;
  int64_t begin_ = -1, last_speech_ = -1, speech_ = 0;  // of the piece under way; -1: none
  bool continues_ = false;                              // the piece begins at a cut
  int64_t last_end_ = 0;
  std::deque<float> energies_;  // from begin_ on
  std::vector<Span> done_;
};

// All pieces of a recording; none if it is silent.
std::vector<Span> speech_spans(std::span<const float> samples, int64_t rate, const SilenceOptions& options = {});

}  // namespace lookback::sound
