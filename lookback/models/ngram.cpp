#include "lookback/models/ngram.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"
#include "lookback/data/vocab.h"

namespace lookback {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

double discounted(uint32_t count, const NgramDiscounts& d) {
  return count == 0 ? 0 : count - d.d[std::min<uint32_t>(count, 3) - 1];
}

NgramDiscounts discounts_of(std::span<const uint32_t> counts) {
  std::array<double, 5> n = {};
  for (const uint32_t c : counts)
    if (c < n.size()) n[c] += 1;
  NgramDiscounts out;
  const double y = n[1] / (n[1] + 2 * n[2]);
  for (size_t k = 1; k <= 3; ++k) {
    const auto kept = static_cast<double>(k);
    const double d = kept - (kept + 1) * y * n[k + 1] / n[k];
    if (n[k] == 0 || d < 0 || d > kept) return {.d = {0.5, 1, 1.5}, .fallback = true};
    out.d[k - 1] = d;
  }
  return out;
}

}  // namespace

// All sentences one after the other, each with its begin and its end. An n-gram of the text is known by the place of
// its last word.
struct NgramModel::Text {
  std::vector<int32_t> words;
  std::vector<uint8_t> before;    // words before this one in its sentence, up to kMaxNgramOrder
  std::vector<uint32_t> by_word;  // places, sorted by word
  std::vector<uint32_t> ngrams;   // of each place the number of the n-gram that ends there, kNone where none does

  Text(const Sentences& sentences, int64_t vocabulary) {
    size_t size = 2 * sentences.size();
    for (const auto& s : sentences) size += s.size();
    check<ConfigError>(size < kNone, "n-grams: a text of ", size, " words; at most ", kNone - 1, " can be counted");
    words.reserve(size), before.reserve(size);
    for (const auto& s : sentences) {
      uint8_t at = 0;
      const auto add = [&](int32_t word) {
        words.push_back(word), before.push_back(at);
        if (at < kMaxNgramOrder) ++at;
      };
      add(data::kBos);
      for (const int32_t word : s) add(word);
      add(data::kEos);
    }
    by_word = sorted(
        static_cast<size_t>(vocabulary), [&](size_t place) { return static_cast<uint32_t>(words[place]); },
        [&](auto&& f) {
          for (uint32_t place = 0; place < words.size(); ++place) f(place);
        });
    ngrams.assign(words.begin(), words.end());
  }

  // The places that `each` goes through, sorted by key(place) < keys; equals stay in their order.
  template <class Key, class Each>
  static std::vector<uint32_t> sorted(size_t keys, Key&& key, Each&& each) {
    std::vector<uint32_t> ends(keys + 1, 0);
    each([&](uint32_t place) { ++ends[key(place) + 1]; });
    std::partial_sum(ends.begin(), ends.end(), ends.begin());
    std::vector<uint32_t> out(ends.back());
    each([&](uint32_t place) { out[ends[key(place)]++] = place; });
    return out;
  }

  bool begins(size_t place, int64_t n) const { return before[place] == n - 1; }
};

NgramScore& NgramScore::operator+=(const NgramScore& other) {
  nats += other.nats, tokens += other.tokens;
  unknown_nats += other.unknown_nats, unknown += other.unknown;
  return *this;
}

NgramModel::Level NgramModel::unigrams(const Text& text, int64_t vocabulary, bool highest) {
  Level out;
  out.words.resize(static_cast<size_t>(vocabulary));
  std::iota(out.words.begin(), out.words.end(), 0);
  out.counts.assign(out.words.size(), 0);
  if (highest)
    for (const int32_t word : text.words) ++out.counts[static_cast<size_t>(word)];
  out.counts[data::kBos] = 0;  // which nothing is followed by
  return out;
}

// n-grams of n words from those of n - 1, of which the adjusted counts become known on the way.
NgramModel::Level NgramModel::longer(Text& text, Level& shorter, int64_t n, bool highest) {
  // Sorted by word, and then by what stands before the word: sorted by both.
  const std::vector<uint32_t> places = Text::sorted(
      shorter.words.size(), [&](size_t place) { return text.ngrams[place - 1]; },
      [&](auto&& f) {
        for (const uint32_t place : text.by_word)
          if (text.before[place] >= n - 1) f(place);
      });
  Level out;
  std::vector<uint32_t> ngrams(text.words.size(), kNone);
  shorter.follows.assign(shorter.words.size() + 1, 0);
  for (size_t first = 0, end = 0; first < places.size(); first = end) {
    const uint32_t place = places[first], context = text.ngrams[place - 1];
    const int32_t word = text.words[place];
    const auto number = static_cast<uint32_t>(out.words.size());
    for (; end < places.size() && text.ngrams[places[end] - 1] == context && text.words[places[end]] == word; ++end)
      ngrams[places[end]] = number;
    const bool as_often_as_it_stands = highest || text.begins(place, n);
    out.words.push_back(word);
    out.counts.push_back(as_often_as_it_stands ? static_cast<uint32_t>(end - first) : 0);
    ++shorter.follows[context + 1];
    ++shorter.counts[text.ngrams[place]];  // without its first word: one more word stands before it
  }
  std::partial_sum(shorter.follows.begin(), shorter.follows.end(), shorter.follows.begin());
  text.ngrams = std::move(ngrams);
  return out;
}

// sum_v a(c v) and gamma(c), from the a(c v).
void NgramModel::weigh(std::span<const uint32_t> counts, const NgramDiscounts& d, uint32_t& total, double& gamma) {
  std::array<double, 4> n = {};
  total = 0;
  for (const uint32_t c : counts) total += c, n[std::min<uint32_t>(c, 3)] += 1;
  if (total > 0) gamma = (d.d[0] * n[1] + d.d[1] * n[2] + d.d[2] * n[3]) / total;
}

void NgramModel::weigh_contexts() {
  for (Level& level : levels_) level.discounts = discounts_of(level.counts);
  weigh(levels_[0].counts, levels_[0].discounts, total_, gamma_);
  for (size_t n = 1; n < levels_.size(); ++n) {
    Level& contexts = levels_[n - 1];
    const size_t size = contexts.words.size();
    contexts.totals.resize(size), contexts.gammas.assign(size, 1);
    for (size_t k = 0; k < size; ++k) {
      const auto from = contexts.follows[k], to = contexts.follows[k + 1];
      weigh(std::span(levels_[n].counts).subspan(from, to - from), levels_[n].discounts, contexts.totals[k],
            contexts.gammas[k]);
    }
  }
}

NgramModel NgramModel::fit(const Sentences& sentences, int64_t vocabulary, const NgramOptions& options) {
  check<ConfigError>(options.order >= 1 && options.order <= kMaxNgramOrder, "n-grams: order ", options.order,
                     "; it must lie between 1 and ", kMaxNgramOrder);
  check<ConfigError>(vocabulary >= data::kSpecials && vocabulary <= std::numeric_limits<int32_t>::max(),
                     "n-grams: a vocabulary of ", vocabulary, "; it has at least the ", data::kSpecials, " specials");
  check<FormatError>(!sentences.empty(), "n-grams: there is no text to learn from");
  NgramModel out(vocabulary);
  for (const auto& s : sentences)
    for (const int32_t word : s) out.check_word(word, "in a sentence");

  Text text(sentences, vocabulary);
  out.levels_.push_back(unigrams(text, vocabulary, options.order == 1));
  for (int64_t n = 2; n <= options.order; ++n)
    out.levels_.push_back(longer(text, out.levels_.back(), n, n == options.order));
  out.weigh_contexts();
  return out;
}

double NgramModel::step(State& state, int32_t word) const {
  const auto id = static_cast<size_t>(word);
  const Level& single = levels_[0];
  double p = gamma_ / static_cast<double>(vocabulary_ - 2);
  p += discounted(single.counts[id], single.discounts) / total_;
  State next{.ngrams = {static_cast<uint32_t>(id)}, .length = 1};
  for (int64_t n = 1; n <= state.length; ++n) {  // n words of context
    const Level &contexts = levels_[static_cast<size_t>(n - 1)], &level = levels_[static_cast<size_t>(n)];
    const uint32_t context = state.ngrams[static_cast<size_t>(n - 1)];
    if (contexts.totals[context] == 0) break;  // nor did anything come after longer ones
    p *= contexts.gammas[context];
    const auto begin = level.words.begin() + contexts.follows[context];
    const auto end = level.words.begin() + contexts.follows[context + 1];
    const auto found = std::lower_bound(begin, end, word);
    if (found == end || *found != word) continue;
    const auto ngram = static_cast<uint32_t>(found - level.words.begin());
    p += discounted(level.counts[ngram], level.discounts) / contexts.totals[context];
    if (next.length == n) next.ngrams[static_cast<size_t>(next.length++)] = ngram;
  }
  next.length = std::min(next.length, order() - 1);
  state = next;
  return p;
}

double NgramModel::log_prob(std::span<const int32_t> context, int32_t word) const {
  context = context.last(std::min(context.size(), static_cast<size_t>(order() - 1)));
  State state;
  for (size_t k = 0; k < context.size(); ++k) {
    check_word(context[k] == data::kBos && k == 0 ? data::kUnk : context[k], "in a context");
    step(state, context[k]);
  }
  check_word(word == data::kEos ? data::kUnk : word, "after a context");
  return elementary::log(step(state, word));
}

NgramScore NgramModel::score(std::span<const int32_t> sentence) const {
  NgramScore out;
  State state;
  const auto add = [&](int32_t word) {
    const double nats = -elementary::log(step(state, word));
    out.nats += nats, out.tokens += 1;
    if (!known(word)) out.unknown_nats += nats, out.unknown += 1;
  };
  step(state, data::kBos);
  for (const int32_t word : sentence) check_word(word, "in a sentence"), add(word);
  add(data::kEos);
  return out;
}

NgramScore NgramModel::score(const Sentences& sentences) const {
  NgramScore out;
  for (const auto& s : sentences) out += score(s);
  return out;
}

bool NgramModel::known(int32_t word) const {
  check(word >= 0 && word < vocabulary_, "n-grams: word ", word, " is not in a vocabulary of ", vocabulary_);
  return levels_[0].counts[static_cast<size_t>(word)] > 0;
}

int64_t NgramModel::size(int64_t n) const {
  check(n >= 1 && n <= order(), "n-grams: ", n, " words; the order is ", order());
  const Level& level = levels_[static_cast<size_t>(n - 1)];
  if (n > 1) return std::ssize(level.words);
  return std::ranges::count_if(level.counts, [](uint32_t c) { return c > 0; });
}

const NgramDiscounts& NgramModel::discounts(int64_t n) const {
  check(n >= 1 && n <= order(), "n-grams: ", n, " words; the order is ", order());
  return levels_[static_cast<size_t>(n - 1)].discounts;
}

void NgramModel::check_word(int32_t word, const char* where) const {
  check(word >= 0 && word < vocabulary_, "n-grams: word ", word, " is not in a vocabulary of ", vocabulary_);
  if (word == data::kBos || word == data::kEos || word == data::kPad)
    throw ShapeError(str_cat("n-grams: ", data::kSpecialNames[static_cast<size_t>(word)], " stands ", where));
}

}  // namespace lookback
