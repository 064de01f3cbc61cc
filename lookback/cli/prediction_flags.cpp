#include "lookback/cli/prediction_flags.h"

#include <algorithm>

#include "lookback/cli/environment.h"

namespace lookback::cli {

PredictionFlags::PredictionFlags() {
  for (const tasks::TaskKind& kind : tasks::task_kinds()) {
    options_.push_back(kind.make()->predict_options());
    for (Field& f : options_.back()->fields()) {
      const auto same = [&](const Field& known) { return known.path == f.path; };
      if (std::none_of(fields_.begin(), fields_.end(), same)) fields_.push_back(std::move(f));
    }
  }
}

PredictionFlags::Loaded PredictionFlags::load(const StringList& folders, const Flags& flags, const LogSink& log) const {
  const tasks::TaskKind& kind = tasks::task_of_model(folders[0]);
  for (const std::string& f : folders)
    check<FormatError>(&tasks::task_of_model(f) == &kind, f, ": its task is not that of ", folders[0]);
  Loaded out{.model = kind.load(folders), .options = nullptr};
  out.options = out.model->options();
  auto fields = out.options->fields();
  for (Field& f : fields)
    if (f.path == "seed") set_from_variable(f, "seed");
  set_from_environment(fields, "decode.");
  for (const Field& f : flags.added())
    if (f.origin != "default") set_field(find_field(fields, f.path, f.origin), field_value(f), f.origin);
  out.model->validate(*out.options, log);
  return out;
}

}  // namespace lookback::cli
