#include "lookback/tasks/language_text.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/data/vocab.h"

namespace lookback::tasks {

LanguageText::LanguageText(const data::Table& table) : report(table.report()) {
  for (int64_t k = 0; k < table.size(); ++k) {
    const data::Ids line = table.ids(0, k);
    ids.insert(ids.end(), line.begin(), line.end());
    ids.push_back(data::kEos);
    counts.add(table.text(0, k));
  }
  counts.tokens = std::ssize(ids);
}

LanguageWindows::LanguageWindows(LanguageText text, int64_t texts, int64_t steps, bool jitter)
    : text_(std::move(text)),
      texts_(texts),
      steps_(steps),
      length_(std::ssize(text_.ids) / texts),
      windows_(std::max<int64_t>(1, (length_ + steps / 2) / steps)),
      jitter_(jitter && steps >= 4) {
  check<ConfigError>(length_ > 0, "a text of ", text_.ids.size(), " tokens cannot be read in ", texts,
                     " stretches side by side; lower the batch");
}

int64_t LanguageWindows::regular_begin(int64_t window) const { return window * length_ / windows_; }

int64_t LanguageWindows::begin_of(int64_t window, uint64_t seed, int64_t epoch) const {
  const int64_t regular = regular_begin(window);
  if (!jitter_ || window == 0 || window == windows_) return regular;
  constexpr uint64_t kStream = 0x6c616e67;  // apart from the streams of a batch's order
  const auto word = Stream{seed, kStream + static_cast<uint64_t>(epoch)}.words(static_cast<uint64_t>(window))[0];
  const int64_t reach = steps_ / 4;
  const int64_t moved = regular - reach + static_cast<int64_t>(word % static_cast<uint64_t>(2 * reach + 1));
  return std::clamp<int64_t>(moved, 0, length_);
}

LanguageBatch LanguageWindows::between(int64_t begin, int64_t end) const {
  LanguageBatch out{.texts = texts_};
  const size_t count = static_cast<size_t>((end - begin) * texts_);
  out.ids.reserve(count), out.targets.reserve(count);
  for (int64_t t = begin; t < end; ++t)
    for (int64_t b = 0; b < texts_; ++b) {
      const auto at = static_cast<size_t>(b * length_ + t);
      out.ids.push_back(at == 0 ? data::kEos : text_.ids[at - 1]);  // a text begins behind a line's end
      out.targets.push_back(text_.ids[at]);
    }
  return out;
}

LanguageBatch LanguageWindows::batch(const std::vector<int64_t>& index, uint64_t seed, int64_t epoch) const {
  check(index.size() == 1, "windows are read one by one, not ", index.size(), " at once");
  return between(begin_of(index[0], seed, epoch), begin_of(index[0] + 1, seed, epoch));
}

LanguageBatch LanguageWindows::batch(const std::vector<int64_t>& index) const {
  check(index.size() == 1, "windows are read one by one, not ", index.size(), " at once");
  return between(regular_begin(index[0]), regular_begin(index[0] + 1));
}

}  // namespace lookback::tasks
