// Stories and questions about them, in the files of bAbI (Weston et al. 2016, "Towards AI-complete question answering")
// and as cells of any other: sentences with line feeds between.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/data/tokenizer.h"

namespace lookback::data {

// The lines of a file of bAbI, one by one: "ID text" adds a sentence to the story, "ID question TAB answer" asks about
// what was told so far, with anything after another TAB passed over; ID 1 begins a new story.
class StoryLines {
 public:
  struct Question {
    std::string story, question, answer;
  };
  enum class Line { sentence, question, broken };
  // A question is left in `out`. A broken line begins with no number, or asks nothing or without an answer.
  Line read(std::string_view line, Question& out);

 private:
  std::string story_;
};

// The sentences of a story: its lines that are not blank.
std::vector<std::string> sentences_of_story(std::string_view story);

// Encodes a story: the tokens of each of its sentences, and kEos behind each.
class StoryTokens final : public CellEncoder {
 public:
  explicit StoryTokens(std::shared_ptr<const Tokenizer> tokenizer) : tokenizer_(std::move(tokenizer)) {}

  std::vector<int32_t> encode(std::string_view story) const override;
  std::vector<int32_t> encode_sampled(std::string_view story, Rng& rng) const override;
  double sampling() const override { return tokenizer_->sampling(); }
  int64_t size() const override { return tokenizer_->size(); }
  // The tokens of each sentence.
  static std::vector<std::vector<int32_t>> sentences(const std::vector<int32_t>& ids);

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
};

}  // namespace lookback::data
