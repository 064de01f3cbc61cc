#include "lookback/decode/sentence_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"

namespace lookback::decode {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

// Adds every token that would complete an n-gram `history` already holds.
void exclude_repeats(const std::vector<int32_t>& history, int64_t n, std::vector<int32_t>& excluded) {
  const int64_t length = static_cast<int64_t>(history.size()), context = n - 1;
  for (int64_t at = 0; at + n <= length; ++at)
    if (std::equal(history.begin() + at, history.begin() + at + context, history.end() - context))
      excluded.push_back(history[static_cast<size_t>(at + context)]);
}

}  // namespace

int32_t Choice::column(int32_t token) const {
  if (candidates.empty()) return token;
  const auto at = std::lower_bound(candidates.begin(), candidates.end(), token);
  return at != candidates.end() && *at == token ? static_cast<int32_t>(at - candidates.begin()) : -1;
}

double Choice::log_prob(int32_t token) const {
  const int32_t at = column(token);
  return at < 0 ? kImpossible : static_cast<double>(logits[static_cast<size_t>(at)]) - scan.log_sum_exp;
}

SentenceSearch::SentenceSearch(const SearchOptions& options, const Scorer& scorer, const SourceInfo& source,
                               int64_t vocabulary, int64_t index)
    : options_(options),
      scorer_(scorer),
      source_(source),
      vocabulary_(vocabulary),
      index_(index),
      limit_(length_limit(options, source)),
      trellis_(source.source_length) {
  const int64_t draws = options.sample ? options.n_best : 1;
  for (int64_t k = 0; k < draws; ++k) open_.push_back({Trellis::kRoot, 0.0, 0, k});
  if (options.sample) ended_.resize(static_cast<size_t>(draws));
  // Without an eos nothing can happen at the limit.
  done_ = limit_ == 0 && options.specials.eos < 0;
  if (done_) ended_.assign(static_cast<size_t>(draws), {Trellis::kRoot, false, score(Trellis::kRoot, 0.0)});
}

int32_t SentenceSearch::previous(int64_t row) const {
  if (length_ == 0) return options_.specials.bos;
  return trellis_.last_token(open_[static_cast<size_t>(row)].node);
}

void SentenceSearch::constrain(int64_t hypothesis, Choice& choice) const {
  const Specials& s = options_.specials;
  const size_t at = static_cast<size_t>(length_);
  choice.forced = at < source_.prefix.size() ? source_.prefix[at] : -1;
  choice.eos_allowed = s.eos >= 0 && choice.forced < 0 && length_ >= options_.min_length;
  choice.excluded.clear();
  if (choice.forced >= 0) return;
  for (const int32_t token : {s.eos, s.bos, s.pad, options_.allow_unk ? -1 : s.unk})
    if (token >= 0 && token < vocabulary_) choice.excluded.push_back(token);
  if (options_.no_repeat_ngram > 0) {
    trellis_.tokens(open_[static_cast<size_t>(hypothesis)].node, choice.history);
    exclude_repeats(choice.history, options_.no_repeat_ngram, choice.excluded);
  }
  for (int32_t& token : choice.excluded) token = choice.column(token);
  std::erase(choice.excluded, -1);
  std::sort(choice.excluded.begin(), choice.excluded.end());
  choice.excluded.erase(std::unique(choice.excluded.begin(), choice.excluded.end()), choice.excluded.end());
}

void SentenceSearch::choose(int64_t hypothesis, Choice& choice) const {
  constrain(hypothesis, choice);
  const int32_t eos = options_.specials.eos;
  const int64_t wanted = choice.forced >= 0 ? 0 : options_.sample ? 1 : options_.beam;
  scan_row(choice.logits, wanted, choice.excluded, choice.scan,
           options_.only_best() ? ScanFor::best : ScanFor::best_and_sum);
  for (Candidate& c : choice.scan.top) c.token = choice.token(c.token);
  choice.drawn = choice.forced;
  if (choice.scan.fault != RowFault::none || choice.forced >= 0) return;
  if (choice.scan.top.empty() && eos >= 0) choice.eos_allowed = true;
  if (!options_.sample) return;

  if (choice.eos_allowed) std::erase(choice.excluded, choice.column(eos));
  const int64_t draw_index = open_[static_cast<size_t>(hypothesis)].draw;
  const Stream stream{static_cast<uint64_t>(options_.seed), source_.key};
  const auto words = stream.words((static_cast<uint64_t>(draw_index) << 32) | static_cast<uint64_t>(length_));
  const double u = static_cast<double>(((uint64_t{words[0]} << 32) | words[1]) >> 11) * 0x1p-53;
  choice.drawn =
      draw(choice.logits, choice.excluded,
           {.temperature = options_.temperature, .top_k = options_.top_k, .top_p = options_.top_p}, u, choice.scratch);
  if (choice.drawn >= 0) choice.drawn = choice.token(choice.drawn);
}

int64_t SentenceSearch::best_needed() const {
  constexpr int64_t kSpecials = 4;
  return kSpecials + (options_.no_repeat_ngram > 0 ? length_ : 0) + 1;
}

int64_t SentenceSearch::extend(const Open& parent, int32_t token, double log_prob) {
  return trellis_.add(parent.node, token, log_prob, row_weights_[static_cast<size_t>(parent.row)]);
}

double SentenceSearch::score(int64_t node, double log_prob) const {
  const double coverage = options_.coverage_penalty > 0 ? trellis_.log_coverage(node) : 0;
  const double score = scorer_.score(log_prob, trellis_.length(node), coverage);
  check<NumericError>(!std::isnan(score), "search: sentence ", index_, ": attention weights hold NaN");
  return score;
}

void SentenceSearch::keep(const Ended& ended) {
  // Behind its equals: the earlier end wins.
  const auto worse = [](const Ended& a, const Ended& b) { return a.score > b.score; };
  ended_.insert(std::upper_bound(ended_.begin(), ended_.end(), ended, worse), ended);
  if (static_cast<int64_t>(ended_.size()) > options_.n_best) ended_.pop_back();
}

void SentenceSearch::advance(std::span<const Choice> choices, std::span<const float> weights,
                             std::vector<int64_t>& from) {
  row_weights_.clear();
  const size_t T = weights.size() / static_cast<size_t>(rows_);
  for (size_t row = 0; row < static_cast<size_t>(rows_); ++row)
    row_weights_.push_back(trellis_.add_weights(weights.subspan(row * T, T)));
  next_.clear();
  if (options_.sample)
    advance_draws(choices, from);
  else
    advance_beam(choices, from);
  open_.swap(next_);
  rows_ = open();
  ++length_;
}

void SentenceSearch::gather_extensions(std::span<const Choice> choices) {
  extensions_.clear();
  for (size_t k = 0; k < choices.size(); ++k) {
    const Choice& choice = choices[k];
    const auto offer = [&](int32_t token) {
      extensions_.push_back({open_[k].log_prob + choice.log_prob(token), token, static_cast<int64_t>(k)});
    };
    if (choice.forced >= 0) offer(choice.forced);
    for (const Candidate& c : choice.scan.top) offer(c.token);
    const int32_t eos = options_.specials.eos;
    if (choice.eos_allowed && choice.log_prob(eos) > kImpossible) offer(eos);
  }
  // At most beam of them become ended, beam more open ones.
  const auto before = [](const Extension& a, const Extension& b) {
    if (a.total != b.total) return a.total > b.total;
    return a.token != b.token ? a.token < b.token : a.parent < b.parent;
  };
  const size_t useful = std::min(extensions_.size(), 2 * static_cast<size_t>(options_.beam));
  std::partial_sort(extensions_.begin(), extensions_.begin() + static_cast<std::ptrdiff_t>(useful), extensions_.end(),
                    before);
  extensions_.resize(useful);
}

void SentenceSearch::advance_beam(std::span<const Choice> choices, std::vector<int64_t>& from) {
  gather_extensions(choices);
  const bool last = length_ == limit_;
  const int64_t K = options_.beam;
  const size_t from_before = from.size();
  for (size_t rank = 0; rank < extensions_.size() && static_cast<int64_t>(next_.size()) < K; ++rank) {
    const bool among_best = static_cast<int64_t>(rank) < K;
    if (last && !among_best) break;
    const Extension& e = extensions_[rank];
    const Open& parent = open_[static_cast<size_t>(e.parent)];
    const double log_prob = choices[static_cast<size_t>(e.parent)].log_prob(e.token);
    if (e.token == options_.specials.eos) {
      if (!among_best) continue;
      const int64_t node = extend(parent, e.token, log_prob);
      keep({node, true, score(node, e.total)});
      ++finished_;
    } else if (!last) {
      // What a greedy output is worth so far changes nothing about how it goes on.
      const double total = options_.only_best() ? 0 : e.total;
      next_.push_back({extend(parent, e.token, log_prob), total, static_cast<int64_t>(next_.size()), 0});
      from.push_back(parent.row);
    }
  }
  const bool stuck = next_.empty();
  // Without an eos there is no step at the limit itself.
  const bool cut = options_.specials.eos < 0 && length_ + 1 == limit_;
  done_ = stuck || cut || (K == 1 && finished_ > 0) || (options_.stop == "count" && finished_ >= K) ||
          (options_.stop == "exact" && nothing_open_can_win(next_));
  if (done_ && finished_ == 0)
    for (const Open& h : stuck ? open_ : next_) keep({h.node, false, score(h.node, h.log_prob)});
  if (done_) next_.clear(), from.resize(from_before);
}

bool SentenceSearch::nothing_open_can_win(const std::vector<Open>& next) const {
  if (next.empty()) return true;
  if (static_cast<int64_t>(ended_.size()) < options_.n_best) return false;
  // The likeliest open hypothesis comes first and has the highest bound. Of
  // equal scores the earlier end wins, so reaching the bound is not enough.
  return scorer_.bound(next.front().log_prob, limit_ + 1) <= ended_.back().score;
}

void SentenceSearch::advance_draws(std::span<const Choice> choices, std::vector<int64_t>& from) {
  const bool cut = options_.specials.eos < 0 && length_ + 1 == limit_;
  for (size_t k = 0; k < choices.size(); ++k) {
    const Open& parent = open_[k];
    Ended& ended = ended_[static_cast<size_t>(parent.draw)];
    const int32_t token = choices[k].drawn;
    const bool finished = token >= 0 && token == options_.specials.eos && choices[k].forced < 0;
    if (token < 0 || (length_ == limit_ && !finished)) {
      ended = {parent.node, false, score(parent.node, parent.log_prob)};
      continue;
    }
    const double log_prob = choices[k].log_prob(token), total = parent.log_prob + log_prob;
    const int64_t node = extend(parent, token, log_prob);
    if (finished || cut) {
      ended = {node, finished, score(node, total)};
    } else {
      next_.push_back({node, total, static_cast<int64_t>(next_.size()), parent.draw});
      from.push_back(parent.row);
    }
  }
  done_ = next_.empty();
}

std::vector<Hypothesis> SentenceSearch::results() {
  std::vector<Hypothesis> out;
  for (const Ended& ended : ended_) {
    Hypothesis& h = out.emplace_back(trellis_.hypothesis(ended.node));
    h.score = ended.score;
    if (options_.only_best()) {
      h.score = h.log_prob = std::numeric_limits<double>::quiet_NaN();
      h.token_log_probs.clear();
    }
    h.finished = ended.finished;
    if (ended.finished) h.tokens.pop_back();
  }
  return out;
}

}  // namespace lookback::decode
