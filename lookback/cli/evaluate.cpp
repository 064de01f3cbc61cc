// lookback evaluate: a model's own metrics on files.
#include "lookback/cli/evaluate.h"

#include "lookback/cli/command.h"
#include "lookback/cli/format_number.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/prediction_flags.h"
#include "lookback/io/json.h"

namespace lookback::cli {
namespace {

struct EvaluateFlags {
  StringList models, data;
  std::string format = "text";
  MachineFlags machine;

  void declare(Flags& v) {
    v.words("MODEL...", models, 1, "a model folder, or several: an ensemble");
    v("data", data, "FILE...",
      "the files to score on, as the task's recipe names them: for translation source, target");
    v("format", format, "FORMAT", "text: one line per metric, with its signature; json: one object")
        .choices({"text", "json"});
    machine.declare(v);
  }
};

}  // namespace

std::string score_line(const tasks::EvaluationLine& s) {
  return s.name + " " + fixed(s.value, 2) + " " + s.signature + "\n";
}

int run_evaluate(Args& args) {
  EvaluateFlags flags;
  const PredictionFlags options;
  Flags parser("evaluate");
  flags.declare(parser);
  options.declare(parser);
  parser.parse(args.words);
  check<ConfigError>(!flags.data.empty(), "evaluate: --data FILE... is missing: the files to score on");
  const ThreadScope threads = flags.machine.use();
  const auto loaded = options.load(flags.models, parser, args.console.sink());
  const auto scores = loaded.model->evaluate(flags.data, *loaded.options);
  std::string out;
  for (const tasks::EvaluationLine& s : scores) {
    if (flags.format == "text")
      out += score_line(s);
    else
      out += (out.empty() ? "" : ", ") + io::json_quote(s.name) + ": {\"score\": " + json_number(s.value) +
             ", \"signature\": " + io::json_quote(s.signature) + "}";
  }
  print(flags.format == "text" ? out : "{" + out + "}\n");
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
