// lookback backtest: what a model would have forecast, from many times in the past.
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "lookback/base/parse.h"
#include "lookback/cli/command.h"
#include "lookback/cli/drawing.h"
#include "lookback/cli/environment.h"
#include "lookback/cli/evaluate.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/prediction_flags.h"
#include "lookback/cli/recipe.h"
#include "lookback/cli/train.h"

namespace lookback::cli {
namespace {

struct BacktestFlags {
  StringList models, set;
  std::string in, start, refit = "never", recipe, data, out, format = "csv", by, plot, series;
  int64_t stride = 1;
  MachineFlags machine;

  void declare(Flags& v) {
    v.words("MODEL...", models, 1, "a model folder, or several: an ensemble");
    v("in", in, "TABLE", "the table of series, - for standard input; the one that the model learnt from unless given");
    v("start", start, "PLACE",
      "the first forecast: a time (2018-01-01), a number of values or a part (80 %) of each series; where the model's "
      "test part begins unless given");
    v("stride", stride, "N", "steps from one forecast to the next").range(1, 1e9);
    v("refit", refit, "N",
      "train anew before each N forecasts of a series, on what was there until then; never: the model as it is");
    v("recipe", recipe, "RECIPE.toml", "how --refit trains");
    v("data", data, "DIR", "where relative data paths of --recipe start; its own folder unless given");
    v("set", set, "KEY=VALUE", "change one key of --recipe; may be given often");
    v("out", out, "FILE", "where the forecasts go, each beside what came; - is standard output; nowhere unless given");
    v("format", format, "FORMAT", "of --out").choices({"csv", "jsonl"});
    v("by", by, "WHAT", "a table below the scores").choices({"step", "series"});
    v("plot", plot, "FILE", "where to draw forecasts over what came, by its ending: .html, .svg, .png or .json");
    v("series", series, "ID", "which series --plot draws; the first one unless given");
    machine.declare(v);
  }
};

// A folder for models that nobody keeps.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lookback_refit_XXXXXX").string();
    check<IoError>(mkdtemp(name.data()), "backtest: --refit: no folder for models in ",
                   std::filesystem::temp_directory_path().string());
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

int64_t refit_of(const BacktestFlags& flags) {
  if (flags.refit == "never") {
    check<ConfigError>(flags.recipe.empty() && flags.set.empty() && flags.data.empty(),
                       "backtest: --recipe, --data and --set are of --refit N");
    return 0;
  }
  const auto n = parse_number<int64_t>(flags.refit);
  check<ConfigError>(n && *n > 0, "backtest: --refit ", flags.refit, ": never, or a number of forecasts");
  check<ConfigError>(!flags.recipe.empty(), "backtest: --refit ", flags.refit, " needs --recipe RECIPE.toml");
  check<ConfigError>(flags.models.size() == 1, "backtest: --refit trains one model; ", flags.models.size(),
                     " are given");
  return *n;
}

// Trains the recipe with other parts, and loads what comes out.
std::unique_ptr<tasks::TaskModel> trained(const BacktestFlags& flags, const std::string& folder,
                                          const std::string& valid_from, const std::string& test_from,
                                          Console& console) {
  Recipe recipe = read_recipe(flags.recipe);
  check<ConfigError>(recipe.kind == tasks::task_of_model(flags.models[0]).name, "backtest: --recipe ", flags.recipe,
                     ": its task is not that of the model");
  set_keys(recipe, flags.set);
  set_field(find_field(recipe.fields, "data.valid_from", "backtest"), valid_from, "backtest");
  set_field(find_field(recipe.fields, "data.test_from", "backtest"), test_from, "backtest");
  const TrainPlan plan{.recipe_name = std::filesystem::path(flags.recipe).filename().string(),
                       .data_root = data_root(flags.data, flags.recipe),
                       .folder = folder,
                       .from = "",
                       .mode = train::FolderMode::overwrite};
  const int stopped = train_model(recipe, plan, console);
  check<Error>(stopped == 0, "backtest: --refit was stopped");
  return tasks::task_of_model(folder).load({folder});
}

}  // namespace

int run_backtest(Args& args) {
  BacktestFlags flags;
  const PredictionFlags options;
  Flags parser("backtest");
  flags.declare(parser);
  options.declare(parser);
  parser.parse(args.words);
  const int64_t refit_every = refit_of(flags);
  check<ConfigError>(flags.series.empty() || !flags.plot.empty(), "backtest: --series is of --plot");
  std::optional<Drawing> drawing;
  if (!flags.plot.empty()) drawing.emplace("backtest: --plot", flags.plot);
  const ThreadScope threads = flags.machine.use();
  const auto loaded = options.load(flags.models, parser, args.console.sink());
  std::optional<ScratchFolder> scratch;
  const auto report = loaded.model->backtest(
      {.file = flags.in,
       .start = flags.start,
       .stride = flags.stride,
       .refit_every = refit_every,
       .train =
           [&](const std::string& valid_from, const std::string& test_from) {
             args.console.log(Severity::info, "training anew, data.test_from = " + test_from);
             scratch.emplace();
             return trained(flags, scratch->path() + "/model", valid_from, test_from, args.console);
           },
       .format = flags.format,
       .rows = !flags.out.empty(),
       .by = flags.by,
       .figure = drawing.has_value(),
       .series = flags.series},
      *loaded.options);
  if (drawing) drawing->write({*report.scores.figure});
  std::string lines;
  for (const tasks::EvaluationLine& s : report.scores.lines) lines += score_line(s);
  if (!report.scores.table.empty()) lines += "\n" + report.scores.table;
  if (!flags.out.empty()) {
    Output output(flags.out);
    output.write(report.rows);
    output.finish();
  }
  // Beside forecasts on standard output the scores are for people.
  flags.out == "-" ? void(std::fputs(lines.c_str(), stderr)) : print(lines);
  return 0;
}

std::vector<HelpSection> help_backtest() {
  BacktestFlags flags;
  const PredictionFlags options;
  Flags parser("backtest");
  flags.declare(parser);
  options.declare(parser);
  return parser.help("options (defaults are those of the model folder, where it sets them)");
}

}  // namespace lookback::cli
