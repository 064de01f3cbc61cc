// Search's view of a model: rows that each continue one output of one source sentence.
#include <algorithm>
#include <iterator>
#include <numeric>

#include "lookback/models/output_shortlist.h"
#include "lookback/models/sentences.h"
#include "lookback/models/seq2seq.h"
#include "lookback/ops/top_k.h"

namespace lookback {

class Seq2SeqDecoder final : public decode::StepDecoder {
 public:
  Seq2SeqDecoder(const Seq2Seq& model, Seq2SeqSources sources, int64_t together)
      : model_(model),
        sources_(std::move(sources.source)),
        spellings_(std::move(sources.spellings)),
        candidates_(std::move(sources.candidates)),
        copies_(std::move(sources.copies)),
        segments_(std::move(sources.segments)),
        vocabulary_(model.vocabularies_.target),
        together_(std::min(together, std::ssize(sources_))) {
    check_ids(sources_, model.vocabularies_.source, "source");
    check_ids(candidates_, model.vocabularies_.target, "candidate");
    check(spellings_.empty() || spellings_.size() == sources_.size(), "decoder: spellings of ", spellings_.size(),
          " sentences for ", sources_.size());
    check(candidates_.empty() || candidates_.size() == sources_.size(), "decoder: candidates of ", candidates_.size(),
          " sentences for ", sources_.size());
    if (model.options_.segmented) check_segments(sources_, segments_);
    if (copies()) {
      check(candidates_.empty(), "decoder: a model that copies has no shortlist");
      check_copies(sources_, copies_);
      for (const auto& tokens : copies_) vocabulary_ = extended_size(tokens, vocabulary_);
    }
    const NoGrad off;
    read_sources();
    admit(together_);
  }

  Seq2SeqDecoder(const Seq2Seq& model, const Encoded& encoded)
      : model_(model), vocabulary_(model.vocabularies_.target), together_(encoded.memory.shape.sequences()) {
    const NoGrad off;
    pass_ = start_with(encoded);
    admit(together_);
  }

  decode::StepOutput step(std::span<const int32_t> tokens, int64_t best) override {
    const NoGrad off;
    check(tokens.size() == of_->size(), "decoder: ", tokens.size(), " tokens for ", of_->size(), " rows");
    for (const int32_t id : tokens)
      check(0 <= id && id < vocabulary(), "target token ", id, " is not in a vocabulary of ", vocabulary());
    const Var& table = model_.target_embedding_.weight;
    std::vector<int32_t> known(tokens.begin(), tokens.end());
    for (int32_t& id : known) id = model_.known(id);
    const ops::RowIds ids = ops::row_ids(std::move(known));
    const Var x_part = std::ssize(tokens) <= kFewRows ? pass_->input_part(table, ids) : Var();
    const DecoderStep out = pass_->step(x_part, ops::gather_rows(table, ids), of_, state_);
    Tensor weights;
    if (out.weights) weights = shortening_ == 1 ? out.weights.value() : weights_over_tokens(out.weights.value());
    if (copies()) return {mixture(out), weights, {}};
    if (!candidates_.empty()) return {shortlist_.logits(out.readout, *of_), weights, shortlist_.candidates(*of_)};
    if (best != kAll && few_decide_) {
      if (auto few = ops::top_k(out.readout, model_.output_.weight, model_.output_.bias, best)) {
        likeliest_ = std::move(few->columns);
        return {few->values, weights, {likeliest_.begin(), likeliest_.end()}};
      }
      few_decide_ = false;
    }
    return {model_.project(out.readout).value(), weights, {}};
  }

  void reorder(std::span<const int32_t> from) override {
    const NoGrad off;
    const auto rows = ops::row_ids({from.begin(), from.end()});
    std::vector<int32_t> of;
    for (const int32_t k : from) {
      check(0 <= k && k < std::ssize(*of_), "decoder: no row ", k);
      of.push_back((*of_)[static_cast<size_t>(k)]);
    }
    state_ = state_.gather(rows);
    of_ = ops::row_ids(std::move(of));
  }

  int64_t vocabulary() const override { return vocabulary_; }
  int64_t waiting() const override { return std::ssize(sources_) - read_ + std::ssize(ready_) - taken_; }

  void admit(int64_t n) override {
    const NoGrad off;
    check(0 <= n && n <= waiting(), "decoder: ", n, " sentences were to join, ", waiting(), " wait");
    while (n > 0) {
      if (taken_ == std::ssize(ready_)) read_sources();
      const int64_t count = std::min(n, std::ssize(ready_) - taken_);
      std::vector<int32_t> rows(static_cast<size_t>(count)), of = *of_;
      std::iota(rows.begin(), rows.end(), static_cast<int32_t>(taken_));
      of.insert(of.end(), ready_.begin() + taken_, ready_.begin() + taken_ + count);
      state_ = state_.concat(start_.gather(ops::row_ids(std::move(rows))));
      of_ = ops::row_ids(std::move(of));
      taken_ += count, n -= count;
    }
  }

 private:
  static constexpr int64_t kFewRows = 6;  // for which reading a weight takes longer than computing with it

  bool copies() const { return model_.options_.copy; }
  Tensor mixture(const DecoderStep& out) const {
    const ops::Copying copying = model_.copying_of(out.readout, out.weights, own_copies_, of_);
    return ops::copy_logits(out.readout, model_.output_.weight, model_.output_.bias, copying,
                            vocabulary_ - model_.vocabularies_.target);
  }

  Tensor weights_over_tokens(const Tensor& weights) const {
    std::vector<int64_t> lengths;
    for (const int32_t s : *of_) lengths.push_back(tokens_[static_cast<size_t>(s)]);
    return over_tokens(weights, lengths, shortening_);
  }

  // Encodes the next sentences, at once because products of many rows are cheaper. What was kept of sentences
  // that no row looks at any more goes.
  void read_sources() {
    const auto first = sources_.begin() + read_;
    const int64_t count = std::min(together_, std::ssize(sources_) - read_);
    const Sentences next(std::make_move_iterator(first), std::make_move_iterator(first + count));
    Sentences written;
    if (!spellings_.empty()) written.assign(spellings_.begin() + read_, spellings_.begin() + read_ + count);
    Segments parts;
    if (model_.options_.segmented) parts.assign(segments_.begin() + read_, segments_.begin() + read_ + count);
    const Encoded encoded = model_.encode(next, written, parts, nullptr);
    const Ragged& shape = encoded.memory.shape;
    auto pass = start_with(encoded);
    Sentences own;  // candidates of the pass's sentences, and what they copy
    std::vector<ops::CopySentence> own_copies;
    std::vector<int64_t> tokens;
    if (pass_) {
      std::vector<int32_t> kept(*of_), of;
      kept.erase(std::unique(kept.begin(), kept.end()), kept.end());  // rows of a sentence stand together
      for (int32_t k = 0, row = 0; row < std::ssize(*of_); ++row) {
        k += (*of_)[static_cast<size_t>(row)] != kept[static_cast<size_t>(k)];
        of.push_back(k);
      }
      for (int32_t& s : ready_) s += static_cast<int32_t>(kept.size());
      for (const int32_t s : kept) tokens.push_back(tokens_[static_cast<size_t>(s)]);
      if (!candidates_.empty())
        for (const int32_t s : kept) own.push_back(shortlist_.candidates_of(s));
      if (copies())
        for (const int32_t s : kept) own_copies.push_back((*own_copies_)[static_cast<size_t>(s)]);
      pass->merge_memory_of(*pass_, kept);
      of_ = ops::row_ids(std::move(of));
    }
    pass_ = std::move(pass);
    for (const int32_t s : shape.sequence_of_rank()) tokens.push_back(std::ssize(next[static_cast<size_t>(s)]));
    tokens_ = std::move(tokens);
    if (!candidates_.empty()) {
      for (const int32_t s : shape.sequence_of_rank())
        own.push_back(std::move(candidates_[static_cast<size_t>(read_ + s)]));
      shortlist_.assign(model_.output_, std::move(own));
    }
    if (copies())
      for (const int32_t s : shape.sequence_of_rank())
        own_copies.push_back(Seq2Seq::copies_of(std::move(copies_[static_cast<size_t>(read_ + s)])));
    own_copies_ = std::make_shared<const std::vector<ops::CopySentence>>(std::move(own_copies));
    read_ += count, taken_ = 0;
  }

  // A pass over these sentences, which are ready.
  std::unique_ptr<DecoderPass> start_with(const Encoded& encoded) {
    auto pass = std::make_unique<DecoderPass>(model_.decoder_, encoded, DropoutOptions{}, nullptr);
    ready_ = encoded.memory.shape.rank_of_sequence();
    start_ = pass->start(encoded).gather(ops::row_ids(ready_));
    return pass;
  }

  const Seq2Seq& model_;
  // Of features, weights stay those of the memory's rows.
  const int64_t shortening_ = model_.options_.features ? 1 : model_.encoder_.shortening();
  Sentences sources_, spellings_, candidates_, copies_;
  Segments segments_;
  int64_t vocabulary_;
  int64_t together_;
  int64_t read_ = 0;  // sentences encoded so far
  std::unique_ptr<DecoderPass> pass_;
  ops::RowIds of_ = ops::row_ids({});  // the sentence of pass_ each row looks at
  std::vector<int64_t> tokens_;        // of each sentence of pass_
  ops::CopySentences own_copies_;      // of these, with copying
  DecoderState state_;
  OutputShortlist shortlist_;
  // The sentences read last: where pass_ has them, how they start, and how many have a row.
  std::vector<int32_t> ready_;
  DecoderState start_;
  int64_t taken_ = 0;
  std::vector<std::vector<int32_t>> likeliest_;  // of the last step's rows
  bool few_decide_ = true;                       // no step so far had to look at all tokens to find the best
};

std::unique_ptr<decode::StepDecoder> Seq2Seq::decoder(Seq2SeqSources sources, int64_t together) const {
  return std::make_unique<Seq2SeqDecoder>(*this, std::move(sources), together);
}

std::unique_ptr<decode::StepDecoder> Seq2Seq::decoder(const Encoded& encoded) const {
  return std::make_unique<Seq2SeqDecoder>(*this, encoded);
}

}  // namespace lookback
