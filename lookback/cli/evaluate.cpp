// lookback evaluate: a model's own metrics on files.
#include "lookback/cli/evaluate.h"

#include "lookback/base/format_number.h"
#include "lookback/cli/command.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/prediction_flags.h"
#include "lookback/io/json.h"

namespace lookback::cli {
namespace {

struct EvaluateFlags {
  StringList models, data;
  std::string format = "text";
  bool confidence = false;
  int64_t samples = 1000;
  MachineFlags machine;

  void declare(Flags& v) {
    v.words("MODEL...", models, 1, "a model folder, or several: an ensemble");
    v("data", data, "FILE...",
      "the files to score on, as the task's recipe names them: for translation source, target, or one with both; those "
      "of data.test unless given");
    v("confidence", confidence, "", "with the mean and central 95 % of bootstrap resamples");
    v("samples", samples, "N", "resamples").range(1, 1e7);
    v("format", format, "FORMAT", "text: one line per metric, with its signature; json: one object")
        .choices({"text", "json"});
    machine.declare(v);
  }
};

}  // namespace

std::string score_line(const tasks::EvaluationLine& s) {
  const std::string interval =
      s.interval ? " (μ = " + fixed(s.interval->mean, 2) + " ± " + fixed(s.interval->ci, 2) + ")" : "";
  return s.name + " " + fixed(s.value, 2) + interval + " " + s.signature + "\n";
}

int run_evaluate(Args& args) {
  EvaluateFlags flags;
  const PredictionFlags options;
  Flags parser("evaluate");
  flags.declare(parser);
  options.declare(parser);
  parser.parse(args.words);
  const ThreadScope threads = flags.machine.use();
  const auto loaded = options.load(flags.models, parser, args.console.sink());
  const auto scores =
      loaded.model->evaluate({.files = flags.data, .resamples = flags.confidence ? flags.samples : 0}, *loaded.options);
  std::string lines;
  io::JsonObject object;
  for (const tasks::EvaluationLine& s : scores) {
    lines += score_line(s);
    io::JsonObject one = io::JsonObject().add("score", s.value).add("signature", s.signature);
    if (s.interval) one.add("confidence_mean", s.interval->mean).add("confidence_95", s.interval->ci);
    object.raw(s.name, one.text());
  }
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
