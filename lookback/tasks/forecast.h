// Private to tasks: forecasting: tables of time series, and their next values.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lookback/models/forecaster.h"
#include "lookback/models/linear_forecast.h"
#include "lookback/ops/likelihood.h"
#include "lookback/ops/value_loss.h"
#include "lookback/tasks/common_options.h"
#include "lookback/tasks/forecast_data.h"
#include "lookback/tasks/forecast_intervals.h"
#include "lookback/tasks/forecast_rows.h"
#include "lookback/tasks/recipe_task.h"

namespace lookback::tasks {

struct ForecastObjective {
  std::string kind = "mse";
  double delta = 1;
  StringList levels = {"0.1", "0.5", "0.9"};

  void fields(FieldVisitor& v) {
    v("kind", kind,
      "of scaled values: mse, mae, huber; quantile: a forecast of each of the levels; gaussian, student_t: the "
      "negative log-likelihood of a distribution, whose quantiles are given at the levels")
        .choices({"mse", "mae", "huber", "quantile", "gaussian", "student_t"});
    v("delta", delta, "kind = 'huber': errors beyond it count linearly").range(1e-6, 1e6);
    v("levels", levels, "quantile, gaussian, student_t: the quantiles of a forecast, ascending; quantile needs 0.5");
  }

  bool is_point() const { return kind == "mse" || kind == "mae" || kind == "huber"; }
  std::optional<ops::Likelihood> likelihood() const;
  // Throws ConfigError for levels that are none.
  std::vector<double> level_list() const;  // nothing for points
  ops::ValueLossOptions value_loss(double scale) const;
};

struct Forecast {
  static constexpr const char *kName = "forecast",
                              *kSummary = "the next values of time series: LSTM, attention, beside honest baselines",
                              *kUnit = "values";

  struct Valid {
    int64_t batch = 256;
    StringList intervals = {"80", "95"};
    void fields(FieldVisitor& v) {
      v("batch", batch, "forecasts validated at once").range(1, 1e6);
      v("intervals", intervals,
        "after training: how far intervals of so many percent have to reach to hold on the validation part "
        "(split-conformal), for predict --levels");
    }
  };
  struct Recipe {
    ForecastData data;
    ForecasterOptions model;
    ForecastObjective loss;
    TrainGroup train;
    Valid valid;

    Recipe() { train.batches.batch = 64; }
    void fields(FieldVisitor& v) {
      v("data", data), v("model", model), v("loss", loss), v("train", train), v("valid", valid);
    }
  };

  // A ConformalMargin as it is written.
  struct Margins {
    double percent = 0;
    StringList margins;
    void fields(FieldVisitor& v) { v("percent", percent, "").range(0, 100), v("margins", margins, ""); }
  };

  // config.json of a model folder.
  struct Config {
    std::string model_type = "lookback-forecaster", task = kName;
    int64_t format = 1;
    int64_t history = 2, horizon = 1;
    std::string frequency, scale = "standard";
    std::string outputs =
        "point";           // what the numbers of a value are: a point, "quantiles", or a likelihood's parameters
    StringList levels;     // of the quantiles that forecasts have
    StringList intervals;  // that training calibrates
    std::deque<Margins> margins;
    data::SeriesOptions series;
    ForecastVariables variables;
    ForecasterOptions model;

    void fields(FieldVisitor& v) {
      v("model_type", model_type, "").choices({"lookback-forecaster"});
      v("task", task, "").choices({kName});
      v("format", format, "").range(1, 1);
      v("history", history, "").range(2, 1e6);
      v("horizon", horizon, "").range(1, 1e6);
      v("frequency", frequency, "");
      v("scale", scale, "").choices({"standard", "robust", "mean", "none"});
      v("outputs", outputs, "").choices({"point", "quantiles", "gaussian", "student_t"});
      v("levels", levels, "");
      v("intervals", intervals, "");
      v("margins", margins);
      v("series", series), v("variables", variables);
      v("model", model);
    }
  };

  struct Network {
    Config config;
    std::vector<double> levels;
    std::vector<ConformalMargin> margins;
    Scales scales;  // of the series that were learnt
    std::unique_ptr<Forecaster> model;

    std::vector<NamedVar> parameters() const { return params_of(*model); }
    // null for an interval that was not calibrated.
    const ConformalMargin* margin(double percent) const;
    // Whether the model itself says how wide an interval is.
    bool has_interval(double percent) const;
    bool has_attention() const { return model->has_attention(); }
    StringList kept_from_int8() const { return {}; }
    void check_ensemble(const Network& other, const std::string& folder, const std::string& other_folder) const;
    StringList save(const std::string& folder) const;
    static Network open(const io::ModelFolder& folder);
  };

  struct Options final : CommonOptions {
    int64_t horizon = 0, recent = 500, samples = 200, seed = 1;
    StringList levels;
    std::string intervals = "conformal";

    Options() { batch = 256; }
    Fields fields() override { return fields_of(*this); }
    void fields(FieldVisitor& v) {
      v("horizon", horizon, "steps to forecast; 0: as many as the model can").range(0, 1e6);
      v("levels", levels, "intervals to give, in percent: 80,95");
      v("intervals", intervals,
        "what --levels gives. conformal: as wide as it took on the validation part (split-conformal); rolling: as wide "
        "as it took of late, for each series and step by forecasts whose values had come by then (rolling "
        "split-conformal), which costs a back-test; model: by the model's own quantiles")
          .choices({"conformal", "rolling", "model"});
      v("recent", recent,
        "intervals = 'rolling': by the latest so many forecasts of each series; by the validation part where fewer "
        "than "
        "100 of them have come (than all, if recent is less)")
          .range(1, 1e6);
      v("samples", samples, "paths that a model with kind = 'deepar' draws for each forecast").range(1, 1e6);
      v("seed", seed, "of the random numbers of those paths").range(0, 9e15);
      common_fields(v);
    }
    bool calibrated() const { return intervals != "model"; }
    std::vector<double> percents() const { return percents_of(levels, "levels"); }
  };

  using Data = ForecastWindows;
  using Batch = ForecastWindows::Batch;
  using Networks = std::span<const Network* const>;

  static std::vector<InputField> input_fields() { return {{"table", "a table of series"}}; }
  static std::string output_name() { return "forecast"; }
  static StringList tables() { return {"step", "series"}; }
  static std::vector<train::ScoreKind> sums() { return {{"mse", false}, {"mae", false}}; }
  static std::vector<train::ScoreKind> output_scores(const Recipe&) { return {}; }
  static void score_outputs(const Network&, const Recipe&, const Data&, train::Validation&) {}
  static StringList free_options() { return {}; }
  static StringList free_data_options() { return {"data.train", "valid.batch"}; }

  static void validate(const Recipe& recipe);
  static void validate_data(const Recipe& recipe) { recipe.data.validate(); }
  static Data open(const Recipe& recipe, const Network&, Split split, const std::string& root);
  static Network learn_from_files(const Recipe& recipe, const std::string& root, const LogSink& log);
  static Network with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log);
  static void learn_from(Network& network, const Recipe& recipe, const Data& train);
  static void check_test_files(const Recipe&, const std::string&) {}
  static StringList test_report(const Recipe&, const std::string&) { return {}; }
  static StringList data_digests(const Recipe& recipe, const std::string& root);
  static std::vector<int32_t> costs(const Data& data) {
    return std::vector<int32_t>(static_cast<size_t>(data.size()), 1);
  }
  // How much of its history each window has.
  static std::vector<std::vector<int32_t>> keys(const Data& data) { return {data.lengths()}; }
  static int64_t units(const Batch& batch) { return batch.targets; }
  static StringList example(const Network&, const Data& data, int64_t k, uint64_t seed);
  static Loss loss(const Network& network, const Recipe& recipe, const Batch& batch, double scale, Noise* noise);
  // Margins of intervals by the validation part.
  static void finish(Network&, const Data&, const LogSink&);

  static Options options(const Network&, bool int8) {
    Options out;
    if (int8) out.precision = "int8";
    return out;
  }
  static void check_options(Networks networks, const Options& options, const LogSink& log);
  static std::vector<Prediction> predict(Networks, std::span<const Input>, const Options&, TaskModel::Detail);
  static viz::Figure explain(Networks, const Input&, const Options&);
  static viz::Figure explain_table(Networks networks, const std::string& file, const std::string& series,
                                   const Options& options);
  static std::string steps(Networks, const Input&, const Options&);
  // What comes after each series of a table: "unique_id,ds,mean" and a column for both ends of each interval and for
  // each quantile, as CSV or JSONL.
  static std::string predict_table(Networks networks, const std::string& file, std::string_view format,
                                   const Options& options);
  // Networks trained with these as data.valid_from and data.test_from, which live until the next call.
  using TrainAnew = std::function<Networks(const std::string& valid_from, const std::string& test_from)>;
  static TaskModel::BacktestReport backtest(Networks networks, const io::ModelFolder& folder,
                                            const TaskModel::Backtest& what, const TrainAnew& train,
                                            const Options& options);
  static EvaluationReport evaluate(Networks networks, const io::ModelFolder& folder, const TaskModel::Evaluation& what,
                                   const Options& options);
  // Last value, seasonal naive, drift, mean, exponential smoothing, a linear map.
  static std::vector<BaselineScores> all_baselines(const Recipe& recipe, const std::string& root, const LogSink& log);
};

// Forecasts of some windows of a table.
using ForecastFrom = std::function<ForecastRows(std::span<const ForecastWindows::Window>)>;

// What the networks, whose mean it is, forecast by themselves: intervals as with options.intervals = "model".
ForecastRows model_rows(Forecast::Networks networks, std::span<const SplitSeries> series,
                        std::span<const SeriesVariables> variables, std::span<const ForecastWindows::Window> windows,
                        const Forecast::Options& options);

// The same with the intervals that the options ask for. What comes from the origin of a window on changes nothing of
// it.
ForecastRows forecast_rows(Forecast::Networks networks, std::span<const SplitSeries> series,
                           std::span<const SeriesVariables> variables, std::span<const ForecastWindows::Window> windows,
                           const Forecast::Options& options);

// Of what a network said of the validation part; none where that is too short.
std::vector<ConformalMargin> conformal_margins(const Forecast::Network& network, const ForecastWindows& data,
                                               const StringList& intervals);

// From where the shortest horizon is in a part, data.stride apart.
std::vector<ForecastWindows::Window> windows_to_score(const SplitTable& table, Split split,
                                                      const ForecastData& options);

// Lines for the forecasts of one part, of each horizon by itself and, where there are several, their mean; the table
// is that of the longest horizon.
EvaluationReport score_part(const SplitTable& table, Split split, const ForecastData& options,
                            const ForecastFrom& forecast, const TaskModel::Evaluation& what);

// The mean absolute error of each step of the longest horizon, in the recipe's units.
std::vector<double> errors_by_step(const SplitTable& table, Split split, const ForecastData& options,
                                   const ForecastFrom& forecast);

// The last value and, where there is a season, that of a season before.
std::vector<std::pair<std::string, ForecastFrom>> naive_methods(const SplitTable& table, int64_t horizon);

// The linear map that is a baseline, and where a model with model.linear begins: its ridge by the validation part.
LinearForecast linear_map(const SplitTable& table, const ForecastData& data, const LogSink& log);

TaskKind forecast_kind();

}  // namespace lookback::tasks
