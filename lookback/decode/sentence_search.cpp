#include "lookback/decode/sentence_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/decode/step_decoder.h"

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

// Keskar et al. 2019, section 4.1, as Hugging Face's RepetitionPenaltyLogitsProcessor: once for each token of the
// history, however often it occurs.
void penalise_repeats(double penalty, Choice& choice) {
  choice.penalised.assign(choice.logits.begin(), choice.logits.end());
  const auto factor = static_cast<float>(penalty);
  for (const int32_t token : choice.history) {
    const int32_t at = choice.column(token);
    if (at < 0) continue;
    const float logit = choice.logits[static_cast<size_t>(at)];
    choice.penalised[static_cast<size_t>(at)] = logit > 0 ? logit / factor : logit * factor;
  }
}

}  // namespace

int32_t Choice::column(int32_t token) const {
  if (candidates.empty()) return token;
  const auto at = std::lower_bound(candidates.begin(), candidates.end(), token);
  return at != candidates.end() && *at == token ? static_cast<int32_t>(at - candidates.begin()) : -1;
}

double Choice::log_prob(int32_t token) const {
  const int32_t at = column(token);
  return at < 0 ? kImpossible : static_cast<double>(logits[static_cast<size_t>(at)]) - log_sum_exp;
}

double Choice::ranked_log_prob(int32_t token) const {
  const int32_t at = column(token);
  return at < 0 ? kImpossible : static_cast<double>(ranked[static_cast<size_t>(at)]) - scan.log_sum_exp;
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
  if (done_) ended_.assign(static_cast<size_t>(draws), {Trellis::kRoot, false, false, score(Trellis::kRoot, 0.0)});
}

int32_t SentenceSearch::previous(int64_t row) const {
  if (length_ == 0) return options_.specials.bos;
  return trellis_.last_token(open_[static_cast<size_t>(row)].node);
}

void SentenceSearch::gather_history(int64_t hypothesis, Choice& choice) const {
  trellis_.tokens(open_[static_cast<size_t>(hypothesis)].node, choice.history);
  choice.history.insert(choice.history.begin(), source_.context.begin(), source_.context.end());
}

void SentenceSearch::constrain(Choice& choice) const {
  const Specials& s = options_.specials;
  const size_t at = static_cast<size_t>(length_);
  choice.forced = at < source_.prefix.size() ? source_.prefix[at] : -1;
  choice.eos_allowed = s.eos >= 0 && choice.forced < 0 && length_ >= options_.min_length;
  choice.excluded.clear();
  if (choice.forced >= 0) return;
  for (const int32_t token : {s.eos, s.bos, s.pad, options_.allow_unk ? -1 : s.unk})
    if (token >= 0 && token < vocabulary_) choice.excluded.push_back(token);
  if (options_.no_repeat_ngram > 0) exclude_repeats(choice.history, options_.no_repeat_ngram, choice.excluded);
  for (int32_t& token : choice.excluded) token = choice.column(token);
  std::erase(choice.excluded, -1);
  std::sort(choice.excluded.begin(), choice.excluded.end());
  choice.excluded.erase(std::unique(choice.excluded.begin(), choice.excluded.end()), choice.excluded.end());
}

void SentenceSearch::scan(Choice& choice) const {
  const int64_t wanted = choice.forced >= 0 ? 0 : options_.sample ? 1 : options_.beam;
  const auto what = options_.only_best() ? ScanFor::best : ScanFor::best_and_sum;
  choice.ranked = choice.logits;
  if (options_.repetition_penalty != 1) {
    penalise_repeats(options_.repetition_penalty, choice);
    choice.ranked = choice.penalised;
    scan_step(choice.logits, choice.log_probs, 0, {}, choice.scan, what);
    choice.log_sum_exp = choice.scan.log_sum_exp;
    if (choice.scan.fault != RowFault::none) return;
  }
  scan_step(choice.ranked, choice.log_probs, wanted, choice.excluded, choice.scan, what);
  if (options_.repetition_penalty == 1) choice.log_sum_exp = choice.scan.log_sum_exp;
  for (Candidate& c : choice.scan.top) c.token = choice.token(c.token);
}

void SentenceSearch::choose(int64_t hypothesis, Choice& choice) const {
  if (looks_back()) gather_history(hypothesis, choice);
  constrain(choice);
  scan(choice);
  const int32_t eos = options_.specials.eos;
  choice.drawn = choice.forced;
  if (choice.scan.fault != RowFault::none || choice.forced >= 0) return;
  if (choice.scan.top.empty() && eos >= 0) choice.eos_allowed = true;
  if (!options_.sample) return;

  if (choice.eos_allowed) std::erase(choice.excluded, choice.column(eos));
  const int64_t draw_index = open_[static_cast<size_t>(hypothesis)].draw;
  const Stream stream{static_cast<uint64_t>(options_.seed), source_.key};
  const auto words = stream.words((static_cast<uint64_t>(draw_index) << 32) | static_cast<uint64_t>(length_));
  const double u = static_cast<double>(((uint64_t{words[0]} << 32) | words[1]) >> 11) * 0x1p-53;
  choice.drawn = draw(
      choice.ranked, choice.excluded,
      {.temperature = options_.temperature, .top_k = options_.top_k, .top_p = options_.top_p, .min_p = options_.min_p},
      u, choice.scratch);
  if (choice.drawn >= 0) choice.drawn = choice.token(choice.drawn);
}

int64_t SentenceSearch::best_needed() const {
  constexpr int64_t kSpecials = 4;
  // A penalty below 1 may raise any token to the top.
  if (options_.repetition_penalty < 1) return StepDecoder::kAll;
  return kSpecials + (looks_back() ? std::ssize(source_.context) + length_ : 0) + 1;
}

int64_t SentenceSearch::extend(const Open& parent, int32_t token, double log_prob) {
  return trellis_.add(parent.node, token, log_prob, row_weights_[static_cast<size_t>(parent.row)]);
}

bool SentenceSearch::ends_after(int64_t node) {
  const int64_t length = trellis_.length(node);
  if (!source_.ends || length <= std::ssize(source_.prefix) || length < options_.min_length) return false;
  trellis_.tokens(node, tokens_);
  return source_.ends(tokens_);
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
      extensions_.push_back({open_[k].log_prob + choice.ranked_log_prob(token), token, static_cast<int64_t>(k)});
    };
    if (choice.forced >= 0) offer(choice.forced);
    for (const Candidate& c : choice.scan.top) offer(c.token);
    const int32_t eos = options_.specials.eos;
    if (choice.eos_allowed && choice.ranked_log_prob(eos) > kImpossible) offer(eos);
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
  int64_t stopped = 0;
  for (size_t rank = 0; rank < extensions_.size() && std::ssize(next_) + stopped < K; ++rank) {
    const bool among_best = static_cast<int64_t>(rank) < K;
    if (last && !among_best) break;
    const Extension& e = extensions_[rank];
    const Open& parent = open_[static_cast<size_t>(e.parent)];
    const Choice& choice = choices[static_cast<size_t>(e.parent)];
    if (e.token == options_.specials.eos) {
      if (!among_best) continue;
      const int64_t node = extend(parent, e.token, choice.log_prob(e.token));
      keep({node, true, false, score(node, e.total)});
      ++finished_;
    } else if (!last) {
      const int64_t node = extend(parent, e.token, choice.log_prob(e.token));
      if (source_.on_token && among_best && choice.forced < 0) source_.on_token(e.token);
      if (ends_after(node)) {
        keep({node, true, true, score(node, e.total)});
        ++finished_, ++stopped;
        continue;
      }
      // What a greedy output is worth so far changes nothing about how it goes on.
      const double total = options_.only_best() ? 0 : e.total;
      next_.push_back({node, total, std::ssize(next_), 0});
      from.push_back(parent.row);
    }
  }
  const bool stuck = next_.empty();
  // Without an eos there is no step at the limit itself.
  const bool cut = options_.specials.eos < 0 && length_ + 1 == limit_;
  done_ = stuck || cut || (K == 1 && finished_ > 0) || (options_.stop == "count" && finished_ >= K) ||
          (options_.stop == "exact" && nothing_open_can_win(next_));
  if (done_ && finished_ == 0)
    for (const Open& h : stuck ? open_ : next_) keep({h.node, false, false, score(h.node, h.log_prob)});
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
      ended = {parent.node, false, false, score(parent.node, parent.log_prob)};
      continue;
    }
    const double total = parent.log_prob + choices[k].ranked_log_prob(token);
    const int64_t node = extend(parent, token, choices[k].log_prob(token));
    if (source_.on_token && !finished && choices[k].forced < 0) source_.on_token(token);
    const bool stopped = !finished && ends_after(node);
    if (finished || stopped || cut) {
      ended = {node, finished || stopped, stopped, score(node, total)};
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
    h.stopped = ended.stopped;
    if (h.finished && !h.stopped) h.tokens.pop_back();
  }
  return out;
}

}  // namespace lookback::decode
