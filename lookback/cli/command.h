// What a subcommand is to the program. One file per subcommand has its run and its help.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/cli/console.h"

namespace lookback::cli {

// What a command gets: how the program was called, the words after the command's name, where to talk.
struct Args {
  std::string program;
  StringList words;
  Console& console;
};

// One line of help: a flag, a word or a recipe key.
struct HelpEntry {
  std::string name;  // "--beam N"
  std::string text;  // what it means, what it may be, its default
};
struct HelpSection {
  std::string title;  // "flags"
  std::vector<HelpEntry> entries;
};

struct Command {
  std::string_view name, usage, summary;
  int (*run)(Args&);  // the exit code; throws what the library throws
  std::vector<HelpSection> (*help)();
};

// Every command there is, in the order help shows them.
std::span<const Command> commands();
// Throws ConfigError with the nearest match.
const Command& find_command(std::string_view name);

int run_train(Args& args);
int run_predict(Args& args);
int run_chat(Args& args);
int run_evaluate(Args& args);
int run_backtest(Args& args);
int run_baseline(Args& args);
int run_explain(Args& args);
int run_metric(Args& args);
int run_vectors(Args& args);
int run_inspect(Args& args);
int run_export(Args& args);
int run_bench(Args& args);
int run_demo(Args& args);
int run_version(Args& args);
int run_help(Args& args);
std::vector<HelpSection> help_train();
std::vector<HelpSection> help_predict();
std::vector<HelpSection> help_chat();
std::vector<HelpSection> help_evaluate();
std::vector<HelpSection> help_backtest();
std::vector<HelpSection> help_baseline();
std::vector<HelpSection> help_explain();
std::vector<HelpSection> help_metric();
std::vector<HelpSection> help_vectors();
std::vector<HelpSection> help_inspect();
std::vector<HelpSection> help_export();
std::vector<HelpSection> help_bench();
std::vector<HelpSection> help_demo();
std::vector<HelpSection> help_version();
std::vector<HelpSection> help_help();

// The program's page and a command's page, as `help` prints them.
std::string program_help();
std::string command_help(const Command& command);

}  // namespace lookback::cli
