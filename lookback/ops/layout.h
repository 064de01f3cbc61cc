// How ragged batches lie in memory. Inside the library a batch is packed rows
// [N, C]: no padding exists, so none is computed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace lookback {

// Time-major packed rows of sequences sorted from long to short: step t holds
// one row for each sequence still alive, in batch order.
class Steps {
 public:
  // lengths[b] >= lengths[b+1] >= 0; throws ShapeError otherwise.
  explicit Steps(std::span<const int64_t> lengths);
  // T steps of B sequences, all of one length.
  static Steps dense(int64_t T, int64_t B);

  int64_t T() const { return static_cast<int64_t>(begin_->size()) - 1; }
  int64_t B() const { return batch_; }  // sequences, empty ones included
  int64_t N() const { return begin_->back(); }
  int64_t begin(int64_t t) const { return (*begin_)[static_cast<size_t>(t)]; }
  int64_t alive(int64_t t) const { return begin(t + 1) - begin(t); }
  int64_t row(int64_t t, int64_t b) const { return begin(t) + b; }
  int64_t length(int64_t b) const;
  const int64_t* data() const { return begin_->data(); }

  // Of every row, its sequence.
  std::vector<int32_t> sequence_of_rows() const;
  // The rows in sequence-major order: all of sequence 0, then all of sequence 1, ...
  std::vector<int32_t> rows_by_sequence() const;

 private:
  int64_t batch_;
  std::shared_ptr<const std::vector<int64_t>> begin_;  // [T+1]
};

// Sequence-major memory that attention reads: sentence s owns rows begin(s) .. begin(s+1) of keys and values.
class MemoryLayout {
 public:
  explicit MemoryLayout(std::span<const int64_t> lengths);

  int64_t sentences() const { return static_cast<int64_t>(begin_->size()) - 1; }
  int64_t rows() const { return begin_->back(); }
  int64_t longest() const { return longest_; }
  int64_t begin(int64_t s) const { return (*begin_)[static_cast<size_t>(s)]; }
  int64_t length(int64_t s) const { return begin(s + 1) - begin(s); }
  const int64_t* data() const { return begin_->data(); }

  // Of every row, its sentence, and its place in it from 0.
  std::vector<int32_t> sentence_of_rows() const;
  std::vector<int32_t> position_of_rows() const;

 private:
  std::shared_ptr<const std::vector<int64_t>> begin_;
  int64_t longest_ = 0;
};

// The lengths of a batch's sequences, in any order. In the batch they are numbered by rank, from long to short and
// equals in their own order: so both row orders below hold the same rows, and one permutation leads from one to the
// other (ops/sequence.h).
class Ragged {
 public:
  explicit Ragged(std::span<const int64_t> lengths);

  int64_t sequences() const { return memory_.sentences(); }
  int64_t rows() const { return memory_.rows(); }
  // Time-major: what recurrences walk.
  const Steps& steps() const { return steps_; }
  // One sequence after the other: what attention, convolution and pooling read.
  const MemoryLayout& memory() const { return memory_; }

  // The sequence, in the order given, that has each rank; and the other way round.
  const std::vector<int32_t>& sequence_of_rank() const { return *sequence_of_rank_; }
  std::vector<int32_t> rank_of_sequence() const;
  // The same sequences with a row for every `factor` rows, the last of which may be fewer: after a convolution with
  // that stride, or a pyramid.
  Ragged shortened(int64_t factor) const;

 private:
  Ragged(std::shared_ptr<const std::vector<int32_t>> sequence_of_rank, std::span<const int64_t> lengths_of_ranks)
      : sequence_of_rank_(std::move(sequence_of_rank)), steps_(lengths_of_ranks), memory_(lengths_of_ranks) {}

  std::shared_ptr<const std::vector<int32_t>> sequence_of_rank_;
  Steps steps_;
  MemoryLayout memory_;
};

}  // namespace lookback
