// Private to data: text within the limits of the library that learns subwords from it.
//
// SentencePiece counts positions of a word in 16 bits and characters of the text in 31, and ends the program where they
// do not suffice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lookback/data/tokenizer.h"

namespace lookback::data {

// The most a line may have, in bytes: SentencePiece's own default. Normalisation makes at most 18 characters of one.
constexpr size_t kMaxTrainingLine = 4192;

struct TrainingLines {
  std::vector<std::string> lines;
  int64_t cut = 0;             // lines that were too long and became several
  int64_t words_left_out = 0;  // words too long to be one, and no text that can be cut between characters
  int64_t thinned = 0;         // lines left out because there was too much text
  std::string first_word;      // how the first of those words begins
};

// Reads all lines. Those that are not UTF-8 or blank are passed over (reading the table counts them). A line over
// kMaxTrainingLine is cut at white space; a word as long as that is cut between two characters where its script is
// written without spaces (Chinese, Japanese, Thai ...), after a punctuation mark if there is one near, and else left
// out. Of more than `max_bytes` a part is kept, spread evenly over the text and the same for the same text.
TrainingLines training_lines(const LineSource& source, bool lowercase, int64_t max_bytes);

// What was cut and left out, for the log; empty if nothing was.
std::string describe(const TrainingLines& lines);

}  // namespace lookback::data
