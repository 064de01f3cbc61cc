#include "lookback/data/word_corpus.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "lookback/base/error.h"
#include "lookback/base/line_reader.h"
#include "lookback/base/utf8.h"
#include "lookback/data/unicode.h"
#include "lookback/data/vector_fields.h"

namespace lookback::data {
namespace {

constexpr int64_t kLongestSentence = 10'000;  // words; the same limit as in gensim

struct Hash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
};

// The text with words numbered as they come.
struct Reading {
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids;
  WordCorpus text;

  void add(std::string_view word, bool lowercase) {
    if (word.size() >= kMaxWordBytes || !valid_utf8(word)) {
      ++text.unreadable;
      return;
    }
    const std::string lower = lowercase ? lowercased(word) : std::string();
    if (lowercase) word = lower;
    auto it = ids.find(word);
    if (it == ids.end()) {
      check<FormatError>(text.words.size() < std::numeric_limits<int32_t>::max(), "more different words than 2^31");
      it = ids.emplace(word, static_cast<int32_t>(text.words.size())).first;
      text.words.emplace_back(word), text.counts.push_back(0);
    }
    ++text.counts[static_cast<size_t>(it->second)];
    text.tokens.push_back(it->second);
  }

  void add_line(std::string_view line, bool lowercase) {
    constexpr std::string_view kSpaces(" \t\n\v\f\r");
    for (size_t at = 0; (at = line.find_first_not_of(kSpaces, at)) != line.npos;) {
      const size_t end = std::min(line.find_first_of(kSpaces, at), line.size());
      add(line.substr(at, end - at), lowercase);
      at = end;
    }
    text.sentences.push_back(std::ssize(text.tokens));
  }
};

// The same text in which the words seen often enough are numbered by frequency and the others are not there.
void keep_frequent(WordCorpus& text, int64_t min_count) {
  std::vector<int32_t> order(text.words.size());
  std::iota(order.begin(), order.end(), 0);
  std::erase_if(order, [&](int32_t id) { return text.counts[static_cast<size_t>(id)] < min_count; });
  std::ranges::stable_sort(order, std::greater<>(), [&](int32_t id) { return text.counts[static_cast<size_t>(id)]; });
  std::vector<int32_t> rank(text.words.size(), -1);
  std::vector<std::string> words;
  std::vector<int64_t> counts;
  for (const int32_t id : order) {
    rank[static_cast<size_t>(id)] = static_cast<int32_t>(words.size());
    words.push_back(std::move(text.words[static_cast<size_t>(id)]));
    counts.push_back(text.counts[static_cast<size_t>(id)]);
  }
  text.words = std::move(words), text.counts = std::move(counts);

  std::vector<int64_t> sentences{0};
  int64_t kept = 0;
  for (size_t s = 0; s + 1 < text.sentences.size(); ++s) {
    for (int64_t k = text.sentences[s]; k < text.sentences[s + 1]; ++k) {
      const int32_t id = rank[static_cast<size_t>(text.tokens[static_cast<size_t>(k)])];
      if (id < 0) continue;
      text.tokens[static_cast<size_t>(kept++)] = id;
      if (kept - sentences.back() == kLongestSentence) sentences.push_back(kept);
    }
    if (kept > sentences.back()) sentences.push_back(kept);
  }
  text.tokens.resize(static_cast<size_t>(kept));
  text.sentences = std::move(sentences);
}

}  // namespace

WordCorpus read_word_corpus(std::span<const std::string> paths, const CorpusOptions& options) {
  Reading reading;
  WordCorpus& text = reading.text;
  text.sentences.push_back(0);
  for (const std::string& path : paths) {
    LineReader lines(path);
    for (std::string line; lines.next(line);) reading.add_line(line, options.lowercase);
  }
  const std::string first = paths.empty() ? "no file" : paths[0] == "-" ? "standard input" : paths[0];
  const std::string name = paths.size() > 1 ? str_cat(first, " and ", paths.size() - 1, " more") : first;
  check<FormatError>(!text.tokens.empty(), name, ": no words in it", text.unreadable ? " that are UTF-8" : "",
                     "; expected lines of text");
  text.tokens_in_text = std::ssize(text.tokens), text.distinct_words = std::ssize(text.words);
  const int64_t most = std::ranges::max(text.counts);
  check<ConfigError>(most >= options.min_count, name, ": no word is there ", options.min_count,
                     " times, the most frequent one ", most, most == 1 ? " time" : " times",
                     "; take more text, or a smaller min_count");
  reading.ids.clear();
  keep_frequent(text, options.min_count);
  return std::move(text);
}

}  // namespace lookback::data
