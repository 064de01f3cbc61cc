// Private to tasks: running text for language models: lines one after the other, read in windows.
#pragma once

#include <cstdint>
#include <vector>

#include "lookback/data/table.h"
#include "lookback/metrics/perplexity.h"
#include "lookback/models/language_model.h"

namespace lookback::tasks {

// How much text a score is about: lines, words and characters as they are in the file, and the tokenizer's tokens.
struct TextCounts : metrics::TextSize {
  int64_t tokens = 0;  // with a line end each
};

// Lines as one run of tokens, each line ended by kEos.
struct LanguageText {
  std::vector<int32_t> ids;
  TextCounts counts;
  data::TableReport report;

  // Of the rows of a table of one column that keeps its text.
  explicit LanguageText(const data::Table& table);
};

// The same cut into `texts` stretches of equal length that are read side by side, window by window, each window going
// on where the one before ended. The fewer than `texts` tokens left over at the end are not read.
class LanguageWindows {
 public:
  // `steps`: of a window, on average. `jitter`: windows of training end somewhere else in each epoch, up to a quarter
  // of `steps` away (Merity et al. 2018 draw the lengths of windows too), so that every token is once far from where
  // gradients stop. Throws ConfigError for less text than that.
  LanguageWindows(LanguageText text, int64_t texts, int64_t steps, bool jitter);

  int64_t size() const { return windows_; }
  const data::TableReport& report() const { return text_.report; }
  const TextCounts& counts() const { return text_.counts; }
  std::span<const int32_t> ids() const { return text_.ids; }
  // Window index[0] as training sees it in an epoch, a function of (seed, epoch) and the text.
  LanguageBatch batch(const std::vector<int64_t>& index, uint64_t seed, int64_t epoch) const;
  // The same of held-out text.
  LanguageBatch batch(const std::vector<int64_t>& index) const;

 private:
  int64_t regular_begin(int64_t window) const;
  int64_t begin_of(int64_t window, uint64_t seed, int64_t epoch) const;
  LanguageBatch between(int64_t begin, int64_t end) const;

  LanguageText text_;
  int64_t texts_, steps_, length_, windows_;
  bool jitter_;
};

}  // namespace lookback::tasks
