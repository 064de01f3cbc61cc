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

 private:
  std::shared_ptr<const std::vector<int64_t>> begin_;
  int64_t longest_ = 0;
};

}  // namespace lookback
