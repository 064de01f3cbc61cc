// lookback demo: from nothing to a trained, scored and explained model.
#include <filesystem>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/cli/drawing.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/train.h"
#include "lookback/metrics/registry.h"

namespace lookback::cli {
namespace fs = std::filesystem;
namespace {

constexpr const char* kRecipe = R"toml(# Dates as people write them, to ISO 8601. Train it again with
#   lookback train recipe.toml --out model --overwrite
task = "translate"

[data]
train = ["data/train.human", "data/train.iso"]
valid = ["data/valid.human", "data/valid.iso"]
test = ["data/test.human", "data/test.iso"]

[tokenizer]
kind = "char"

[model]
encoder = { cell = "lstm", layers = 1, hidden = 64, bidirectional = true }
decoder = { cell = "lstm", layers = 1, hidden = 128, attention = "luong", input_feeding = true }
score = "additive"
embedding = 64

[loss]
smoothing = 0

[train]
max_minutes = 0.8
max_steps = 800
batch = 64
optimizer = { kind = "adam", lr = 3e-3, clip = 1.0 }
validate_every = 200

[valid]
metric = "accuracy"

[decode]
beam = 1
)toml";

constexpr int64_t kMaxRecipe = int64_t{1} << 20;  // bytes
constexpr int64_t kTrain = 20'000, kValid = 500, kTest = 1'000;

struct DemoFlags {
  std::string out = "lookback-demo";
  double minutes = 0;
  MachineFlags machine;
  bool quiet = false;

  void declare(Flags& v) {
    v("out", out, "DIR", "where data, recipe and model go");
    v("minutes", minutes, "X", "how long to train; about a minute in all unless given").range(0.01, 1e4);
    machine.declare(v);
    v("quiet", quiet, "", "print the results only");
  }
};

void write_pairs(const std::string& stem, const std::vector<tasks::DemoPair>& pairs) {
  std::string human, iso;
  for (const tasks::DemoPair& p : pairs) human += p.human + "\n", iso += p.iso + "\n";
  io::write_file_atomic(stem + ".human", human);
  io::write_file_atomic(stem + ".iso", iso);
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  check<IoError>(!error, path, ": cannot create: ", error.message());
}

struct Trial {
  metrics::Score accuracy;
  std::vector<tasks::Input> inputs;
  metrics::Lines outputs;
};

// How often the model writes the very date, on dates that training never had.
Trial try_out(const tasks::TaskModel& model, const std::vector<tasks::DemoPair>& test) {
  std::vector<tasks::Input> inputs;
  metrics::Lines hypotheses, references;
  for (const tasks::DemoPair& p : test) {
    inputs.push_back({.line = std::ssize(inputs) + 1, .fields = {{"source", p.human}}});
    references.push_back(p.iso);
  }
  for (const tasks::Prediction& p : model.predict(inputs)) hypotheses.push_back(p.outputs[0].text);
  Trial out{.inputs = std::move(inputs), .outputs = hypotheses};
  out.accuracy = metrics::corpus_accuracy(hypotheses, {references});
  return out;
}

std::string next_steps(const std::string& program, const std::string& dir) {
  const std::string call = "  " + program + " ", model = dir + "/model";
  return "\nWhat to try next:\n  echo 'am 3. Oktober 1990' | " + program + " predict " + model + "\n" + call +
         "explain " + model + " --text 'le 14 juillet 1989' --out map.html\n" + call + "evaluate " + model + "\n" +
         call + "inspect " + model + "\n" + call + "train " + dir + "/recipe.toml --out " + dir +
         "/another --set model.score=dot\n";
}

// What is there under the names that the demo writes to must be the work of an earlier demo.
void check_folder(const std::string& dir) {
  std::error_code error;
  io::check_replaceable(dir + "/data");
  const std::string recipe = dir + "/recipe.toml";
  check<ConfigError>(!fs::exists(recipe, error) || io::read_file(recipe, kMaxRecipe) == kRecipe, recipe,
                     ": exists and is not the demo's; move it away or choose another folder with --out");
  check_replaceable_drawing(dir + "/alignment.html");
  train::check_model_folder(dir + "/model", train::FolderMode::overwrite);
}

}  // namespace

int run_demo(Args& args) {
  DemoFlags flags;
  Flags parser("demo");
  flags.declare(parser);
  parser.parse(args.words);
  if (flags.quiet) args.console.set_quiet();
  const ThreadScope threads = flags.machine.use();
  const std::string &dir = flags.out, model_folder = dir + "/model";

  check_folder(dir);
  Recipe recipe = parse_recipe(kRecipe, dir + "/recipe.toml");
  if (flags.minutes > 0) set_keys(recipe, {"train.max_minutes=" + io::json_number(flags.minutes), "train.max_steps=0"});
  args.console.log(Severity::info,
                   "making " + grouped(kTrain) + " pairs of human-written and ISO dates in " + dir + "/data");
  make_folder(dir);
  const auto test = tasks::demo_dates(kTest, 3, true);
  io::AtomicFolder data(dir + "/data");
  write_pairs(data.path() + "/train", tasks::demo_dates(kTrain, 1, false));
  write_pairs(data.path() + "/valid", tasks::demo_dates(kValid, 2, false));
  write_pairs(data.path() + "/test", test);
  data.commit();
  io::write_file_atomic(dir + "/recipe.toml", kRecipe);

  const TrainPlan plan{
      .recipe_name = "recipe.toml", .data_root = dir, .folder = model_folder, .mode = train::FolderMode::overwrite};
  if (const int stopped = train_model(recipe, plan, args.console)) return stopped;

  const auto model = tasks::task_of_model(model_folder).load({model_folder});
  const Trial trial = try_out(*model, test);
  print(str_cat("\n", grouped(kTest), " dates that training never saw, exact match: ", fixed(trial.accuracy.value, 1),
                " %\n"));
  for (size_t k = 0; k < 3; ++k) print("  " + test[k].human + " → " + trial.outputs[k] + "\n");
  const std::string html = dir + "/alignment.html";
  std::vector<viz::Figure> maps;
  for (size_t k = 0; k < 8; ++k) maps.push_back(model->explain(trial.inputs[k], *model->options()));
  print("\nWhat it looked at, for the first of them (more in " + html + "):\n\n" + on_terminal({maps[0]}));
  io::write_file_atomic(html, viz::to_html(maps));
  print(next_steps(args.program, dir));
  return 0;
}

std::vector<HelpSection> help_demo() {
  DemoFlags flags;
  Flags parser("demo");
  flags.declare(parser);
  return parser.help();
}

}  // namespace lookback::cli
