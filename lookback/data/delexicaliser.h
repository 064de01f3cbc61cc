// Values of a knowledge base out of texts, and back.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace lookback::data {

// Replaces what a dialogue knows by placeholders, so that a model learns where a value goes and not which one it is
// (Henderson et al. 2014, "Robust Dialog State Tracking using Delexicalised Recurrent Neural Network and Word
// Vectors").
//
// Made of the rows of a knowledge base, each a line "subject relation object" of three words. The k-th value that a
// relation has in these rows, from 1, equal ones counted once, has the placeholder "@relation#k"; subjects are values
// of the relation "name". Lines of other than three words, and those that begin with api_call, which tell what was
// asked for, are none. Values of one character and numbers of up to four, such as a rating, have no placeholder: they
// say how much, and stand in texts for other things as well.
class Delexicaliser {
 public:
  explicit Delexicaliser(std::string_view knowledge);

  // Each word, with white space around it, that is a value becomes its placeholder, that of the first row which has it
  // as subject or object; also one with punctuation (.,;:!?"'()[]) before or behind it. All else stays as it is.
  std::string encode(std::string_view text) const;
  // Each placeholder becomes its value; those that have none stay. decode(encode(x)) is x for any x that has no
  // placeholders itself.
  std::string decode(std::string_view text) const;

 private:
  std::unordered_map<std::string, std::string> placeholders_;  // of values
  std::unordered_map<std::string, std::string> values_;        // of placeholders
};

}  // namespace lookback::data
