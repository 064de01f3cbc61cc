#include "lookback/decode/search.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/decode/check_output.h"
#include "lookback/decode/sentence_search.h"

namespace lookback::decode {
namespace {

constexpr int64_t kScanGrain = 32768;  // logits one thread should have at least, to be worth waking

void check_prefix(const SourceInfo& source, const Specials& specials, int64_t vocabulary, int64_t sentence) {
  for (size_t k = 0; k < source.prefix.size(); ++k) {
    const int32_t token = source.prefix[k];
    check<ConfigError>(token >= 0 && token < vocabulary, "search: sentence ", sentence, ": prefix[", k, "] = ", token,
                       " is outside the vocabulary of ", vocabulary);
    check<ConfigError>(token != specials.eos && token != specials.bos && token != specials.pad, "search: sentence ",
                       sentence, ": prefix[", k, "] = ", token, " is bos, eos or pad, which no output contains");
  }
}

void check_context(const SourceInfo& source, int64_t vocabulary, int64_t sentence) {
  for (size_t k = 0; k < source.context.size(); ++k)
    check<ConfigError>(source.context[k] >= 0 && source.context[k] < vocabulary, "search: sentence ", sentence,
                       ": context[", k, "] = ", source.context[k], " is outside the vocabulary of ", vocabulary);
}

void check_callback(const SourceInfo& source, const SearchOptions& options, int64_t sentence) {
  check<ConfigError>(!source.on_token || (options.beam == 1 && options.n_best == 1), "search: sentence ", sentence,
                     ": on_token needs beam = 1 and n_best = 1, got beam = ", options.beam,
                     " and n_best = ", options.n_best);
}

void check_specials(const Specials& specials, int64_t vocabulary) {
  for (const int32_t token : {specials.bos, specials.eos})
    check<ConfigError>(token < vocabulary, "search: special token ", token, " is outside the vocabulary of ",
                       vocabulary);
}

void check_fault(const RowScan& scan, int64_t sentence, int64_t step) {
  check<NumericError>(scan.fault != RowFault::not_a_number, "search: sentence ", sentence, ", step ", step,
                      ": logits hold NaN or +inf");
  check<NumericError>(scan.fault != RowFault::all_impossible, "search: sentence ", sentence, ", step ", step,
                      ": every logit is -inf");
  check<NumericError>(scan.fault != RowFault::above_zero, "search: sentence ", sentence, ", step ", step,
                      ": a log-probability is above 0");
}

int64_t longest(const std::vector<SourceInfo>& sources, const SearchOptions& options) {
  int64_t limit = 0;
  for (const SourceInfo& source : sources) limit = std::max(limit, length_limit(options, source));
  return limit;
}

// Runs the sentences side by side, one step of the model at a time. When one is
// done, one that waits takes its place.
class Batch {
 public:
  Batch(StepDecoder& decoder, const std::vector<SourceInfo>& sources, const SearchOptions& options)
      : decoder_(decoder),
        sources_(sources),
        options_(options),
        vocabulary_(decoder.vocabulary()),
        scorer_(options, longest(sources, options) + 1),
        together_(std::ssize(sources) - decoder.waiting()),
        results_(sources.size()) {
    check(together_ > 0 || sources.empty(), "search: ", decoder.waiting(), " of ", sources.size(),
          " sentences wait, so that none can start");
    check_specials(options.specials, vocabulary_);
    for (size_t b = 0; b < sources.size(); ++b) {
      const auto sentence = static_cast<int64_t>(b);
      check_prefix(sources[b], options.specials, vocabulary_, sentence);
      check_context(sources[b], vocabulary_, sentence);
      check_callback(sources[b], options, sentence);
    }
  }

  std::vector<std::vector<Hypothesis>> run() {
    begin(together_);
    for (refill(); !active_.empty(); refill()) advance();
    return std::move(results_);
  }

 private:
  struct Item {
    const SentenceSearch* sentence;
    int64_t hypothesis;
    int64_t row;
  };

  // The next n sentences, each with a row of its own behind the others'. Those that have nothing to do lose it.
  void begin(int64_t n) {
    from_.resize(static_cast<size_t>(rows_));
    std::iota(from_.begin(), from_.end(), 0);
    for (; n > 0; --n, ++rows_, ++begun_) {
      active_.push_back(std::make_unique<SentenceSearch>(options_, scorer_, sources_[static_cast<size_t>(begun_)],
                                                         vocabulary_, begun_));
      if (!active_.back()->done()) from_.push_back(static_cast<int32_t>(rows_));
    }
    leave();
  }

  void refill() {
    while (const int64_t n = std::min(together_ - std::ssize(active_), decoder_.waiting())) {
      decoder_.admit(n);
      begin(n);
    }
  }

  // What is done leaves; row k continues old row from_[k].
  void leave() {
    for (const auto& s : active_)
      if (s->done()) results_[static_cast<size_t>(s->index())] = s->results();
    std::erase_if(active_, [](const auto& s) { return s->done(); });
    bool same = std::ssize(from_) == rows_;
    for (size_t k = 0; same && k < from_.size(); ++k) same = from_[k] == static_cast<int32_t>(k);
    if (!same) decoder_.reorder(from_);
    rows_ = std::ssize(from_);
  }

  void advance() {
    tokens_.clear(), items_.clear();
    for (const auto& s : active_) {
      const int64_t first = static_cast<int64_t>(tokens_.size());
      for (int64_t row = 0; row < s->rows(); ++row) tokens_.push_back(s->previous(row));
      for (int64_t h = 0; h < s->open(); ++h) items_.push_back({s.get(), h, first + s->row_of(h)});
    }
    const StepOutput out = decoder_.step(tokens_, best_needed());
    check_output(out, rows_, vocabulary_, "search");
    const int64_t T = out.weights.empty() ? 0 : out.weights.dim(1);
    choose(out);

    const std::span<const float> weights = weights_of(out);
    from_.clear();
    int64_t row = 0, item = 0;
    for (const auto& s : active_) {
      check_source(T, sources_[static_cast<size_t>(s->index())].source_length, options_.coverage_penalty, s->index());
      const int64_t s_rows = s->rows(), s_open = s->open();
      continued_.clear();
      s->advance(std::span<const Choice>(choices_).subspan(static_cast<size_t>(item), static_cast<size_t>(s_open)),
                 weights.subspan(static_cast<size_t>(row * T), static_cast<size_t>(s_rows * T)), continued_);
      for (const int64_t parent : continued_) from_.push_back(static_cast<int32_t>(row + parent));
      row += s_rows, item += s_open;
    }
    leave();
  }

  int64_t best_needed() const {
    int64_t most = StepDecoder::kAll;
    if (options_.only_best())
      for (const auto& s : active_) most = std::max(most, s->best_needed());
    return most;
  }

  void choose(const StepOutput& out) {
    if (choices_.size() < items_.size()) choices_.resize(items_.size());
    const float* rows = out.logits.data<float>();
    const int64_t columns = out.logits.dim(1);
    parallel_for(static_cast<int64_t>(items_.size()), kScanGrain / std::max<int64_t>(1, columns),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t k = begin; k < end; ++k) {
                     const Item& item = items_[static_cast<size_t>(k)];
                     Choice& choice = choices_[static_cast<size_t>(k)];
                     choice.candidates = {}, choice.log_probs = out.log_probs;
                     if (!out.candidates.empty()) choice.candidates = out.candidates[static_cast<size_t>(item.row)];
                     choice.logits = {rows + item.row * columns, choice.candidates.empty()
                                                                     ? static_cast<size_t>(columns)
                                                                     : choice.candidates.size()};
                     item.sentence->choose(item.hypothesis, choice);
                   }
                 });
    for (size_t k = 0; k < items_.size(); ++k)
      check_fault(choices_[k].scan, items_[k].sentence->index(), items_[k].sentence->length());
  }

  StepDecoder& decoder_;
  const std::vector<SourceInfo>& sources_;
  const SearchOptions& options_;
  int64_t vocabulary_;
  Scorer scorer_;
  int64_t together_;   // sentences searched side by side, at most
  int64_t begun_ = 0;  // sentences that have had a row
  int64_t rows_ = 0;   // of the decoder, now
  std::vector<std::unique_ptr<SentenceSearch>> active_;
  std::vector<std::vector<Hypothesis>> results_;
  std::vector<int32_t> tokens_, from_;
  std::vector<int64_t> continued_;
  std::vector<Item> items_;
  std::vector<Choice> choices_;
};

}  // namespace

std::vector<std::vector<Hypothesis>> search(StepDecoder& decoder, const std::vector<SourceInfo>& sources,
                                            const SearchOptions& options) {
  options.validate();
  return Batch(decoder, sources, options).run();
}

}  // namespace lookback::decode
