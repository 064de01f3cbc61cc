#pragma once

#include <string>
#include <vector>

#include "lookback/nn/linear.h"
#include "lookback/nn/recurrent.h"
#include "lookback/nn/regularise.h"
#include "lookback/ops/sequence.h"

namespace lookback {

struct EncoderOptions {
  std::string cell = "lstm";
  int64_t layers = 1;
  int64_t hidden = 256;
  bool bidirectional = true;
  bool residual = false;
  bool layer_norm = false;
  ThroughTime time;

  void fields(FieldVisitor& v) {
    v("cell", cell, "recurrent unit").choices({"lstm", "gru"});
    v("layers", layers, "recurrent layers, one on the other").range(1, 64);
    v("hidden", hidden, "units of one direction").range(1, 65536);
    v("bidirectional", bidirectional, "read the source in both directions; outputs are twice as wide");
    v("residual", residual, "add each layer's input to its output where the widths agree");
    v("layer_norm", layer_norm, "normalise each layer's output (Ba et al. 2016)");
    time.fields(v);
  }
  int64_t width() const { return bidirectional ? 2 * hidden : hidden; }
};

// What the encoder says about a batch of source sentences.
struct Encoded {
  Sequence memory;               // by sequence, [S, width]
  std::vector<CellState> final;  // per layer, both directions side by side: [B, width], in the order of ranks
};

// A stack of recurrent layers over embedded source tokens.
class Encoder {
 public:
  Encoder() = default;
  Encoder(const EncoderOptions& options, int64_t input_width);

  // embedded [N, E]. Without noise: no dropout.
  Encoded operator()(const Sequence& embedded, const DropoutOptions& dropout, Noise* noise) const;
  void params(ParamVisitor& v);

 private:
  struct Layer {
    std::vector<ops::RecurrentWeights> directions;  // forward, then reverse
    LayerNorm norm;
  };

  EncoderOptions options_;
  std::vector<Layer> layers_;
};

}  // namespace lookback
