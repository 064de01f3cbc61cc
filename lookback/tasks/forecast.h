// Private to tasks: forecasting: tables of time series, and their next values.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lookback/models/forecaster.h"
#include "lookback/models/linear_forecast.h"
#include "lookback/ops/value_loss.h"
#include "lookback/tasks/common_options.h"
#include "lookback/tasks/forecast_data.h"
#include "lookback/tasks/recipe_task.h"

namespace lookback::tasks {

struct ForecastObjective {
  std::string kind = "mse";
  double delta = 1;
  StringList levels = {"0.1", "0.5", "0.9"};

  void fields(FieldVisitor& v) {
    v("kind", kind, "of scaled values: mse, mae, huber, or quantile: a forecast of each of the levels")
        .choices({"mse", "mae", "huber", "quantile"});
    v("delta", delta, "kind = 'huber': errors beyond it count linearly").range(1e-6, 1e6);
    v("levels", levels, "kind = 'quantile': the quantiles that are forecast, ascending, 0.5 among them");
  }

  // Throws ConfigError for levels that are none.
  std::vector<double> level_list() const;  // of 'quantile'; else none
  ops::ValueLossOptions loss(double scale) const;
};

struct Forecast {
  static constexpr const char *kName = "forecast",
                              *kSummary = "the next values of time series: LSTM, attention, beside honest baselines",
                              *kUnit = "values";

  struct Valid {
    int64_t batch = 256;
    void fields(FieldVisitor& v) { v("batch", batch, "forecasts validated at once").range(1, 1e6); }
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

  // config.json of a model folder.
  struct Config {
    std::string model_type = "lookback-forecaster", task = kName;
    int64_t format = 1;
    int64_t history = 2, horizon = 1;
    bool calendar = true;
    std::string frequency, scale = "standard";
    StringList levels;  // quantiles; none: a point
    data::SeriesOptions series;
    ForecasterOptions model;

    void fields(FieldVisitor& v) {
      v("model_type", model_type, "").choices({"lookback-forecaster"});
      v("task", task, "").choices({kName});
      v("format", format, "").range(1, 1);
      v("history", history, "").range(2, 1e6);
      v("horizon", horizon, "").range(1, 1e6);
      v("calendar", calendar, "");
      v("frequency", frequency, "");
      v("scale", scale, "").choices({"standard", "robust", "mean", "none"});
      v("levels", levels, "");
      v("series", series);
      v("model", model);
    }
  };

  struct Network {
    Config config;
    std::vector<double> levels;
    std::unique_ptr<Forecaster> model;

    std::vector<NamedVar> parameters() const { return params_of(*model); }
    bool has_attention() const { return model->has_attention(); }
    StringList kept_from_int8() const { return {}; }
    void check_ensemble(const Network& other, const std::string& folder, const std::string& other_folder) const;
    StringList save(const std::string& folder) const;
    static Network open(const io::ModelFolder& folder);
  };

  struct Options final : CommonOptions {
    int64_t horizon = 0;

    Options() { batch = 256; }
    Fields fields() override { return fields_of(*this); }
    void fields(FieldVisitor& v) {
      v("horizon", horizon, "steps to forecast; 0: as many as the model can").range(0, 1e6);
      common_fields(v);
    }
  };

  using Data = ForecastWindows;
  using Batch = ForecastWindows::Batch;
  using Networks = std::span<const Network* const>;

  static std::vector<InputField> input_fields() { return {{"table", "a table of series"}}; }
  static std::string output_name() { return "forecast"; }
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
  static void learn_from(Network&, const Recipe&, const Data&) {}
  static void check_test_files(const Recipe&, const std::string&) {}
  static StringList test_report(const Recipe&, const std::string&) { return {}; }
  static StringList data_digests(const Recipe& recipe, const std::string& root);
  static std::vector<int32_t> costs(const Data& data) {
    return std::vector<int32_t>(static_cast<size_t>(data.size()), 1);
  }
  static std::vector<std::vector<int32_t>> keys(const Data& data) { return {costs(data)}; }
  static int64_t units(const Batch& batch) { return batch.targets; }
  static StringList example(const Network&, const Data& data, int64_t k, uint64_t seed);
  static Loss loss(const Network& network, const Recipe& recipe, const Batch& batch, double scale, Noise* noise);
  static void finish(Network&, const Data&, const LogSink&) {}

  static Options options(const Network&, bool int8) {
    Options out;
    if (int8) out.precision = "int8";
    return out;
  }
  static void check_options(Networks networks, const Options& options, const LogSink& log);
  static std::vector<Prediction> predict(Networks, std::span<const Input>, const Options&, TaskModel::Detail);
  static viz::Figure explain(Networks, const Input&, const Options&);
  static std::string steps(Networks, const Input&, const Options&);
  // What comes after each series of a table: "unique_id,ds,y" and a column for each quantile, as CSV or JSONL.
  static std::string predict_table(Networks networks, const std::string& file, std::string_view format,
                                   const Options& options);
  static EvaluationReport evaluate(Networks networks, const io::ModelFolder& folder, const TaskModel::Evaluation& what,
                                   const Options& options);
  // Last value, seasonal naive, drift, mean, exponential smoothing, a linear map.
  static std::vector<BaselineScores> all_baselines(const Recipe& recipe, const std::string& root, const LogSink& log);
};

// Which of the levels is the point forecast, the median; levels.size() if they lack it, 0 without any.
size_t middle(std::span<const double> levels);

// Forecasts from some origins of a series, scaled: [N, H * Q] with Q levels, or 1 without.
using ForecastFrom = std::function<std::vector<double>(size_t series, std::span<const int64_t> origins)>;

// Lines for the forecasts of one part, of each horizon by itself and, where there are several, their mean. The
// `levels` are those of the forecasts: the point is the median, or the forecast where there are none.
std::vector<EvaluationLine> score_part(const SplitTable& table, Split split, const ForecastData& options,
                                       std::span<const double> levels, const ForecastFrom& forecast, int64_t resamples);

// The linear map that is a baseline, and where a model with model.linear begins: its ridge by the validation part.
LinearForecast linear_map(const SplitTable& table, const ForecastData& data, const LogSink& log);

TaskKind forecast_kind();

}  // namespace lookback::tasks
