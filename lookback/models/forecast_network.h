// What may be inside a forecaster: from histories, and what is known of the future, to numbers for each step of the
// horizon. All values are normalised before they come here, and are undone after.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lookback/autograd/var.h"
#include "lookback/models/forecaster_options.h"
#include "lookback/ops/likelihood.h"

namespace lookback {

// Columns that belong together: a number, or a category as so many zeros and a one.
struct ForecastVariable {
  std::string name;
  int64_t width = 1;
};
int64_t width_of(const std::vector<ForecastVariable>& variables);

struct ForecastSizes {
  int64_t history, horizon;                           // L, H
  std::vector<ForecastVariable> past, future, fixed;  // P, F and S columns. `past` has first the series itself, its
                                                      // values and whether they are known, and last all of `future`
  int64_t outputs = 1;                             // numbers for a value: a point, quantiles, a likelihood's parameters
  std::optional<ops::Likelihood> likelihood = {};  // of which the outputs are the parameters, before they are made so
};

struct NetworkInput {
  std::vector<int64_t> lengths;  // [B] steps of each history, from 1 to L
  Tensor past;                   // [sum of lengths, P] the histories one after the other, oldest step first
  Tensor future;                 // [B * H, F]; empty for F = 0
  Tensor fixed;                  // [B, S]; empty for S = 0
  Tensor targets;                // [B, H] what came, for teacher forcing; NaN: not known. Empty in forecasts

  int64_t B() const { return std::ssize(lengths); }
};

// What a network looked at, for pictures.
struct LookedAt {
  std::vector<Tensor> weights;  // [B] of [rows, its length] attention over its history, a row for each hop or head or
                                // step of the horizon; empty without attention
  std::vector<Tensor> horizon_weights;  // [B] of [rows, H] what the same rows have for the horizon itself; empty where
                                        // attention does not see it
  // [B, variables] the mean over steps of the weight of each variable; empty without such weights.
  Tensor past, future, fixed;
};

class ForecastNetwork {
 public:
  virtual ~ForecastNetwork() = default;
  // [B, H * outputs], what the steps have side by side. Without noise: no dropout. A row does not depend on the others.
  virtual Var operator()(const NetworkInput& in, Noise* noise, LookedAt* looked = nullptr) const = 0;
  virtual bool has_attention() const { return false; }
  // Histories are given in whole groups of so many steps, which divides L.
  virtual int64_t reads_at_once() const { return 1; }
  // Whether a step of the horizon reads the value of the step before. Then the call above needs targets, and forecasts
  // are paths: [B, S, H] values f32, of sampled ones where the outputs are parameters of a likelihood, S = 1 for
  // points. Path s of row b takes its random numbers from (seed, rows[b], s).
  virtual bool is_autoregressive() const { return false; }
  struct Paths {
    int64_t samples = 1;
    uint64_t seed = 1;
    std::vector<uint64_t> rows;  // [B] what names each of them
  };
  virtual Tensor paths(const NetworkInput& in, const Paths& how) const;
  virtual void params(ParamVisitor& v) = 0;
  // Weights and biases of the layers that give the outputs: they begin as zeros, so that training starts from the
  // linear map or the last value. Never empty.
  virtual std::vector<Var> last_layer() const = 0;
};

// Throw ConfigError for options that do not go together.
// kind = lstm and segment
std::unique_ptr<ForecastNetwork> make_direct_network(const ForecasterOptions& options, const ForecastSizes& sizes);
// kind = seq2seq
std::unique_ptr<ForecastNetwork> make_encoder_decoder_network(const ForecasterOptions& options,
                                                              const ForecastSizes& sizes);
// kind = deepar, and lstm with autoregressive = true
std::unique_ptr<ForecastNetwork> make_autoregressive_network(const ForecasterOptions& options,
                                                             const ForecastSizes& sizes);
// kind = tft
std::unique_ptr<ForecastNetwork> make_temporal_fusion_network(const ForecasterOptions& options,
                                                              const ForecastSizes& sizes);

}  // namespace lookback
