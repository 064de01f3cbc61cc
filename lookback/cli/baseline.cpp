// lookback baseline: what the plainest methods score on a recipe's data.
#include "lookback/cli/command.h"
#include "lookback/cli/environment.h"
#include "lookback/cli/evaluate.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/recipe.h"

namespace lookback::cli {
namespace {

struct BaselineFlags {
  StringList recipe, set;
  std::string data;
  MachineFlags machine;

  void declare(Flags& v) {
    v.words("RECIPE.toml", recipe, 1,
            "the recipe whose training data the baselines learn from; its validation and test data are scored");
    v("data", data, "DIR", "where relative data paths start; the recipe's own folder unless given");
    v("set", set, "KEY=VALUE", "change one key of the recipe; may be given often");
    machine.declare(v);
  }
};

}  // namespace

int run_baseline(Args& args) {
  BaselineFlags flags;
  Flags parser("baseline");
  flags.declare(parser);
  parser.parse(args.words);
  const ThreadScope threads = flags.machine.use();
  Recipe recipe = read_recipe(flags.recipe[0]);
  set_from_environment(recipe.fields);
  set_keys(recipe, flags.set);
  recipe.task->validate();
  const tasks::TrainRun run{.data_root = data_root(flags.data, flags.recipe[0]), .log = args.console.sink()};
  std::string out;
  for (const tasks::BaselineScores& b : recipe.task->baselines(run)) {
    out += (out.empty() ? "" : "\n") + b.name + ", " + b.set + "\n";
    for (const tasks::EvaluationLine& s : b.scores) out += score_line(s);
  }
  print(out);
  return 0;
}

std::vector<HelpSection> help_baseline() {
  BaselineFlags flags;
  Flags parser("baseline");
  flags.declare(parser);
  return parser.help();
}

}  // namespace lookback::cli
