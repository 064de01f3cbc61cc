// lookback explain: what the model looked at, drawn.
#include <optional>

#include "lookback/cli/command.h"
#include "lookback/cli/drawing.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/prediction_flags.h"
#include "lookback/tasks/input.h"

namespace lookback::cli {
namespace {

struct ExplainFlags {
  StringList models, text, target, field;
  std::string out, in, series;
  bool words = false, totals = false, steps = false;
  MachineFlags machine;

  void declare(Flags& v) {
    v.words("MODEL...", models, 1, "a model folder, or several: an ensemble");
    v("text", text, "TEXT", "the input; give it several times for several pictures on the terminal or one HTML page");
    v("in", in, "TABLE",
      "tasks that read a table: the table, - for standard input; the forecast, what it looked at and how much each "
      "variable weighs");
    v("series", series, "ID", "which series of --in; the first one unless given");
    v("target", target, "TEXT", "explain this output instead of the model's own; once for each --text");
    v("out", out, "FILE",
      "where to draw, by its ending: .html, .svg, .png or .json; an earlier drawing there is replaced, no other file; "
      "on the terminal unless given");
    v("field", field, "NAME=VALUE", "a further field of the input, the same for each --text; may be given often");
    v("words", words, "", "whole words instead of subwords");
    v("totals", totals, "", "one more row: how much of all rows each source token got, its coverage");
    v("steps", steps, "",
      "print every step in numbers instead: gates and states, scores, weights, context and the likeliest tokens; "
      "docs/learn.md follows one");
    machine.declare(v);
  }
};

// Each --text as the first field of an input.
std::vector<tasks::Input> inputs_of(const ExplainFlags& flags, const tasks::TaskModel& model) {
  const auto fields = model.input_fields();
  check<ConfigError>(flags.target.empty() || tasks::has_field(fields, "score"),
                     "explain: --target: this model writes no text that could be given");
  std::vector<tasks::Input> out;
  for (size_t k = 0; k < flags.text.size(); ++k) {
    tasks::Input& input = out.emplace_back(tasks::Input{.line = static_cast<int64_t>(k) + 1});
    input.fields[fields[0].name] = flags.text[k];
    if (!flags.target.empty()) input.fields["score"] = flags.target[k];
    for (const std::string& f : flags.field) tasks::set_input_field(input, f, fields);
    tasks::check_input(input, fields, "explain");
  }
  return out;
}

viz::Figure figure_of(const tasks::Input& input, const ExplainFlags& flags, const PredictionFlags::Loaded& loaded) {
  viz::Figure figure = loaded.model->explain(input, *loaded.options);
  if (flags.words) figure = viz::merge_subwords(figure);
  if (!flags.totals) return figure;
  auto* const map = std::get_if<viz::HeatMap>(&figure);
  check<ConfigError>(map, "explain: --totals is for maps; this model's figure is none");
  return viz::with_totals(*map);
}

}  // namespace

int run_explain(Args& args) {
  ExplainFlags flags;
  const PredictionFlags options;
  Flags parser("explain");
  flags.declare(parser);
  options.declare(parser);
  parser.parse(args.words);
  const bool by_table = tasks::task_of_model(flags.models[0]).reads_tables;
  check<ConfigError>(!by_table || !flags.in.empty(), "explain: --in TABLE is missing: the table to explain");
  check<ConfigError>(by_table || !flags.text.empty(), "explain: --text TEXT is missing: the input to explain");
  check<ConfigError>(flags.text.empty() || !by_table,
                     "explain: --text is of inputs one by one; this model reads a table, --in");
  check<ConfigError>(by_table || (flags.in.empty() && flags.series.empty()),
                     "explain: --in and --series are of models that read a table; this one reads --text");
  check<ConfigError>(!by_table || !(flags.steps || flags.words || flags.totals || !flags.field.empty()),
                     "explain: --steps, --words, --totals and --field are of texts; this model reads a table");
  check<ConfigError>(flags.target.empty() || flags.target.size() == flags.text.size(), "explain: ", flags.target.size(),
                     " times --target, but ", flags.text.size(), " times --text");
  std::optional<Drawing> picture;
  if (!flags.out.empty()) picture.emplace("explain: --out", flags.out);
  check<ConfigError>(!picture || picture->holds_several() || flags.text.size() <= 1, "explain: --out ", flags.out,
                     ": holds one picture; for several texts take .html or the terminal");
  check<ConfigError>(!flags.steps || flags.out.empty(), "explain: --steps prints numbers and draws no --out");
  const ThreadScope threads = flags.machine.use();
  const auto loaded = options.load(flags.models, parser, args.console.sink());
  if (by_table) {
    const viz::Figure figure = loaded.model->explain_table(flags.in, flags.series, *loaded.options);
    if (!picture) return print(on_terminal({figure})), 0;
    return picture->write({figure}), 0;
  }
  const auto inputs = inputs_of(flags, *loaded.model);
  if (flags.steps) {
    std::string out;
    for (size_t k = 0; k < inputs.size(); ++k)
      out += (k ? "\n" : "") + flags.text[k] + "\n" + loaded.model->steps(inputs[k], *loaded.options);
    return print(out), 0;
  }
  std::vector<viz::Figure> figures;
  for (const tasks::Input& input : inputs) figures.push_back(figure_of(input, flags, loaded));
  if (!picture) return print(on_terminal(figures)), 0;
  picture->write(figures);
  return 0;
}

std::vector<HelpSection> help_explain() {
  ExplainFlags flags;
  const PredictionFlags options;
  Flags parser("explain");
  flags.declare(parser);
  options.declare(parser);
  return parser.help("options (defaults are those of the model folder, where it sets them)");
}

}  // namespace lookback::cli
