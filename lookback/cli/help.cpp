// lookback help: pages made from the same descriptions that parse the command line.
#include <unistd.h>

#include <algorithm>

#include "lookback/cli/flags.h"
#include "lookback/cli/output.h"
#include "lookback/tasks/task.h"

namespace lookback::cli {
namespace {

constexpr size_t kColumn = 26;  // where explanations begin
constexpr size_t kWidest = 100;

// Words from `column` on, none beyond `width`.
std::string wrapped(const std::string& words, size_t column, size_t width) {
  std::string out;
  size_t at = column;
  for (size_t k = 0; k < words.size();) {
    const size_t end = std::min(words.find(' ', k), words.size());
    if (at > column && at + 1 + end - k > width) out += "\n" + std::string(column, ' '), at = column;
    if (at > column) out += ' ', ++at;
    out += words.substr(k, end - k), at += end - k;
    k = end + 1;
  }
  return out;
}

std::string line(const std::string& name, const std::string& words, size_t width) {
  std::string head = "  " + name;
  head += head.size() + 2 > kColumn ? "\n" + std::string(kColumn, ' ') : std::string(kColumn - head.size(), ' ');
  return head + wrapped(words, kColumn, width) + "\n";
}

size_t page_width() { return std::min<size_t>(kWidest, static_cast<size_t>(terminal_width(STDOUT_FILENO))); }

std::string title(std::string words) {
  words[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(words[0])));
  return words;
}

std::string markdown_text(const std::string& s) {
  std::string out;
  for (const char c : s) {
    if (c == '|' || c == '*' || c == '_' || c == '<') out += '\\';
    out += c;
  }
  return out;
}

std::string usage(const Command& c) {
  return "lookback " + std::string(c.name) + (c.usage.empty() ? "" : " ") + std::string(c.usage);
}

// The reference page: every command, flag and recipe key.
std::string markdown() {
  std::string out =
      "# Reference\n\nEvery command, flag and recipe key, written by `lookback help --markdown`.\n\n"
      "Flags come before the environment (`LOOKBACK_*`), the environment before the recipe or the model folder, these "
      "before the\ndefaults. `train.max_minutes` is `LOOKBACK_TRAIN_MAX_MINUTES`; `LOOKBACK_THREADS`, `LOOKBACK_CPU`, "
      "`LOOKBACK_SEED` and\n`LOOKBACK_DATA` stand for `--threads`, `--cpu`, `--seed` and `--data`.\n";
  for (const Command& c : commands()) {
    out +=
        "\n## " + std::string(c.name) + "\n\n" + title(std::string(c.summary)) + ".\n\n```sh\n" + usage(c) + "\n```\n";
    for (const HelpSection& section : c.help()) {
      out += "\n" + title(section.title) + ":\n\n| | |\n|---|---|\n";
      for (const HelpEntry& e : section.entries) out += "| `" + e.name + "` | " + markdown_text(e.text) + " |\n";
    }
  }
  return out +
         "\n## Exit codes\n\n| | |\n|---|---|\n| 0 | ok |\n| 1 | internal error |\n| 2 | usage or recipe |\n"
         "| 3 | bad input file or model |\n| 4 | input or output failed |\n| 5 | numbers that are not finite |\n"
         "| 6 | not enough memory |\n| 130, 143 | interrupted, terminated; training saves first |\n";
}

struct HelpFlags {
  StringList names;
  bool markdown = false;

  void declare(Flags& v) {
    v.words("COMMAND...", names, 0, "the command to explain; `recipe TASK` for the keys of a recipe");
    v("markdown", markdown, "", "everything as one Markdown page, docs/reference.md");
  }
};

std::string recipe_help(const StringList& names) {
  StringList tasks;
  for (const tasks::TaskKind& kind : tasks::task_kinds()) tasks.emplace_back(kind.name);
  if (names.size() == 2) tasks = {tasks::find_task(names[1], "help recipe").name};
  std::string out;
  for (const std::string& name : tasks) {
    const tasks::TaskKind& kind = tasks::find_task(name, "help recipe");
    const auto task = kind.make();
    out += (out.empty() ? "" : "\n") + ("task = \"" + name + "\": ") + kind.summary + "\n\n";
    for (const HelpEntry& e : key_section("", task->fields()).entries) out += line(e.name, e.text, page_width());
  }
  return out;
}

}  // namespace

std::string program_help() {
  std::string out =
      "lookback trains, runs and explains sequence models built from LSTM and attention.\n\n"
      "usage: lookback COMMAND ...\n\n";
  for (const Command& c : commands()) out += line(std::string(c.name), std::string(c.summary), page_width());
  return out +
         "\nlookback help COMMAND explains one of them; lookback help recipe, what a recipe may say.\n"
         "A first step: lookback demo\n";
}

std::string command_help(const Command& command) {
  std::string out = "usage: " + usage(command) + "\n\n" + title(std::string(command.summary)) + ".\n";
  for (const HelpSection& section : command.help()) {
    out += "\n" + title(section.title) + ":\n";
    for (const HelpEntry& e : section.entries) out += line(e.name, e.text, page_width());
  }
  return out;
}

int run_help(Args& args) {
  HelpFlags flags;
  Flags parser("help");
  flags.declare(parser);
  parser.parse(args.words);
  const StringList& names = flags.names;
  const bool recipe = !names.empty() && names[0] == "recipe";
  check<ConfigError>(names.size() <= (recipe ? 2 : 1), "help: takes one command, got '", names.empty() ? "" : names[0],
                     "' and more");
  print(flags.markdown  ? markdown()
        : names.empty() ? program_help()
        : recipe        ? recipe_help(names)
                        : command_help(find_command(names[0])));
  return 0;
}

std::vector<HelpSection> help_help() {
  HelpFlags flags;
  Flags parser("help");
  flags.declare(parser);
  return parser.help();
}

}  // namespace lookback::cli
