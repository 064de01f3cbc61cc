#include "lookback/sound/silence.h"

#include <algorithm>
#include <utility>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"

namespace lookback::sound {
namespace {

constexpr double kFrame = 0.01;                       // seconds
constexpr int64_t kAhead = 300, kFloorWindow = 1000;  // frames

double decibels(double power) { return 10 / 2.302585092994046 * elementary::log(std::max(power, 1e-20)); }

}  // namespace

SpeechCutter::SpeechCutter(int64_t rate, const SilenceOptions& options) : options_(options) {
  for (Field& f : fields_of(options_)) set_field(f, field_value(f), "silence");  // their ranges
  check<ConfigError>(rate >= 100, "silence: a recording of ", rate, " Hz is not cut; 100 Hz at least");
  check<ConfigError>(options.margin_ms <= options.pause_ms / 2, "silence: margin_ms is ", options.margin_ms,
                     ", more than half of pause_ms, ", options.pause_ms);
  const auto frames = [](double seconds) { return static_cast<int64_t>(seconds / kFrame + 0.5); };
  block_size_ = static_cast<int64_t>(static_cast<double>(rate) * kFrame);
  pause_ = frames(options.pause_ms / 1000), margin_ = frames(options.margin_ms / 1000);
  margin_ = std::min(margin_, pause_ / 2);
  least_ = frames(options.least_ms / 1000);
  // Whole samples, as frames are no longer than 10 ms.
  longest_ = frames(options.longest);
  check<ConfigError>(longest_ >= 2 * margin_ + 20, "silence: longest is ", options.longest,
                     " s, which is too short for twice margin_ms; at least 0.2 s more");
}

void SpeechCutter::end_block() {
  // The energy around the block before this one, from three blocks; at the beginning from two.
  if (blocks_ > 0) {
    Block all = block_;
    for (const Block& b : last_) all.count += b.count, all.sum += b.sum, all.squares += b.squares;
    const double mean = all.sum / all.count;
    add_energy(decibels(all.squares / all.count - mean * mean));
  }
  last_[0] = last_[1], last_[1] = block_, block_ = {};
  ++blocks_;
}

void SpeechCutter::add_energy(double energy) {
  const auto e = static_cast<float>(energy);
  waiting_.push_back(e);
  while (!minima_.empty() && minima_.back().second >= e) minima_.pop_back();
  minima_.emplace_back(heard_++, e);
  loudest_ = std::max(loudest_, e);
  if (heard_ - decided_ > kAhead) decide();
}

void SpeechCutter::decide() {
  while (minima_.front().first < decided_ - kFloorWindow) minima_.pop_front();
  const auto above = static_cast<float>(options_.above_db);
  const float threshold =
      std::max(static_cast<float>(options_.silence_db), std::min(minima_.front().second + above, loudest_ - above));
  const float energy = waiting_.front();
  waiting_.pop_front();
  take(decided_++, energy, energy >= threshold);
}

void SpeechCutter::take(int64_t frame, float energy, bool speech) {
  if (begin_ < 0) {
    if (!speech) return;
    begin_ = frame, speech_ = 0, continues_ = false;
  }
  energies_.push_back(energy);
  if (speech) last_speech_ = frame, ++speech_;
  if (frame - last_speech_ >= pause_) return end_piece(last_speech_ + 1 + margin_);
  // With its margins a piece must not grow too long.
  if (frame + 1 - begin_ + 2 * margin_ >= longest_) cut_longest(frame + 1 - begin_);
}

// Cuts the piece at the quietest frame of its second half.
void SpeechCutter::cut_longest(int64_t length) {
  const int64_t half = length / 2;
  int64_t at = half;
  for (int64_t k = half; k < length; ++k)
    if (energies_[static_cast<size_t>(k)] < energies_[static_cast<size_t>(at)]) at = k;
  const int64_t cut = begin_ + std::max<int64_t>(1, at), speech = speech_, last = last_speech_;
  if (cut > last) return end_piece(last + 1 + margin_);  // nothing but silence follows so far
  std::deque<float> rest(energies_.begin() + (cut - begin_), energies_.end());
  speech_ = std::max(speech, least_);  // a long piece is no noise
  end_piece(cut);
  begin_ = cut, last_speech_ = last, speech_ = std::max(least_, speech / 2), continues_ = true;
  energies_ = std::move(rest);
}

void SpeechCutter::end_piece(int64_t end_frame) {
  if (speech_ >= least_) {
    const int64_t begin =
        std::max(last_end_, (continues_ ? begin_ : std::max<int64_t>(0, begin_ - margin_)) * block_size_);
    last_end_ = std::min(end_frame * block_size_, samples_);
    if (begin < last_end_) done_.push_back({begin, last_end_});
  }
  begin_ = -1, energies_.clear();
}

std::vector<Span> SpeechCutter::push(std::span<const float> samples) {
  for (const float x : samples) {
    block_.count += 1, block_.sum += x, block_.squares += static_cast<double>(x) * x;
    ++samples_;
    if (block_.count >= static_cast<double>(block_size_)) end_block();
  }
  return std::exchange(done_, {});
}

std::vector<Span> SpeechCutter::finish() {
  if (block_.count > 0) end_block();
  if (blocks_ > 0) end_block();  // the energy of the last block
  while (!waiting_.empty()) decide();
  if (begin_ >= 0) end_piece(last_speech_ + 1 + margin_);
  return std::exchange(done_, {});
}

std::vector<Span> speech_spans(std::span<const float> samples, int64_t rate, const SilenceOptions& options) {
  SpeechCutter cutter(rate, options);
  std::vector<Span> out = cutter.push(samples);
  const std::vector<Span> last = cutter.finish();
  out.insert(out.end(), last.begin(), last.end());
  return out;
}

}  // namespace lookback::sound
