// Every command, as a table.
#include "lookback/base/error.h"
#include "lookback/cli/command.h"

namespace lookback::cli {
namespace {

constexpr Command kCommands[] = {
    {"train", "RECIPE.toml --out MODEL [flags]", "fit a model as a recipe says", &run_train, &help_train},
    {"predict", "MODEL... [flags] < INPUT", "one result for each line of input", &run_predict, &help_predict},
    {"chat", "MODEL... [flags]", "talk to a model, line by line", &run_chat, &help_chat},
    {"evaluate", "MODEL... [--data FILE...] [flags]", "score a model on files", &run_evaluate, &help_evaluate},
    {"backtest", "MODEL... [--in TABLE] [flags]", "what a forecaster would have said, from many times in the past",
     &run_backtest, &help_backtest},
    {"baseline", "RECIPE.toml [flags]", "score the plainest methods on a recipe's data", &run_baseline, &help_baseline},
    {"explain", "MODEL... --text TEXT | --in TABLE [flags]", "draw what the model looked at", &run_explain,
     &help_explain},
    {"metric", "METRIC --ref FILE... [flags] < HYPOTHESES", "score lines against references", &run_metric,
     &help_metric},
    {"vectors", "TEXT... --out FILE [flags]", "word vectors of a text, by skip-gram", &run_vectors, &help_vectors},
    {"inspect", "PATH [flags]", "what is in a model, checkpoint, recipe or file, without loading the weights",
     &run_inspect, &help_inspect},
    {"export", "MODEL --out DIR [flags]", "a model folder without the run that made it, perhaps in int8", &run_export,
     &help_export},
    {"bench", "[WORK] [flags]", "how fast this machine trains and decodes", &run_bench, &help_bench},
    {"demo", "[flags]", "make data, train a small model on it, score and explain it: about a minute", &run_demo,
     &help_demo},
    {"version", "", "what this program was built with and what the machine can do", &run_version, &help_version},
    {"help", "[COMMAND]", "this page, or a command's", &run_help, &help_help},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

const Command& find_command(std::string_view name) {
  StringList known;
  for (const Command& c : kCommands) {
    if (name == c.name) return c;
    known.emplace_back(c.name);
  }
  std::string hint = nearest_match(name, known);
  if (hint.empty()) hint = "; lookback help lists them all";
  throw ConfigError("unknown command '" + std::string(name) + "'" + hint);
}

}  // namespace lookback::cli
