// The next values of a time series from those before: an encoder over what was, attention or another pooling, and all
// steps of the horizon at once ("direct"), beside a linear map of what was.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lookback/nn/encoder.h"
#include "lookback/nn/init.h"
#include "lookback/nn/linear.h"
#include "lookback/nn/pooling.h"
#include "lookback/ops/value_loss.h"

namespace lookback {

struct ForecasterOptions {
  std::string kind = "lstm";
  int64_t segment = 24;
  bool linear = true;
  EncoderOptions encoder = {.hidden = 64, .bidirectional = false};
  PoolingOptions pooling = {.kind = "last"};
  DropoutOptions dropout;
  InitOptions init;

  void fields(FieldVisitor& v) {
    v("kind", kind,
      "lstm: the encoder reads value after value; segment: so many values at once, for long histories (after Lin et "
      "al. "
      "2023, SegRNN)")
        .choices({"lstm", "segment"});
    v("segment", segment, "kind = 'segment': values that are read at once").range(1, 65536);
    v("linear", linear,
      "a linear map from the history to the forecast is added, and begins as the one of least squared error (the "
      "baseline `linear`): the encoder learns what that leaves");
    v("encoder", encoder), v("pooling", pooling);
    dropout.fields(v);
    v("init", init);
  }
};

// Some histories and what came after them.
struct ForecastBatch {
  Tensor history;   // [B, L], scaled
  Tensor known;     // [B, L] 1, or 0 where a value is made up
  Tensor calendar;  // [B, L * F] in [-0.5, 0.5], the features of a step side by side
  Tensor targets;   // [B, H], scaled, NaN where there is none; not looked at in forecasts
};

class Forecaster {
 public:
  static constexpr uint64_t kNoInit = ~uint64_t{0};  // parameters are to be loaded
  struct Sizes {
    int64_t history, horizon;
    int64_t calendar = 0;  // features of a step
    int64_t levels = 1;    // numbers that a value's forecast has: quantiles, or 1 for a point
  };
  // Throws ConfigError naming the options that do not go together.
  Forecaster(const ForecasterOptions& options, const Sizes& sizes, uint64_t seed);

  // [B, H * levels], scaled. All of a row is relative to its last value, which is added at the end, so that a level
  // that was never seen is no obstacle.
  Var operator()(const ForecastBatch& batch, Noise* noise) const;

  // Attention of each forecast over what was read, [hops, steps] a row; absent without.
  struct Forecast {
    Tensor values;                // [B, H * levels]
    std::vector<Tensor> weights;  // [B] of [hops, L]
  };
  Forecast forecast(const ForecastBatch& batch) const;

  // Sets the linear map; weights [L - 1, H] as LinearForecast has them.
  void start_from(std::span<const double> weights);

  void params(ParamVisitor& v);

 private:
  struct Read;
  Read read(const ForecastBatch& batch, Noise* noise) const;

  ForecasterOptions options_;
  Sizes sizes_;
  Encoder encoder_;
  Pooling pooling_;
  Linear output_, linear_;
};

}  // namespace lookback
