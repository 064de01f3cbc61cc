// lookback evaluate: a model's own metrics on files.
#include "lookback/cli/evaluate.h"

#include <optional>

#include "lookback/base/format_number.h"
#include "lookback/cli/command.h"
#include "lookback/cli/drawing.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/prediction_flags.h"
#include "lookback/io/json.h"

namespace lookback::cli {
namespace {

struct EvaluateFlags {
  StringList models, data;
  std::string format = "text";
  std::string by, plot;
  bool confidence = false;
  int64_t resamples = 1000;
  MachineFlags machine;

  void declare(Flags& v) {
    v.words("MODEL...", models, 1, "a model folder, or several: an ensemble");
    v("data", data, "FILE...",
      "the files to score on, as the task's recipe names them: for translation source, target, or one with both; those "
      "of data.test unless given");
    v("confidence", confidence, "", "with the mean and central 95 % of bootstrap resamples");
    v("resamples", resamples, "N", "how many").range(1, 1e7);
    v("by", by, "WHAT",
      "a table below the scores. label: precision, recall and F1 of each and, where an example has one, the confusion "
      "matrix; type: spans of each type, and each tag; step: forecasts so many steps ahead; series: forecasts of each "
      "series")
        .choices({"label", "type", "step", "series"});
    v("plot", plot, "FILE",
      "where to draw the confusion matrix, or the errors of forecasts by step, by its ending: .html, .svg, .png or "
      ".json");
    v("format", format, "FORMAT", "text: one line per metric, with its signature; json: one object")
        .choices({"text", "json"});
    machine.declare(v);
  }
};

}  // namespace

std::string score_line(const tasks::EvaluationLine& s) {
  const std::string interval =
      s.interval ? " (μ = " + fixed(s.interval->mean, s.digits) + " ± " + fixed(s.interval->ci, s.digits) + ")" : "";
  return s.name + " " + fixed(s.value, s.digits) + interval + " " + s.signature + "\n";
}

int run_evaluate(Args& args) {
  EvaluateFlags flags;
  const PredictionFlags options;
  Flags parser("evaluate");
  flags.declare(parser);
  options.declare(parser);
  parser.parse(args.words);
  check<ConfigError>(flags.by.empty() || flags.format == "text", "evaluate: --by is text; leave --format json out");
  std::optional<Drawing> drawing;
  if (!flags.plot.empty()) drawing.emplace("evaluate: --plot", flags.plot);
  const ThreadScope threads = flags.machine.use();
  const auto loaded = options.load(flags.models, parser, args.console.sink());
  const auto report = loaded.model->evaluate({.files = flags.data,
                                              .resamples = flags.confidence ? flags.resamples : 0,
                                              .by = flags.by,
                                              .figure = drawing.has_value()},
                                             *loaded.options);
  check<ConfigError>(!drawing || report.figure, "evaluate: --plot: this model of task ", loaded.model->task(),
                     " neither gives each example one label nor forecasts");
  if (drawing) drawing->write({*report.figure});
  std::string lines;
  io::JsonObject object;
  for (const tasks::EvaluationLine& s : report.lines) {
    lines += score_line(s);
    io::JsonObject one = io::JsonObject().add("score", s.value).add("signature", s.signature);
    if (s.interval) one.add("confidence_mean", s.interval->mean).add("confidence_95", s.interval->ci);
    object.raw(s.name, one.text());
  }
  if (!flags.by.empty()) lines += "\n" + report.table;
  print(flags.format == "text" ? lines : object.text() + "\n");
  return 0;
}

std::vector<HelpSection> help_evaluate() {
  EvaluateFlags flags;
  const PredictionFlags options;
  Flags parser("evaluate");
  flags.declare(parser);
  options.declare(parser);
  return parser.help("options (defaults are those of the model folder, where it sets them)");
}

}  // namespace lookback::cli
