// lookback train: a model from a recipe.
#include "lookback/cli/train.h"

#include <chrono>
#include <filesystem>

#include "lookback/cli/environment.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/stop_signal.h"
#include "lookback/cli/train_observer.h"

namespace lookback::cli {
namespace fs = std::filesystem;
namespace {

struct TrainFlags {
  StringList recipe, set;
  std::string out, data, from, precision, log_format = "text";
  bool resume = false, overwrite = false, check = false, print_config = false, quiet = false;
  int64_t seed = -1, seeds = 0;
  MachineFlags machine;

  void declare(Flags& v) {
    v.words("RECIPE.toml", recipe, 1, "what to train, on what and for how long");
    v("out", out, "MODEL", "the folder to write the model to");
    v("data", data, "DIR", "where relative data paths start; the recipe's own folder unless given");
    v("from", from, "MODEL",
      "start with the weights of another model, matched by name and shape, each one reported, and with its tokenizers; "
      "train.freeze keeps some of them as they are");
    v("set", set, "KEY=VALUE", "change one key of the recipe; a list is a,b or [\"a\", \"b\"]; may be given often");
    v("resume", resume, "",
      "go on from the newest checkpoint in MODEL, with the options and the data it was started with; limits "
      "(train.max_*), saving and logging may be changed");
    v("overwrite", overwrite, "",
      "replace the run that is in MODEL, once there is something to save; refused if anything else is there too");
    v("seed", seed, "N", "train.seed: names the random numbers of the run; the recipe's unless given").range(0, 9e15);
    v("seeds", seeds, "N",
      "train the recipe so many times, from train.seed on with one seed after the other, each into a folder of its "
      "own, MODEL/seed-1, MODEL/seed-2, ...; together they are an ensemble: lookback evaluate MODEL/seed-*; with "
      "--resume finished ones stay, stopped ones go on, and missing ones are trained")
        .range(1, 1000);
    machine.declare(v);
    v("precision", precision, "NAME", "train.precision: f32, bf16 or auto; the recipe's unless given");
    v("check", check, "",
      "read all data and print what was left out, examples as the model sees them, parameters and the time to expect, "
      "and stop; writes nothing");
    v("print-config", print_config, "", "print every key with its value and where that came from, and stop");
    v("quiet", quiet, "", "say nothing but warnings and errors");
    v("log-format", log_format, "FORMAT", "how to talk on standard error").choices({"text", "json"});
  }
};

Recipe resolved_recipe(const TrainFlags& flags) {
  Recipe recipe = read_recipe(flags.recipe[0]);
  Field& seed = find_field(recipe.fields, "train.seed", "--seed");
  set_from_variable(seed, "seed");
  set_from_environment(recipe.fields);
  set_keys(recipe, flags.set);
  return recipe;
}

// The recipe from several seeds. Every folder is looked at before the first is trained.
int train_seeds(Recipe& recipe, const TrainPlan& plan, int64_t seeds, Console& console) {
  Field& seed = find_field(recipe.fields, "train.seed", "--seeds");
  const int64_t first = std::get<int64_t>(field_value(seed));
  std::vector<TrainPlan> plans(static_cast<size_t>(seeds), plan);
  std::error_code error;
  check<ConfigError>(!fs::exists(plan.folder + "/training", error), "train: --seeds writes folders into ", plan.folder,
                     ", and that is the folder of one model; choose another");
  for (size_t k = 0; k < plans.size(); ++k) {
    plans[k].folder = str_cat(plan.folder, "/seed-", first + static_cast<int64_t>(k));
    if (plan.mode == train::FolderMode::resume && !fs::exists(plans[k].folder, error))
      plans[k].mode = train::FolderMode::create;
    train::check_model_folder(plans[k].folder, plans[k].mode);
  }
  for (size_t k = 0; k < plans.size(); ++k) {
    set_field(seed, first + static_cast<int64_t>(k), "--seeds");
    console.log(Severity::info, str_cat(plans[k].folder, ": model ", k + 1, " of ", seeds));
    if (const int code = train_model(recipe, plans[k], console); code != 0) return code;
  }
  console.log(Severity::info, str_cat(seeds, " models; together: lookback evaluate ", plan.folder, "/seed-*"));
  return 0;
}

}  // namespace

int train_model(Recipe& recipe, const TrainPlan& plan, Console& console) {
  StopSignal signal;  // before anything that starts threads
  recipe.task->validate();
  TrainObserver observer(console);
  tasks::TrainRun run{
      .data_root = plan.data_root, .recipe_name = plan.recipe_name, .fields = recipe.fields, .log = console.sink()};
  run.from = plan.from;
  run.context.folder = plan.folder;
  run.context.mode = plan.mode;
  run.context.observer = &observer;
  run.context.stop_requested = [&] { return signal.received(); };
  // The trainer looks at the clock for the first time when the data is ready: from then on there is something to save.
  run.context.clock = [&] {
    signal.patient();
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  const train::TrainResult result = recipe.task->train(run);
  if (plan.mode == train::FolderMode::resume && observer.steps_seen() == 0 && result.interrupted_by == 0)
    console.log(Severity::info, plan.folder + ": had finished already (" + result.reason +
                                    "); to go on, raise that limit, for example with --set train." + result.reason +
                                    "=...");
  const Field& keep = find_field(recipe.fields, "train.keep", "recipe");
  report(console, result, std::get<std::string>(field_value(keep)), plan.folder);
  return result.interrupted_by ? 128 + result.interrupted_by : 0;
}

int run_train(Args& args) {
  TrainFlags flags;
  Flags parser("train");
  flags.declare(parser);
  parser.parse(args.words);
  if (flags.quiet) args.console.set_quiet();
  if (flags.log_format == "json") args.console.set_json();
  check<ConfigError>(!flags.resume || !flags.overwrite, "train: --resume and --overwrite exclude each other");
  const ThreadScope threads = flags.machine.use();

  Recipe recipe = resolved_recipe(flags);
  if (flags.seed >= 0) set_field(find_field(recipe.fields, "train.seed", "--seed"), flags.seed, "--seed");
  if (!flags.precision.empty())
    set_field(find_field(recipe.fields, "train.precision", "--precision"), flags.precision, "--precision");
  if (flags.print_config) return print(recipe_with_origins(recipe)), 0;
  if (!flags.from.empty())
    check<ConfigError>(tasks::task_of_model(flags.from).name == recipe.kind, "train: --from ", flags.from,
                       ": its task is not that of the recipe");
  if (flags.check) {
    recipe.task->validate();
    const tasks::TrainRun run{
        .data_root = data_root(flags.data, flags.recipe[0]), .from = flags.from, .log = args.console.sink()};
    for (const std::string& line : recipe.task->dry_run(run)) print(line + "\n");
    return 0;
  }
  check<ConfigError>(!flags.out.empty(), "train: --out MODEL is missing: the folder to write the model to");
  const TrainPlan plan{.recipe_name = fs::path(flags.recipe[0]).filename().string(),
                       .data_root = data_root(flags.data, flags.recipe[0]),
                       .folder = flags.out,
                       .from = flags.from,
                       .mode = flags.resume      ? train::FolderMode::resume
                               : flags.overwrite ? train::FolderMode::overwrite
                                                 : train::FolderMode::create};
  return flags.seeds > 0 ? train_seeds(recipe, plan, flags.seeds, args.console)
                         : train_model(recipe, plan, args.console);
}

std::vector<HelpSection> help_train() {
  TrainFlags flags;
  Flags parser("train");
  flags.declare(parser);
  auto out = parser.help();
  for (const tasks::TaskKind& kind : tasks::task_kinds())
    out.push_back(key_section(std::string("recipe keys of task = \"") + kind.name + "\"", kind.make()->fields()));
  return out;
}

}  // namespace lookback::cli
