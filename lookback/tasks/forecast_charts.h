// Private to tasks: forecasts as pictures.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lookback/models/forecaster.h"
#include "lookback/tasks/forecast_rows.h"
#include "lookback/viz/figure.h"

namespace lookback::tasks {

// The history of a series that a model read, its forecast with intervals, the attention over the history below, and the
// weights of variables. `rows` has the one window at the series' end, `looked` what the model looked at for it.
viz::Chart forecast_chart(const SplitTable& table, size_t series, const ForecastRows& rows, int64_t horizon,
                          int64_t history, const Forecaster& model, const LookedAt& looked);

// Forecasts of one series over what came: the last ones that do not overlap. Throws FormatError if there is none.
viz::Chart backtest_chart(const SplitTable& table, std::span<const ForecastWindows::Window> windows,
                          const ForecastRows& rows, int64_t horizon, size_t series);

// An error of each step ahead, for several methods. Lines of one length, at least one.
viz::Chart error_chart(const std::string& measure,
                       const std::vector<std::pair<std::string, std::vector<double>>>& errors);

}  // namespace lookback::tasks
