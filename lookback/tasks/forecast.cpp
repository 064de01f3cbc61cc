#include "lookback/tasks/forecast.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/parse.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/models/linear_forecast.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/task_definition.h"

namespace lookback::tasks {
namespace {

constexpr const char* kScalesFile = "scales.csv";
constexpr double kRidges[] = {1e-3, 1e-2, 1e-1, 1};

std::vector<double> numbers_of(const StringList& levels) {
  std::vector<double> out;
  for (const std::string& s : levels) {
    const auto x = parse_number<double>(s);
    check<ConfigError>(x && 0 < *x && *x < 1 && (out.empty() || out.back() < *x), "loss.levels: '", s,
                       "' is no level in (0, 1) above the one before it");
    out.push_back(*x);
  }
  return out;
}

std::optional<ops::Likelihood> likelihood_of(const std::string& name) {
  if (name == "gaussian") return ops::Likelihood::gaussian;
  if (name == "student_t") return ops::Likelihood::student_t;
  return {};
}

std::optional<data::Frequency> frequency_of(const Forecast::Config& c) {
  return c.frequency.empty() ? std::nullopt : std::optional(data::parse_frequency(c.frequency));
}

ForecastSizes sizes_of(const Forecast::Config& c) {
  VariableNames names = names_of_variables(frequency_of(c), c.variables);
  const auto likelihood = likelihood_of(c.outputs);
  return {.history = c.history,
          .horizon = c.horizon,
          .past = std::move(names.past),
          .future = std::move(names.future),
          .fixed = std::move(names.fixed),
          .outputs = c.outputs == "quantiles" ? std::ssize(c.levels)
                     : likelihood             ? ops::parameters_of(*likelihood)
                                              : 1,
          .likelihood = likelihood};
}

Forecast::Network make(const Forecast::Recipe& recipe, std::string frequency, ForecastVariables variables) {
  Forecast::Network out{.config = {.history = recipe.data.history,
                                   .horizon = recipe.data.longest_horizon(),
                                   .frequency = std::move(frequency),
                                   .scale = recipe.data.scale,
                                   .intervals = recipe.valid.intervals,
                                   .series = recipe.data.series,
                                   .variables = std::move(variables),
                                   .model = recipe.model},
                        .levels = recipe.loss.level_list(),
                        .margins = {},
                        .scales = {},
                        .model = nullptr};
  if (!recipe.loss.is_point()) {
    out.config.outputs = recipe.loss.kind == "quantile" ? "quantiles" : recipe.loss.kind;
    out.config.levels = recipe.loss.levels;
  }
  out.model = std::make_unique<Forecaster>(recipe.model, sizes_of(out.config), seed_of(recipe.train));
  return out;
}

}  // namespace

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

std::optional<ops::Likelihood> ForecastObjective::likelihood() const { return likelihood_of(kind); }

std::vector<double> ForecastObjective::level_list() const {
  return is_point() ? std::vector<double>() : numbers_of(levels);
}

ops::ValueLossOptions ForecastObjective::value_loss(double scale) const {
  using Kind = ops::ValueLossOptions::Kind;
  const Kind k = kind == "mse"     ? Kind::squared
                 : kind == "mae"   ? Kind::absolute
                 : kind == "huber" ? Kind::huber
                                   : Kind::quantile;
  return {.kind = k, .delta = delta, .levels = level_list(), .scale = scale};
}

const ConformalMargin* Forecast::Network::margin(double percent) const {
  const auto at = std::ranges::find_if(margins, [&](const auto& m) { return std::abs(m.percent - percent) < 1e-9; });
  return at == margins.end() ? nullptr : &*at;
}

bool Forecast::Network::has_interval(double percent) const {
  if (model->sizes().likelihood) return true;
  return find_level(levels, low_level(percent)) < levels.size() &&
         find_level(levels, high_level(percent)) < levels.size();
}

void Forecast::Network::check_ensemble(const Network& other, const std::string& folder,
                                       const std::string& other_folder) const {
  const auto names_of = [](Config c) { return io::write_json_fields(fields_of(c.variables)); };
  const auto same = [&](const Config& a, const Config& b) {
    return a.history == b.history && a.horizon == b.horizon && a.levels == b.levels && a.frequency == b.frequency &&
           a.scale == b.scale && names_of(a) == names_of(b);
  };
  check<FormatError>(same(config, other.config), other_folder,
                     ": its history, horizon, levels, frequency, variables or scaling are not those of ", folder,
                     "; an ensemble needs the same");
  check<FormatError>(scales == other.scales, other_folder, ": it learnt other series, or another part of them, than ",
                     folder, "; an ensemble needs the same ", kScalesFile);
}

StringList Forecast::Network::save(const std::string& folder) const {
  Config written = config;
  written.margins.clear();
  for (const ConformalMargin& m : margins) {
    Margins& to = written.margins.emplace_back(Margins{.percent = m.percent, .margins = {}});
    for (const double x : m.margins) to.margins.push_back(io::json_number(x));
  }
  io::write_file_atomic(folder + "/config.json", io::write_json_fields(fields_of(written)));
  io::write_file_atomic(folder + "/" + kScalesFile, write_scales(scales));
  return {"config.json", kScalesFile};
}

Forecast::Network Forecast::Network::open(const io::ModelFolder& folder) {
  Network out;
  read_fields(folder.open("config.json"), fields_of(out.config));
  out.scales = read_scales(folder, kScalesFile);
  try {
    out.levels = numbers_of(out.config.levels);
    for (const Margins& m : out.config.margins) {
      const ConformalMargin& to = out.margins.emplace_back(
          ConformalMargin{.percent = m.percent, .margins = finite_numbers(m.margins, "margins")});
      check<ConfigError>(std::ssize(to.margins) == out.config.horizon, "margins: ", to.margins.size(), " for ",
                         out.config.horizon, " steps");
    }
    out.model = std::make_unique<Forecaster>(out.config.model, sizes_of(out.config), Forecaster::kNoInit);
  } catch (const ConfigError& e) {
    throw FormatError(folder.path() + "/config.json: " + e.what());
  }
  return out;
}

void Forecast::validate(const Recipe& recipe) {
  const auto levels = recipe.loss.level_list();
  check<ConfigError>(recipe.loss.kind != "quantile" || find_level(levels, 0.5) < levels.size(),
                     "loss.levels needs 0.5, the point forecast");
  percents_of(recipe.valid.intervals, "valid.intervals");
  check<ConfigError>(recipe.loss.kind == "huber" || recipe.loss.delta == 1, "loss.delta = ", recipe.loss.delta,
                     " is of kind 'huber'; this is '", recipe.loss.kind, "'");
  check<ConfigError>(recipe.train.batches.batch > 0, "train.batch = 0 counts tokens, and there are none here");
  const auto likelihood = recipe.loss.likelihood();
  VariableNames names{.past = {{"y", 2}}, .future = {}, .fixed = {}};
  for (const std::string& name : recipe.data.series.future) names.future.push_back({name});
  for (const std::string& name : recipe.data.series.fixed) names.fixed.push_back({name});
  for (const auto& list : {recipe.data.series.past, recipe.data.series.future})
    for (const std::string& name : list) names.past.push_back({name});
  Forecaster small(recipe.model,
                   {.history = recipe.data.history,
                    .horizon = 1,
                    .past = std::move(names.past),
                    .future = std::move(names.future),
                    .fixed = std::move(names.fixed),
                    .outputs = likelihood ? ops::parameters_of(*likelihood) : std::max<int64_t>(1, std::ssize(levels)),
                    .likelihood = likelihood},
                   Forecaster::kNoInit);
  check<ConfigError>(!small.is_autoregressive() || recipe.loss.kind != "quantile",
                     "loss.kind = 'quantile' is of forecasts made at once; a model that reads the value before each "
                     "learns mse, mae, huber, gaussian or student_t");
  const bool by_error = recipe.train.options.keep == "mse" || recipe.train.options.keep == "mae";
  check<ConfigError>(!small.is_autoregressive() || !by_error, "train.keep = '", recipe.train.options.keep,
                     "': a model that reads the value before each is validated by its loss; set train.keep = 'loss'");
  train::freeze(params_of(small), recipe.train.options.freeze);
}

Forecast::Data Forecast::open(const Recipe& recipe, const Network& network, Split split, const std::string& root) {
  return ForecastWindows(read_split(recipe.data, root), network.config.variables, recipe.data, split);
}

Forecast::Network Forecast::learn_from_files(const Recipe& recipe, const std::string& root, const LogSink& log) {
  const SplitTable table = read_split(recipe.data, root);
  Network out = make(recipe, table.frequency ? data::frequency_alias(*table.frequency) : "",
                     learn_variables(table, recipe.data.calendar));
  log(Severity::info, str_cat("frequency: ", out.config.frequency.empty() ? "none" : out.config.frequency,
                              "; season: ", table.season(), " steps"));
  if (recipe.model.linear) out.model->start_from(linear_map(table, recipe.data, log).weights());
  return out;
}

Forecast::Network Forecast::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink&) {
  Config known;
  read_fields(folder.open("config.json"), fields_of(known));
  const auto check_same = [&](const char* key, const StringList& now, const StringList& then) {
    check<ConfigError>(now == then, "data.", key, " = [", joined(now), "], and that of ", folder.path(), " is [",
                       joined(then), "]");
  };
  check_same("past", recipe.data.series.past, known.series.past);
  check_same("future", recipe.data.series.future, known.series.future);
  check_same("static", recipe.data.series.fixed, known.series.fixed);
  check_same("categorical", recipe.data.series.categorical, known.series.categorical);
  return make(recipe, known.frequency, known.variables);
}

void Forecast::learn_from(Network& network, const Recipe&, const Data& train) {
  network.scales = scales_of(train.table());
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
  return {str_cat("  ", s.series.id, " from ", data.table().stamp(s.series, origin), ": ",
                  io::json_number(s.series.values[static_cast<size_t>(origin)]), " after ",
                  io::json_number(s.series.values[static_cast<size_t>(origin - 1)]))};
}

Loss Forecast::loss(const Network& network, const Recipe& recipe, const Batch& batch, double scale, Noise* noise) {
  const Var values = (*network.model)(batch.values, noise);
  const auto likelihood = recipe.loss.likelihood();
  const Tensor& targets = batch.values.targets;
  const auto loss = likelihood ? ops::likelihood_loss(values, targets, *likelihood, scale)
                               : ops::value_loss(values, targets, recipe.loss.value_loss(scale));
  Loss out{loss.loss, {.loss = loss.loss_sum, .units = loss.values, .sums = {}}};
  // Of what is known of the value before, these would not be errors of a forecast.
  if (network.model->is_autoregressive()) return out;
  const int64_t P = network.model->sizes().outputs;
  const auto point =
      likelihood || network.levels.empty() ? int64_t{0} : static_cast<int64_t>(find_level(network.levels, 0.5));
  double squares = 0, sizes = 0;
  for (int64_t i = 0; i < targets.size(); ++i) {
    const double y = targets.data<float>()[i], e = values.value().data<float>()[i * P + point] - y;
    if (!std::isnan(y)) squares += e * e, sizes += std::abs(e);
  }
  out.sums.sums = {{"mse", squares}, {"mae", sizes}};
  return out;
}

void Forecast::finish(Network& network, const Data& valid, const LogSink& log) {
  network.margins = conformal_margins(network, valid, network.config.intervals);
  if (network.margins.empty() && !network.config.intervals.empty())
    log(Severity::warning,
        "the validation part is shorter than the horizon: intervals of this model are its own, not calibrated");
}

void Forecast::check_options(Networks networks, const Options& options, const LogSink& log) {
  options.check_precision(log);
  const int64_t most = networks[0]->config.horizon;
  check<ConfigError>(options.horizon <= most, "horizon = ", options.horizon, " is beyond the model's ", most,
                     " steps; train one with data.horizons = [", options.horizon, "]");
  bool sampled = false;
  for (const Network* const n : networks) sampled |= n->model->is_autoregressive() && n->model->sizes().likelihood;
  check<ConfigError>(sampled || (options.samples == Options().samples && options.seed == Options().seed),
                     "samples and seed are of models that draw paths (kind = 'deepar'); this one says its quantiles");
  check<ConfigError>(options.intervals == "rolling" || options.recent == Options().recent, "recent = ", options.recent,
                     " is of intervals = 'rolling'; this is '", options.intervals, "'");
  for (const double percent : options.percents())
    for (const Network* const n : networks) {
      std::string has;
      for (const ConformalMargin& m : n->margins) has += (has.empty() ? "" : ", ") + io::json_number(m.percent);
      check<ConfigError>(!options.calibrated() || n->margin(percent), "levels: an interval of ", percent,
                         " % was not calibrated (", has.empty() ? "none was" : has + " were",
                         "; valid.intervals of the recipe); --intervals model gives its own");
      check<ConfigError>(options.calibrated() || n->has_interval(percent), "levels: the model has no interval of ",
                         percent, " % of its own: that takes the quantiles ", low_level(percent), " and ",
                         high_level(percent), " in loss.levels, or a likelihood");
    }
}

std::vector<Prediction> Forecast::predict(Networks, std::span<const Input>, const Options&, TaskModel::Detail) {
  throw ConfigError("a model of task forecast is given a table, not lines");
}

viz::Figure Forecast::explain(Networks, const Input&, const Options&) {
  throw ConfigError("explain: a model of task forecast is given a table, --in TABLE, and no --text");
}

std::string Forecast::steps(Networks, const Input&, const Options&) {
  throw ConfigError("explain: --steps follows a decoder, and a model of task forecast has none");
}

TaskKind forecast_kind() { return task_kind<Forecast>(); }

}  // namespace lookback::tasks
