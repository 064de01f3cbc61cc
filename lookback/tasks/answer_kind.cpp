// Task "answer": what its recipes and models are is said by model.kind.
#include "lookback/tasks/answer.h"
#include "lookback/tasks/answer_story.h"
#include "lookback/tasks/task_definition.h"

namespace lookback::tasks {
namespace {

class AnswerTask final : public Task {
 public:
  Fields fields() override { return fields_of(recipe_); }
  void validate() override { chosen()->validate(); }
  train::TrainResult train(const TrainRun& run) override { return chosen()->train(run); }
  StringList dry_run(const TrainRun& run) override { return chosen()->dry_run(run); }
  std::vector<BaselineScores> baselines(const TrainRun& run) override { return chosen()->baselines(run); }
  // Those of spans are all that there are.
  std::unique_ptr<PredictOptions> predict_options() const override { return std::make_unique<Answer::Options>(); }

 private:
  std::unique_ptr<Task> chosen() const {
    if (recipe_.is_story()) return std::make_unique<TaskOf<AnswerStory>>(recipe_);
    return std::make_unique<TaskOf<Answer>>(recipe_);
  }

  AnswerRecipe recipe_;
};

bool reads_stories(const std::string& folder) {
  for (const io::KeyValue& kv : io::read_json_fields(io::ModelFolder(folder).open("config.json")))
    if (kv.path == "model_type") return kv.value == FieldValue(std::string(AnswerStory::kModelType));
  return false;
}

}  // namespace

TaskKind answer_kind() {
  TaskKind out = task_kind<Answer>();
  out.make = []() -> std::unique_ptr<Task> { return std::make_unique<AnswerTask>(); };
  out.load = [](const std::vector<std::string>& folders) -> std::unique_ptr<TaskModel> {
    const bool stories = reads_stories(folders[0]);
    for (const std::string& folder : folders)
      check<FormatError>(reads_stories(folder) == stories, folder, ": its kind is not that of ", folders[0],
                         "; an ensemble needs the same");
    if (stories) return std::make_unique<ModelOf<AnswerStory>>(folders);
    return std::make_unique<ModelOf<Answer>>(folders);
  };
  out.export_model = [](const std::string& model, const std::string& folder, const ExportOptions& options) {
    (reads_stories(model) ? task_kind<AnswerStory>() : task_kind<Answer>()).export_model(model, folder, options);
  };
  return out;
}

}  // namespace lookback::tasks
