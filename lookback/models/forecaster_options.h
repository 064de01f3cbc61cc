#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/nn/decoder.h"
#include "lookback/nn/encoder.h"
#include "lookback/nn/init.h"
#include "lookback/nn/pooling.h"
#include "lookback/nn/regularise.h"

namespace lookback {

struct ForecasterOptions {
  std::string kind = "lstm";
  int64_t segment = 24;
  bool autoregressive = false;
  int64_t heads = 4;
  bool linear = true;
  std::string normalise = "last";
  EncoderOptions encoder = {.hidden = 64, .bidirectional = false};
  PoolingOptions pooling = {.kind = "last"};
  DecoderOptions decoder = {.hidden = 64, .input_feeding = false};
  std::string score = "additive";
  DropoutOptions dropout;
  InitOptions init;

  void fields(FieldVisitor& v) {
    v("kind", kind,
      "lstm: the encoder reads value after value; segment: so many values at once, for long histories (after Lin et "
      "al. 2023, SegRNN); seq2seq: a decoder with attention to the encoder walks the steps of the horizon (after Wen "
      "et al. 2017, MQ-RNN); deepar: each step reads the value before, its own forecast where there is none, and "
      "samples paths (Salinas et al. 2020); tft: variables weighted step by step, the encoder's LSTM on into the "
      "future, attention (the temporal fusion transformer, Lim et al. 2021), all of it encoder.hidden wide")
        .choices({"lstm", "segment", "seq2seq", "deepar", "tft"});
    v("segment", segment, "kind = 'segment': values that are read at once").range(1, 65536);
    v("autoregressive", autoregressive, "kind = 'lstm': each step reads the value before, as with deepar");
    v("heads", heads,
      "kind = 'tft': heads of its attention, which divide encoder.hidden; score = 'multi_head': of that, which "
      "divide decoder.hidden")
        .range(1, 1024);
    v("linear", linear,
      "a linear map from the history to the forecast is added, and begins as the one of least squared error (the "
      "baseline `linear`): the network learns what that leaves");
    v("normalise", normalise,
      "each window before the network reads it, undone in its forecast. last: less the last value; instance: less the "
      "mean and divided by the deviation of its history (RevIN, Kim et al. 2022); difference: changes from step to "
      "step; none")
        .choices({"last", "instance", "difference", "none"});
    v("encoder", encoder), v("pooling", pooling), v("decoder", decoder);
    v("score", score,
      "kind = 'seq2seq': how a state of the decoder is compared with each step of the history, as for translation; "
      "none: no attention")
        .choices(score_choices());
    dropout.fields(v);
    v("init", init);
  }
};

}  // namespace lookback
