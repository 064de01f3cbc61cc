#include "lookback/tasks/forecast.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/parse.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/models/linear_forecast.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/csv_input.h"
#include "lookback/tasks/task_definition.h"

namespace lookback::tasks {
namespace {

constexpr double kRidges[] = {1e-3, 1e-2, 1e-1, 1};

std::vector<double> numbers_of(const StringList& levels) {
  std::vector<double> out;
  for (const std::string& s : levels) {
    double x = 0;
    const auto r = std::from_chars(s.data(), s.data() + s.size(), x);
    check<ConfigError>(
        r.ec == std::errc() && r.ptr == s.data() + s.size() && 0 < x && x < 1 && (out.empty() || out.back() < x),
        "loss.levels: '", s, "' is no level in (0, 1) above the one before it");
    out.push_back(x);
  }
  return out;
}

std::optional<data::Frequency> frequency_of(const Forecast::Config& c) {
  return c.frequency.empty() ? std::nullopt : std::optional(data::parse_frequency(c.frequency));
}

ForecastSizes sizes_of(const Forecast::Config& c) {
  VariableNames names = names_of_variables(frequency_of(c), c.calendar);
  return {.history = c.history,
          .horizon = c.horizon,
          .past = std::move(names.past),
          .future = std::move(names.future),
          .fixed = std::move(names.fixed),
          .outputs = std::max<int64_t>(1, std::ssize(c.levels))};
}

Forecast::Network make(const Forecast::Recipe& recipe, std::string frequency) {
  Forecast::Network out{.config = {.history = recipe.data.history,
                                   .horizon = recipe.data.longest_horizon(),
                                   .calendar = recipe.data.calendar,
                                   .frequency = std::move(frequency),
                                   .scale = recipe.data.scale,
                                   .series = recipe.data.series,
                                   .model = recipe.model},
                        .levels = recipe.loss.level_list(),
                        .model = nullptr};
  if (!out.levels.empty()) out.config.levels = recipe.loss.levels;
  out.model = std::make_unique<Forecaster>(recipe.model, sizes_of(out.config), seed_of(recipe.train));
  return out;
}

// The mean of the networks' forecasts, scaled, of a series from some origins: [N, H * levels].
std::vector<double> forecast_from(Forecast::Networks networks, const SplitSeries& series,
                                  const SeriesVariables& variables, std::span<const int64_t> origins,
                                  const Forecast::Options& options) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  const Forecast::Config& c = networks[0]->config;
  std::vector<double> out;
  for (size_t first = 0; first < origins.size(); first += static_cast<size_t>(options.batch)) {
    const auto now = origins.subspan(first, std::min(static_cast<size_t>(options.batch), origins.size() - first));
    std::vector<ForecastWindows::Window> windows;
    for (const int64_t origin : now) windows.push_back({0, origin});
    const ForecastBatch batch = read_windows({&series, 1}, {&variables, 1}, windows, c.history, c.horizon);
    std::vector<double> sum;
    for (const Forecast::Network* const network : networks) {
      const Tensor values = network->model->forecast(batch).values;
      sum.resize(static_cast<size_t>(values.size()));
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += values.data<float>()[i] / static_cast<double>(networks.size());
    }
    out.insert(out.end(), sum.begin(), sum.end());
  }
  return out;
}

std::string column_of(double level) { return "q" + io::json_number(level); }

}  // namespace

size_t middle(std::span<const double> levels) {
  return levels.empty() ? 0 : static_cast<size_t>(std::ranges::find(levels, 0.5) - levels.begin());
}

LinearForecast linear_map(const SplitTable& table, const ForecastData& data, const LogSink& log) {
  const ForecastWindow window{.lookback = data.history, .horizon = data.longest_horizon()};
  std::vector<std::span<const double>> learnt;
  std::vector<ForecastTarget> held_out;
  for (const SplitSeries& s : table.series) {
    learnt.push_back(std::span(s.scaled).first(static_cast<size_t>(s.valid_from)));
    if (s.valid_from + window.horizon <= s.test_from)
      held_out.push_back({std::span(s.scaled).first(static_cast<size_t>(s.test_from)), s.valid_from});
  }
  const double ridge = held_out.empty() ? kRidges[1] : select_ridge(learnt, held_out, window, kRidges);
  log(Severity::info, str_cat("linear map: ", window.lookback, " to ", window.horizon, ", ridge ", ridge));
  return train_linear_forecast(learnt, window, ridge);
}

std::vector<double> ForecastObjective::level_list() const {
  return kind == "quantile" ? numbers_of(levels) : std::vector<double>();
}

ops::ValueLossOptions ForecastObjective::loss(double scale) const {
  using Kind = ops::ValueLossOptions::Kind;
  const Kind k = kind == "mse"     ? Kind::squared
                 : kind == "mae"   ? Kind::absolute
                 : kind == "huber" ? Kind::huber
                                   : Kind::quantile;
  return {.kind = k, .delta = delta, .levels = level_list(), .scale = scale};
}

void Forecast::Network::check_ensemble(const Network& other, const std::string& folder,
                                       const std::string& other_folder) const {
  const auto same = [](const Config& a, const Config& b) {
    return a.history == b.history && a.horizon == b.horizon && a.levels == b.levels && a.frequency == b.frequency &&
           a.scale == b.scale;
  };
  check<FormatError>(same(config, other.config), other_folder,
                     ": its history, horizon, levels, frequency or scaling are not those of ", folder,
                     "; an ensemble needs the same");
}

StringList Forecast::Network::save(const std::string& folder) const {
  Config written = config;
  io::write_file_atomic(folder + "/config.json", io::write_json_fields(fields_of(written)));
  return {"config.json"};
}

Forecast::Network Forecast::Network::open(const io::ModelFolder& folder) {
  Network out;
  read_fields(folder.open("config.json"), fields_of(out.config));
  try {
    out.levels = numbers_of(out.config.levels);
    out.model = std::make_unique<Forecaster>(out.config.model, sizes_of(out.config), Forecaster::kNoInit);
  } catch (const ConfigError& e) {
    throw FormatError(folder.path() + "/config.json: " + e.what());
  }
  return out;
}

void Forecast::validate(const Recipe& recipe) {
  const auto levels = recipe.loss.level_list();
  check<ConfigError>(levels.empty() || middle(levels) < levels.size(), "loss.levels needs 0.5, the point forecast");
  check<ConfigError>(recipe.loss.kind == "huber" || recipe.loss.delta == 1, "loss.delta = ", recipe.loss.delta,
                     " is of kind 'huber'; this is '", recipe.loss.kind, "'");
  check<ConfigError>(recipe.train.batches.batch > 0, "train.batch = 0 counts tokens, and there are none here");
  Forecaster small(recipe.model,
                   {.history = recipe.data.history, .horizon = 1, .past = {{"y", 2}}, .future = {}, .fixed = {}},
                   Forecaster::kNoInit);
  train::freeze(params_of(small), recipe.train.options.freeze);
}

Forecast::Data Forecast::open(const Recipe& recipe, const Network&, Split split, const std::string& root) {
  return ForecastWindows(read_split(recipe.data, root), recipe.data, split);
}

Forecast::Network Forecast::learn_from_files(const Recipe& recipe, const std::string& root, const LogSink& log) {
  const SplitTable table = read_split(recipe.data, root);
  Network out = make(recipe, table.frequency ? data::frequency_alias(*table.frequency) : "");
  log(Severity::info, str_cat("frequency: ", out.config.frequency.empty() ? "none" : out.config.frequency,
                              "; season: ", table.season(), " steps"));
  if (recipe.model.linear) out.model->start_from(linear_map(table, recipe.data, log).weights());
  return out;
}

Forecast::Network Forecast::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink&) {
  Config known;
  read_fields(folder.open("config.json"), fields_of(known));
  return make(recipe, known.frequency);
}

StringList Forecast::data_digests(const Recipe& recipe, const std::string& root) {
  StringList out;
  for (const std::string& file : recipe.data.files(root))
    out.push_back(str_cat("data.train's SHA-256 = ", io::sha256_file(io::File::open_regular(file))));
  return out;
}

StringList Forecast::example(const Network&, const Data& data, int64_t k, uint64_t) {
  const auto& [which, origin] = data.window(k);
  const SplitSeries& s = data.table().series[static_cast<size_t>(which)];
  const data::SeriesTable names{
      .series = {}, .frequency = data.table().frequency, .style = data.table().style, .report = {}};
  return {str_cat("  ", s.series.id, " from ", names.stamp(s.series, origin), ": ",
                  io::json_number(s.series.values[static_cast<size_t>(origin)]), " after ",
                  io::json_number(s.series.values[static_cast<size_t>(origin - 1)]))};
}

Loss Forecast::loss(const Network& network, const Recipe& recipe, const Batch& batch, double scale, Noise* noise) {
  const Var values = (*network.model)(batch.values, noise);
  const auto loss = ops::value_loss(values, batch.values.targets, recipe.loss.loss(scale));
  const int64_t Q = std::max<int64_t>(1, std::ssize(network.levels)), m = static_cast<int64_t>(middle(network.levels));
  double squares = 0, sizes = 0;
  for (int64_t i = 0; i < batch.values.targets.size(); ++i) {
    const double y = batch.values.targets.data<float>()[i], e = values.value().data<float>()[i * Q + m] - y;
    if (!std::isnan(y)) squares += e * e, sizes += std::abs(e);
  }
  return {loss.loss, {.loss = loss.loss_sum, .units = loss.values, .sums = {{"mse", squares}, {"mae", sizes}}}};
}

void Forecast::check_options(Networks networks, const Options& options, const LogSink& log) {
  options.check_precision(log);
  const int64_t most = networks[0]->config.horizon;
  check<ConfigError>(options.horizon <= most, "horizon = ", options.horizon, " is beyond the model's ", most,
                     " steps; train one with data.horizons = [", options.horizon, "]");
}

std::vector<Prediction> Forecast::predict(Networks, std::span<const Input>, const Options&, TaskModel::Detail) {
  throw ConfigError("a model of task forecast is given a table, not lines");
}

viz::Figure Forecast::explain(Networks, const Input&, const Options&) {
  throw ConfigError("explain: task forecast has no picture yet");
}

std::string Forecast::steps(Networks, const Input&, const Options&) {
  throw ConfigError("explain: --steps follows a decoder, and a model of task forecast has none");
}

std::string Forecast::predict_table(Networks networks, const std::string& file, std::string_view format,
                                    const Options& options) {
  check<ConfigError>(format == "csv" || format == "jsonl", "predict: --format of a forecast is csv or jsonl, not ",
                     format);
  const Config& c = networks[0]->config;
  const std::vector<double>& levels = networks[0]->levels;
  const data::SeriesTable table = data::read_series({file}, c.series);
  const std::string frequency = table.frequency ? data::frequency_alias(*table.frequency) : "";
  check<FormatError>(!frequency.empty(), file == "-" ? "standard input" : file,
                     ": no series has two values, so that the time from one to the next is not known");
  check<FormatError>(frequency == c.frequency, file == "-" ? "standard input" : file, ": its values are ", frequency,
                     " apart, those that the model learnt from ", c.frequency);
  const int64_t H = options.horizon ? options.horizon : c.horizon;
  const size_t Q = std::max<size_t>(1, levels.size());
  std::string out;
  if (format == "csv") {
    out = "unique_id,ds,y";
    for (const double level : levels) out += "," + column_of(level);
    out += "\n";
  }
  for (const data::Series& series : table.series) {
    SplitSeries s{.series = series, .scaling = scaling_of(series, series.size(), c.scale), .scaled = {}};
    for (const double x : series.values) s.scaled.push_back(s.scaling.scaled(x));
    const int64_t origin = series.size();
    const auto values =
        forecast_from(networks, s, variables_of(series, table.frequency, c.calendar, c.horizon), {&origin, 1}, options);
    for (int64_t h = 0; h < H; ++h) {
      const auto value = [&](size_t q) { return s.scaling.original(values[static_cast<size_t>(h) * Q + q]); };
      const std::string stamp = table.stamp(series, origin + h);
      if (format == "csv") {
        out += csv_cell(series.id) + "," + csv_cell(stamp) + "," + io::json_number(value(middle(levels)));
        for (size_t q = 0; q < levels.size(); ++q) out += "," + io::json_number(value(q));
      } else {
        io::JsonObject row = io::JsonObject().add("unique_id", series.id).add("ds", stamp);
        row.add("y", value(middle(levels)));
        for (size_t q = 0; q < levels.size(); ++q) row.add(column_of(levels[q]), value(q));
        out += row.text();
      }
      out += "\n";
    }
  }
  return out;
}

EvaluationReport Forecast::evaluate(Networks networks, const io::ModelFolder& folder, const TaskModel::Evaluation& what,
                                    const Options& options) {
  auto data = read_data_of_run<ForecastData>(folder);
  if (!what.files.empty()) data.data.train = what.files, data.root = "";
  check<ConfigError>(!data.data.train.empty(),
                     "evaluate: --data FILE... is missing, and the model's folder does not say what it learnt from");
  const SplitTable table = read_split(data.data, data.root);
  const Config& c = networks[0]->config;
  std::vector<SeriesVariables> variables;
  for (const SplitSeries& s : table.series)
    variables.push_back(variables_of(s.series, table.frequency, c.calendar, c.horizon));
  return {score_part(
              table, Split::test, data.data, networks[0]->levels,
              [&](size_t k, std::span<const int64_t> origins) {
                return forecast_from(networks, table.series[k], variables[k], origins, options);
              },
              what.resamples),
          ""};
}

TaskKind forecast_kind() { return task_kind<Forecast>(); }

}  // namespace lookback::tasks
