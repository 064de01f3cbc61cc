#include "lookback/tasks/recipe_task.h"

#include <algorithm>
#include <chrono>

#include "lookback/io/atomic_file.h"
#include "lookback/io/model_folder.h"
#include "lookback/metrics/registry.h"
#include "lookback/tasks/folder_parts.h"
#include "lookback/tasks/model_card.h"
#include "lookback/tasks/train_check.h"
#include "lookback/train/parameters.h"

namespace lookback::tasks {
namespace {

// Says of every parameter whether its value was there.
void start_from(const std::string& folder, const std::vector<NamedVar>& parameters, const LogSink& log) {
  const auto report = train::start_from(io::SafetensorsFile(io::ModelFolder(folder).open(kWeightsFile)), parameters);
  log(Severity::info, str_cat("from ", folder, ": ", report.taken.size(), " of ", parameters.size(), " parameters"));
  for (const std::string& name : report.missing) log(Severity::info, "  new: " + name);
  for (const std::string& name : report.unused) log(Severity::info, "  not used: " + name);
}

struct Counts {
  int64_t all = 0, frozen = 0;
};

// Elements of the parameters, each counted once.
Counts counted(const std::vector<NamedVar>& parameters) {
  Counts out;
  for (const NamedVar& p : parameters) {
    out.all += p.var.value().size();
    if (!p.var.needs_grad()) out.frozen += p.var.value().size();
  }
  return out;
}

}  // namespace

void ValidGroup::fields(FieldVisitor& v) {
  StringList names = metrics::metric_names();
  names.emplace_back("none");
  v("lines", lines, "predict only the first so many validation examples; 0: all").range(0, 1e9);
  v("metric", metric, "scored beside the loss, in `keep` too: a name, or none to predict nothing").choices(names);
  v("batch", batch, "examples validated at once").range(1, 1e6);
}

// What a resumed run must have in common with what it was, besides TrainOptions.
StringList RecipeTask::settings(const TrainRun& run) {
  StringList out;
  train::TrainOptions options = train_options();
  const auto of_trainer = fields_of(options);
  const StringList free = free_options();
  for (const Field& f : fields()) {
    const auto is_this = [&](const Field& t) { return f.path == "train." + t.path; };
    if (std::ranges::find(free, f.path) == free.end() && std::ranges::none_of(of_trainer, is_this))
      out.push_back(f.path + " = " + field_text(f));
  }
  for (std::string& digest : data_digests(run)) out.push_back(std::move(digest));
  // A run that goes on need not say again where it started.
  if (run.from.empty() && run.context.mode == train::FolderMode::resume) return out;
  out.push_back("from's SHA-256 = " +
                (run.from.empty() ? "none" : io::sha256_file(io::ModelFolder(run.from).open(kWeightsFile))));
  return out;
}

std::unique_ptr<TrainedModel> RecipeTask::prepared(const TrainRun& run) const {
  auto out = prepare(run);
  if (!run.from.empty()) start_from(run.from, out->parameters(), run.log);
  return out;
}

StringList RecipeTask::dry_run(const TrainRun& run) {
  constexpr int64_t kExamples = 3;
  validate();
  const auto model = prepared(run);
  train::freeze(model->parameters(), train_options().freeze);
  const StringList reports = model->data_reports();
  StringList out{"training data: " + reports[0], "validation data: " + reports[1]};
  for (std::string& line : test_report(run)) out.push_back(std::move(line));
  for (int64_t k = 0; k < kExamples; ++k)
    for (std::string& line : model->example(k)) out.push_back(std::move(line));
  const Counts n = counted(model->parameters());
  out.push_back(str_cat("parameters: ", n.all, n.frozen ? str_cat(", of which ", n.frozen, " are frozen") : ""));
  for (std::string& line : expected_time(*model, train_options())) out.push_back(std::move(line));
  return out;
}

train::TrainResult RecipeTask::train(const TrainRun& run) {
  const auto begin = std::chrono::steady_clock::now();
  validate();
  train::check_model_folder(run.context.folder, run.context.mode);
  train::RunContext context = run.context;
  context.settings = settings(run);
  if (context.mode == train::FolderMode::resume)
    train::check_resumable(context.folder, train_options(), context.settings);
  const auto model = prepared(run);
  const StringList reports = model->data_reports();
  const int64_t parameters = counted(model->parameters()).all;
  run.log(Severity::info, "training data: " + reports[0]);
  run.log(Severity::info, "validation data: " + reports[1]);
  run.log(Severity::info, str_cat("model: ", parameters, " parameters"));
  context.prepared_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const auto result = train::train(*model, train_options(), context);
  if (!result.interrupted_by) model->finish(context.folder, run.log);
  ModelCard card{.task = name(),
                 .recipe = run.recipe_name,
                 .fields = run.fields,
                 .parameters = parameters,
                 .result = result,
                 .keep = train_options().keep};
  for (const std::string& report : reports) card.data.push_back(report.substr(0, report.find('\n')));
  if (!result.interrupted_by) io::write_file_atomic(context.folder + "/README.md", model_card(card));
  return result;
}

}  // namespace lookback::tasks
