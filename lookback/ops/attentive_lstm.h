#pragma once

#include <cstdint>
#include <vector>

#include "lookback/base/rng.h"
#include "lookback/ops/attention.h"
#include "lookback/ops/recurrent.h"

namespace lookback::ops {

// How a state is compared with each key: scale * query . key or, with v, v . tanh(query + key).
struct ScoreForm {
  Var w_query;       // [A, >= H] its first H columns make the query of the state; absent: the state is the query
  Var v;             // [A] absent: the dot product
  double scale = 1;  // of the dot product
};

// Dropout of the readout of each step, which also reaches the next step by input feeding.
struct ReadoutDropout {
  double rate = 0;
  std::vector<Stream> streams;  // [U] of each step; unused when rate is 0
};

// The loop of an attentive decoder with one layer of LSTM and a tanh readout.
struct AttentiveLstm {
  enum class Order {
    luong,    // attend with the new state, after the cell (Luong et al. 2015)
    bahdanau  // attend with the state before; cell and readout read the context (Bahdanau et al. 2015)
  };
  Order order = Order::luong;
  bool input_feeding = true;  // the cell reads the readout of the step before; zeros in the first
  RecurrentWeights cell;      // w_ih [4H, E (+R) (+M)] reads [embedding; readout before; context (bahdanau)]
  ScoreForm score;
  Var w_readout;  // [R, M+H (+E)] reads [context; state; embedding (bahdanau)]
  Var b_readout;  // [R]
  ReadoutDropout dropout;
};

// The source that it attends to: keys [S, A] and values [S, M]; sequence b attends to all of sentence
// visible.sentence_of_row[b].
struct AttendedSource {
  Var keys, values;
  Visible visible;
};

struct AttendedSteps {
  Var readouts;  // [N, R]
  Var weights;   // [N, T] of the attention, T the longest sentence
};

// All steps of a ragged batch as one op: the readouts of embedded [N, E], from the initial h and c [B, H]. The same
// numbers as step by step with `linear`, `lstm_cell`, `score_*` and `attend`, but every step writes where the whole
// sequence is kept, so that nothing is copied, and what the source's gradients need waits for the last step. Throws
// ShapeError.
AttendedSteps attentive_lstm(const AttentiveLstm& decoder, const Var& embedded, const Steps& steps,
                             const RecurrentState& initial, const AttendedSource& source);

}  // namespace lookback::ops
