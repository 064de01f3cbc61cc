#include "lookback/train/same_run.h"

#include <algorithm>
#include <map>

#include "lookback/base/error.h"
#include "lookback/train/checkpoint.h"
#include "lookback/train/trainer.h"

namespace lookback::train {
namespace {

bool may_change(const std::string& key) {
  constexpr std::string_view kMayChange[] = {"patience", "save_every", "save_minutes", "log_every", "samples"};
  return key.starts_with("max_") ||
         std::find(std::begin(kMayChange), std::end(kMayChange), key) != std::end(kMayChange);
}

// "key = value" by key.
std::map<std::string, std::string> by_key(const StringList& settings) {
  std::map<std::string, std::string> out;
  for (const std::string& s : settings) {
    const size_t equals = s.find(" = ");
    check<FormatError>(equals != std::string::npos, "the setting '", s, "' of a checkpoint is damaged");
    out.emplace(s.substr(0, equals), s.substr(equals + 3));
  }
  return out;
}

}  // namespace

std::string check_same_run(TrainOptions now, const StringList& settings, const RunState& before) {
  TrainOptions options = before.options;
  std::string changed, allowed;
  const auto compare = [](const std::string& key, const std::string& a, const std::string& b, std::string& list) {
    if (a != b) list += str_cat(list.empty() ? "" : ", ", key, " = ", a, " (was ", b, ")");
  };
  const auto old_settings = by_key(before.settings);
  for (const auto& [key, value] : by_key(settings))
    if (const auto old = old_settings.find(key); old != old_settings.end()) compare(key, value, old->second, changed);
  const auto a = fields_of(now), b = fields_of(options);
  for (size_t k = 0; k < a.size(); ++k)
    compare("train." + a[k].path, field_text(a[k]), field_text(b[k]), may_change(a[k].path) ? allowed : changed);
  check<ConfigError>(changed.empty(), "the run was started with other options: ", changed,
                     "; leave these as they were, or start another run; only limits (train.max_*, train.patience), "
                     "saving and logging may change");
  return allowed;
}

TrainOptions as_started(TrainOptions options, const std::string& folder) {
  const auto before = newest_state(folder + "/training");
  if (before && options.schedule.kind == "cosine" && options.schedule.total == 0)
    options.schedule.total = before->options.schedule.total;
  return options;
}

void check_resumable(const std::string& folder, const TrainOptions& options, const StringList& settings) {
  if (const auto before = newest_state(folder + "/training"))
    check_same_run(resolved(as_started(options, folder)), settings, *before);
}

}  // namespace lookback::train
