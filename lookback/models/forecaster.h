// The next values of a time series from those before: windows made alike, a network over them, and a linear map beside
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lookback/models/forecast_network.h"
#include "lookback/models/forecaster_options.h"
#include "lookback/nn/linear.h"

namespace lookback {

// Some histories and what came after them. All numbers f32, of values scaled.
struct ForecastBatch {
  std::vector<int64_t> lengths;  // [B] how many of the L steps are there, the last ones; before its first value a
                                 // series is taken to have been at it
  Tensor history;                // [B, L]
  Tensor known;                  // [B, L] 1, or 0 where a value is made up
  Tensor past;                   // [B * L, P - 2] the other variables; empty for P = 2
  Tensor future;                 // [B * H, F]; empty for F = 0
  Tensor fixed;                  // [B, S]; empty for S = 0
  Tensor targets;                // [B, H] NaN where there is none; forecasts do not look at them
};

class Forecaster {
 public:
  static constexpr uint64_t kNoInit = ~uint64_t{0};  // parameters are to be loaded
  // Throws ConfigError naming the options that do not go together.
  Forecaster(const ForecasterOptions& options, const ForecastSizes& sizes, uint64_t seed);

  // [B, H * outputs], scaled. A network that is autoregressive reads the targets.
  Var operator()(const ForecastBatch& batch, Noise* noise) const;

  // The same without gradients, and what was looked at on the way.
  struct Forecast {
    Tensor values;  // [B, H * outputs]
    LookedAt looked;
  };
  Forecast forecast(const ForecastBatch& batch) const;

  // Sets the linear map; weights [L - 1, H] as LinearForecast has them.
  void start_from(std::span<const double> weights);

  bool has_attention() const { return network_->has_attention(); }
  void params(ParamVisitor& v);

 private:
  struct Windows;
  Windows normalised(const ForecastBatch& batch) const;
  Var run(const ForecastBatch& batch, Noise* noise, LookedAt* looked) const;

  ForecasterOptions options_;
  ForecastSizes sizes_;
  std::unique_ptr<ForecastNetwork> network_;
  Linear linear_;
};

}  // namespace lookback
