#include "lookback/data/training_lines.h"

#include <algorithm>
#include <string_view>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/base/utf8.h"
#include "lookback/data/unicode.h"
#include "lookback/data/word_rules.h"

namespace lookback::data {
namespace {

constexpr size_t kShownBytes = 24;  // of a word in a message

// Keeps lines up to a number of bytes: each line has a number drawn from its place in the text, and those with the
// least numbers stay.
class Thinned {
 public:
  explicit Thinned(int64_t max_bytes) : max_bytes_(max_bytes) {}

  void add(std::string line) {
    const uint32_t number = numbers_.words(static_cast<uint64_t>(count_++))[0];
    if (number > threshold_) return;
    bytes_ += std::ssize(line);
    kept_.push_back({number, std::move(line)});
    while (bytes_ > max_bytes_ && threshold_ > 0) {
      threshold_ /= 2;
      std::erase_if(kept_, [&](const Kept& k) {
        if (k.number > threshold_) bytes_ -= std::ssize(k.line);
        return k.number > threshold_;
      });
    }
  }

  int64_t left_out() const { return count_ - std::ssize(kept_); }
  std::vector<std::string> take() {
    std::vector<std::string> out;
    out.reserve(kept_.size());
    for (Kept& k : kept_) out.push_back(std::move(k.line));
    return out;
  }

 private:
  struct Kept {
    uint32_t number;
    std::string line;
  };

  const int64_t max_bytes_;
  const Stream numbers_{0, 0x6C696E6573};
  std::vector<Kept> kept_;
  int64_t bytes_ = 0, count_ = 0;
  uint32_t threshold_ = UINT32_MAX;
};

// The most bytes of s up to n that are whole code points.
size_t whole_characters(std::string_view s, size_t n) {
  if (n >= s.size()) return s.size();
  while (n > 0 && (static_cast<uint8_t>(s[n]) & 0xC0) == 0x80) --n;
  return n;
}

// Where the first piece of a long word ends: between two characters, if possible after a punctuation mark.
size_t end_of_piece(std::string_view word) {
  const size_t most = whole_characters(word, kMaxTrainingLine);
  const std::vector<std::string_view> characters = graphemes(word.substr(0, most));
  // The last character may go on beyond the bound.
  size_t end = 0, mark = 0;
  for (size_t k = 0; k + 1 < characters.size(); ++k) {
    end += characters[k].size();
    if (end > most / 2 && is_punctuation(codepoint(characters[k]))) mark = end;
  }
  return mark > 0 ? mark : end > 0 ? end : most;
}

class Cutter {
 public:
  Cutter(TrainingLines& out, int64_t max_bytes) : out_(out), kept_(max_bytes) {}

  void add(std::string line) {
    if (line.size() <= kMaxTrainingLine) return kept_.add(std::move(line));
    ++out_.cut;
    std::string_view together;  // words that fit into one line
    for (const std::string_view word : split_spaces(line)) {
      const auto both = static_cast<size_t>(word.data() + word.size() - together.data());
      if (!together.empty() && both <= kMaxTrainingLine) {
        together = {together.data(), both};
        continue;
      }
      if (!together.empty()) kept_.add(std::string(together));
      together = word.size() <= kMaxTrainingLine ? word : std::string_view();
      if (together.empty()) add_word(word);
    }
    if (!together.empty()) kept_.add(std::string(together));
  }

  void finish() {
    out_.thinned = kept_.left_out();
    out_.lines = kept_.take();
  }

 private:
  void add_word(std::string_view word) {
    while (word.size() > kMaxTrainingLine) {
      if (!is_unspaced(codepoint(word.substr(0, utf8_length_at(word, 0))))) {
        if (out_.words_left_out++ == 0) out_.first_word = word.substr(0, whole_characters(word, kShownBytes));
        return;
      }
      const size_t end = end_of_piece(word);
      kept_.add(std::string(word.substr(0, end)));
      word.remove_prefix(end);
    }
    kept_.add(std::string(word));
  }

  TrainingLines& out_;
  Thinned kept_;
};

}  // namespace

TrainingLines training_lines(const LineSource& source, bool lowercase, int64_t max_bytes) {
  TrainingLines out;
  Cutter cutter(out, max_bytes);
  for (std::string line; source(line);) {
    if (!valid_utf8(line) || line.find_first_not_of(" \t") == std::string::npos) continue;
    // A zero byte ends a string in parts of the trainer.
    std::replace(line.begin(), line.end(), '\0', ' ');
    cutter.add(lowercase ? lowercased(line) : std::move(line));
  }
  cutter.finish();
  return out;
}

std::string describe(const TrainingLines& t) {
  std::string out;
  const auto add = [&](const std::string& what) { out += (out.empty() ? "" : "; ") + what; };
  if (t.words_left_out > 0)
    add(str_cat(t.words_left_out, t.words_left_out == 1 ? " word" : " words", " of more than ", kMaxTrainingLine,
                " bytes left out, the first begins with '", t.first_word, "'"));
  if (t.cut > 0) add(str_cat(t.cut, t.cut == 1 ? " line" : " lines", " of more than ", kMaxTrainingLine, " bytes cut"));
  if (t.thinned > 0)
    add(str_cat(t.thinned, " lines left out, evenly, since there is too much text to learn from at once"));
  return out;
}

}  // namespace lookback::data
