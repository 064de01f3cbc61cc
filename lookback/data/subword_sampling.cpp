#include "lookback/data/subword_sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

#include "lookback/base/elementary.h"
#include "lookback/base/utf8.h"
#include "lookback/data/vocab.h"

namespace lookback::data {
namespace {

constexpr float kUnknownPenalty = 10;  // SentencePiece's: an unknown character is this much below the worst piece

// Id of the piece of each byte value, or empty if the model has none.
std::vector<int32_t> byte_ids(const SpmModel& model) {
  std::vector<int32_t> out(model.byte_fallback ? 256 : 0);
  for (size_t k = 0; k < model.pieces.size(); ++k)
    if (model.pieces[k].type == SpmPieceType::byte)
      out[spm_byte(model.pieces[k].text).value()] = static_cast<int32_t>(k);
  return out;
}

size_t character(std::string_view s, size_t at) { return std::max<size_t>(1, utf8_length_at(s, at)); }

void append_unknown(std::string_view surface, const std::vector<int32_t>& bytes, std::vector<int32_t>& out) {
  if (!bytes.empty())
    for (const char c : surface) out.push_back(bytes[static_cast<uint8_t>(c)]);
  else if (out.empty() || out.back() != kUnk)
    out.push_back(kUnk);
}

}  // namespace

BpeSampler::BpeSampler(const SpmModel& model)
    : pieces_(model.pieces), bytes_(byte_ids(model)), space_is_suffix_(model.space_is_suffix) {
  for (size_t k = 0; k < pieces_.size(); ++k)
    if (pieces_[k].type == SpmPieceType::normal)
      mergeable_.emplace(pieces_[k].text, Entry{static_cast<int32_t>(k), pieces_[k].score});
}

std::vector<int32_t> BpeSampler::sample(std::string_view normalized, double dropout, Rng& rng) const {
  std::vector<int32_t> out;
  while (!normalized.empty()) {
    size_t end = normalized.find(kSpaceMark, space_is_suffix_ ? 0 : 1);
    if (end != std::string_view::npos && space_is_suffix_) end += kSpaceMark.size();
    const std::string_view word = normalized.substr(0, end);
    sample_word(word, dropout, rng, out);
    normalized.remove_prefix(word.size());
  }
  return out;
}

void BpeSampler::sample_word(std::string_view word, double dropout, Rng& rng, std::vector<int32_t>& out) const {
  struct Symbol {
    std::string_view text;  // empty once merged into its left neighbour
    int prev, next;         // -1 at the ends
  };
  struct Merge {
    float score;
    int left, right;
    size_t size;                                // of both together: tells whether either has changed since
    bool operator<(const Merge& other) const {  // best on top: highest score, then leftmost
      return score < other.score || (score == other.score && left > other.left);
    }
  };
  std::vector<Symbol> symbols;
  for (size_t at = 0; at < word.size(); at += symbols.back().text.size()) {
    const int k = static_cast<int>(symbols.size());
    symbols.push_back({word.substr(at, character(word, at)), k - 1, k + 1});
  }
  symbols.back().next = -1;

  std::priority_queue<Merge> open;
  const auto offer = [&](int left, int right) {
    if (left < 0 || right < 0) return;
    const std::string_view joined(symbols[left].text.data(), symbols[left].text.size() + symbols[right].text.size());
    if (const auto found = mergeable_.find(joined); found != mergeable_.end())
      open.push({found->second.score, left, right, joined.size()});
  };
  for (int k = 1; k < static_cast<int>(symbols.size()); ++k) offer(k - 1, k);

  // Walking from the best merge down until one is kept draws only the coins that matter: the same
  // distribution as dropping each possible merge with chance p and taking the best of the rest.
  std::vector<Merge> dropped;
  while (!open.empty()) {
    const Merge m = open.top();
    open.pop();
    Symbol &left = symbols[m.left], &right = symbols[m.right];
    if (left.text.empty() || right.text.empty() || left.text.size() + right.text.size() != m.size) continue;
    if (dropout > 0 && rng.uniform_double() < dropout) {
      dropped.push_back(m);
      continue;
    }
    left.text = {left.text.data(), m.size};
    right.text = {};
    left.next = right.next;
    if (right.next >= 0) symbols[right.next].prev = m.left;
    for (const Merge& again : dropped) open.push(again);
    dropped.clear();
    offer(left.prev, m.left);
    offer(m.left, left.next);
  }
  for (int k = 0; k >= 0; k = symbols[k].next) {
    const auto found = mergeable_.find(symbols[k].text);
    if (found != mergeable_.end())
      out.push_back(found->second.id);
    else
      append_unknown(symbols[k].text, bytes_, out);
  }
}

UnigramSampler::UnigramSampler(const SpmModel& model) : piece_{-1}, bytes_(byte_ids(model)) {
  float worst = std::numeric_limits<float>::infinity();
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const SpmPiece& p = model.pieces[id];
    scores_.push_back(p.score);
    if (p.type != SpmPieceType::normal) continue;
    worst = std::min(worst, p.score);
    uint64_t node = 0;
    for (const char c : p.text) {
      const auto [entry, fresh] =
          child_.try_emplace(node << 8 | static_cast<uint8_t>(c), static_cast<int32_t>(piece_.size()));
      if (fresh) piece_.push_back(-1);
      node = static_cast<uint64_t>(entry->second);
    }
    piece_[node] = static_cast<int32_t>(id);
  }
  unknown_score_ = (std::isfinite(worst) ? worst : 0) - kUnknownPenalty;
}

std::vector<int32_t> UnigramSampler::sample(std::string_view normalized, double alpha, Rng& rng) const {
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  const size_t n = normalized.size();
  std::vector<Edge> edges;
  std::vector<int32_t> last(n + 1, -1);     // of the edges that end here, the one added last
  std::vector<double> total(n + 1, kNone);  // log of the summed weight of all cuts of the text up to here
  total[0] = 0;
  const auto add = [&](size_t begin, size_t end, int32_t id, float score) {
    const double w = total[begin] + alpha * score;
    edges.push_back({static_cast<uint32_t>(begin), id, w, last[end]});
    last[end] = static_cast<int32_t>(edges.size()) - 1;
    const double hi = std::max(w, total[end]), lo = std::min(w, total[end]);
    total[end] = hi + elementary::log(1 + elementary::exp(lo - hi));
  };
  for (size_t begin = 0; begin < n; begin += character(normalized, begin)) {
    const size_t one = character(normalized, begin);
    bool known = false;
    uint64_t node = 0;
    for (size_t end = begin; end < n;) {
      const auto found = child_.find(node << 8 | static_cast<uint8_t>(normalized[end++]));
      if (found == child_.end()) break;
      node = static_cast<uint64_t>(found->second);
      const int32_t id = piece_[node];
      if (id < 0) continue;
      add(begin, end, id, scores_[static_cast<size_t>(id)]);
      known |= end == begin + one;
    }
    if (!known) add(begin, begin + one, kUnk, unknown_score_);
  }

  std::vector<std::pair<size_t, int32_t>> cut;  // (end, edge), from the back
  for (size_t end = n; end > 0; end = edges[static_cast<size_t>(cut.back().second)].begin) {
    double left = rng.uniform_double();
    int32_t e = last[end];
    for (; edges[e].next >= 0; e = edges[e].next) {
      left -= elementary::exp(edges[e].weight - total[end]);
      if (left < 0) break;
    }
    cut.emplace_back(end, e);
  }
  std::vector<int32_t> out;
  for (auto it = cut.rbegin(); it != cut.rend(); ++it) {
    const Edge& e = edges[static_cast<size_t>(it->second)];
    if (e.id == kUnk)
      append_unknown(normalized.substr(e.begin, it->first - e.begin), bytes_, out);
    else
      out.push_back(e.id);
  }
  return out;
}

}  // namespace lookback::data
