#include "lookback/models/window_sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lookback/base/elementary.h"

namespace lookback {
namespace {

constexpr int64_t kPiece = 4096;  // words
constexpr int kMostDraws = 16;    // before a negative is taken from all others alike
constexpr double kPower = 0.75;   // Mikolov et al. 2013, section 2.2
constexpr double kWhole = 0x1p32;

// In [0, n), from one word of 32 bits; n is far smaller.
int64_t below(int64_t n, Rng& rng) {
  return static_cast<int64_t>((static_cast<uint64_t>(rng.next()) * static_cast<uint64_t>(n)) >> 32);
}

}  // namespace

void Windows::number_inputs(int64_t windows_of_block) {
  block_words.clear(), block_begin.assign(1, 0);
  std::vector<int32_t> words;
  for (int64_t n = 0; n < size(); n += windows_of_block) {
    const int64_t first = begin[static_cast<size_t>(n)],
                  last = begin[static_cast<size_t>(std::min(size(), n + windows_of_block))];
    const std::span<int32_t> block =
        std::span(inputs).subspan(static_cast<size_t>(first), static_cast<size_t>(last - first));
    words.assign(block.begin(), block.end());
    std::ranges::sort(words);
    words.erase(std::unique(words.begin(), words.end()), words.end());
    for (int32_t& id : block) id = static_cast<int32_t>(std::ranges::lower_bound(words, id) - words.begin());
    block_words.insert(block_words.end(), words.begin(), words.end());
    block_begin.push_back(std::ssize(block_words));
  }
}

WindowSampler::WindowSampler(const data::WordCorpus& text, const WindowOptions& options)
    : text_(text), options_(options) {
  pieces_.push_back(0);
  const auto S = std::ssize(text.sentences) - 1;
  const auto start = [&](int64_t s) { return text.sentences[static_cast<size_t>(s)]; };
  for (int64_t s = 1; s <= S; ++s)
    if (s == S || start(s) - start(pieces_.back()) >= kPiece) pieces_.push_back(s);

  const auto total = static_cast<double>(std::accumulate(text.counts.begin(), text.counts.end(), int64_t{0}));
  double kept = 0, draws = 0;
  for (const int64_t count : text.counts) {
    const double n = static_cast<double>(count), f = n / total, s = options.sample;
    const double keep = s > 0 ? std::min(1.0, (std::sqrt(f / s) + 1) * s / f) : 1;
    keep_.push_back(static_cast<uint64_t>(keep * kWhole));
    share_.push_back(n * keep), negative_share_.push_back(elementary::pow(n, kPower));
    kept += share_.back(), draws += negative_share_.back();
  }
  for (double& x : share_) x /= kept;
  for (double& x : negative_share_) x /= draws;
  make_alias_table();
}

// Walker's method in the way of Vose 1991, "A linear algorithm for generating random numbers with a given
// distribution".
void WindowSampler::make_alias_table() {
  const size_t V = negative_share_.size();
  std::vector<double> height(V);
  std::vector<int32_t> small, large;
  for (size_t w = 0; w < V; ++w) {
    height[w] = negative_share_[w] * static_cast<double>(V);
    (height[w] < 1 ? small : large).push_back(static_cast<int32_t>(w));
  }
  alias_.resize(V);
  for (size_t w = 0; w < V; ++w) alias_[w] = {0xFFFFFFFF, static_cast<int32_t>(w)};
  while (!small.empty() && !large.empty()) {
    const auto low = static_cast<size_t>(small.back()), high = static_cast<size_t>(large.back());
    small.pop_back();
    alias_[low] = {static_cast<uint32_t>(height[low] * kWhole), static_cast<int32_t>(high)};
    height[high] -= 1 - height[low];
    if (height[high] < 1) large.pop_back(), small.push_back(static_cast<int32_t>(high));
  }
}

int32_t WindowSampler::negative(int32_t other_than, Rng& rng) const {
  const auto V = std::ssize(alias_);
  for (int k = 0; k < kMostDraws; ++k) {
    const int64_t at = below(V, rng);
    const Alias& a = alias_[static_cast<size_t>(at)];
    const int32_t word = rng.next() < a.own ? static_cast<int32_t>(at) : a.another;
    if (word != other_than) return word;
  }
  return static_cast<int32_t>((other_than + 1 + below(V - 1, rng)) % V);
}

void WindowSampler::draw_sentence(std::span<const int32_t> kept, Rng& rng, Windows& out) const {
  const auto size = std::ssize(kept);
  for (int64_t n = 0; n < size; ++n) {
    const int64_t reach = 1 + below(options_.window, rng);
    const int64_t first = std::max<int64_t>(0, n - reach), last = std::min(size - 1, n + reach);
    if (first == last) continue;  // the only word of its sentence
    out.inputs.insert(out.inputs.end(), kept.begin() + first, kept.begin() + n);
    out.inputs.insert(out.inputs.end(), kept.begin() + n + 1, kept.begin() + last + 1);
    out.begin.push_back(std::ssize(out.inputs));
    const int32_t word = kept[static_cast<size_t>(n)];
    out.outputs.push_back(word);
    for (int64_t k = 0; k < options_.negatives; ++k) out.outputs.push_back(negative(word, rng));
  }
}

void WindowSampler::draw(int64_t piece, Rng& rng, Windows& out) const {
  const auto sentence = [&](int64_t s) { return text_.sentences[static_cast<size_t>(s)]; };
  const int64_t first = pieces_[static_cast<size_t>(piece)], last = pieces_[static_cast<size_t>(piece) + 1];
  out.begin.assign(1, 0), out.inputs.clear(), out.outputs.clear();
  out.tokens = sentence(last) - sentence(first);
  std::vector<int32_t> kept;
  for (int64_t s = first; s < last; ++s) {
    kept.clear();
    for (int64_t k = sentence(s); k < sentence(s + 1); ++k) {
      const int32_t word = text_.tokens[static_cast<size_t>(k)];
      if (rng.next() < keep_[static_cast<size_t>(word)]) kept.push_back(word);
    }
    draw_sentence(kept, rng, out);
  }
}

}  // namespace lookback
