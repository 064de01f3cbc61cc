#include "lookback/train/run_state.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <sstream>

#include "lookback/base/error.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"

namespace lookback::train {
namespace {

// The shortest decimal that reads back as the same double.
std::string exact(double x) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, x).ptr};
}

template <class T>
T parse(const std::string& word, const std::string& line) {
  T x{};
  const auto end = word.data() + word.size();
  const auto r = std::from_chars(word.data(), end, x);
  check<FormatError>(r.ec == std::errc() && r.ptr == end, "'", line, "' is damaged at '", word, "'");
  return x;
}

// Sums that nothing shows any more, or only the next line of the log.
const std::set<std::string> kOfFormat1 = {"since_log.nll", "since_log.correct", "since_log.source_tokens",
                                          "since_log.examples"};

}  // namespace

void RunningSums::fields(FieldVisitor& v) {
  v("loss", batches.loss, "");
  v("units", batches.units, "");
  v("sums", sums, "");
  v("seconds", seconds, "");
}

void RunState::fields(FieldVisitor& v) {
  v("format", format, "of this file").range(1, 2);
  v("step", step, "steps done").range(0, 1e18);
  v("epoch", epoch, "of the next batch").range(0, 1e18);
  v("batch", batch, "the next one").range(0, 1e18);
  v("units", units, "trained on").range(0, 9e18);
  v("seconds", seconds, "training time").range(0, 1e12);
  v("scheduled", scheduled, "made by steps and validations, not by the clock or a stop");
  v("log_bytes", log_bytes, "how far log.jsonl belongs to this checkpoint").range(0, 1e18);
  v("average_updates", average_updates, "updates in the average").range(0, 1e18);
  v("average_begun", average_begun, "updates before the mean that a validation began; -1: none has").range(-1, 1e18);
  v("skipped", skipped, "updates skipped").range(0, 1e18);
  v("skipped_in_row", skipped_in_row, "of these, the last ones").range(0, 1e18);
  v("rollbacks", rollbacks, "times gone back").range(0, 1e9);
  v("lr_scale", lr_scale, "left of the learning rate after rollbacks").range(0, 1);
  v("since_log", since_log);
  v("validations", validations, "step epoch seconds score=value ...");
  v("options", options);
  v("settings", settings, "what else the run was started with");
}

void RunState::add(const ValidationRecord& r) {
  std::string line = str_cat(r.step, ' ', r.epoch, ' ', exact(r.seconds));
  for (const auto& [name, score] : r.scores) {
    check<ConfigError>(name.find_first_of(" \t\n=") == std::string::npos, "the score '", name,
                       "' has a space or = in its name");
    line += " " + name + "=" + exact(score);
  }
  validations.push_back(std::move(line));
}

std::vector<ValidationRecord> RunState::history() const {
  std::vector<ValidationRecord> out;
  for (const std::string& line : validations) {
    std::istringstream words(line);
    std::string step, epoch, seconds, word;
    words >> step >> epoch >> seconds;
    ValidationRecord& r = out.emplace_back();
    r.step = parse<int64_t>(step, line), r.epoch = parse<int64_t>(epoch, line),
    r.seconds = parse<double>(seconds, line);
    while (words >> word) {
      const size_t equals = word.find('=');
      check<FormatError>(equals != std::string::npos, "'", line, "' is damaged at '", word, "'");
      r.scores[word.substr(0, equals)] = parse<double>(word.substr(equals + 1), line);
    }
  }
  return out;
}

void write_state(const std::string& path, RunState state) {
  RunningSums& s = state.since_log;
  for (const auto& [name, sum] : s.batches.sums) s.sums.push_back(name + " " + exact(sum));
  io::write_file_atomic(path, io::write_json_fields(fields_of(state)));
}

RunState read_state(const io::File& file) {
  const std::string& path = file.path();
  RunState state;
  auto fields = fields_of(state);
  const auto given = io::read_json_fields(file);
  try {
    for (const auto& [key, value, line] : given) {
      if (kOfFormat1.contains(key)) continue;
      const bool renamed = key == "tokens" || key == "since_log.tokens";
      set_field(find_field(fields, renamed ? str_cat(key.substr(0, key.size() - 6), "units") : key, path), value, path);
    }
  } catch (const ConfigError& e) {
    throw FormatError(e.what());
  }
  for (const Field& f : fields)
    check<FormatError>(f.origin != "default" || f.path.starts_with("options.") || f.path == "settings" ||
                           (state.format == 1 && f.path == "since_log.sums"),
                       path, ": has no key '", f.path, "'");
  state.format = RunState().format;
  try {
    state.history();
    for (const std::string& s : state.since_log.sums) {
      const size_t blank = std::min(s.find(' '), s.size() - 1);
      state.since_log.batches.sums[s.substr(0, blank)] = parse<double>(s.substr(blank + 1), s);
    }
    state.since_log.sums.clear();
  } catch (const FormatError& e) {
    throw FormatError(path + ": " + e.what());
  }
  return state;
}

std::vector<double> scores_of(const std::vector<ValidationRecord>& history, const std::string& keep) {
  std::vector<double> out;
  for (const ValidationRecord& r : history) {
    const auto at = r.scores.find(keep);
    out.push_back(at == r.scores.end() ? std::numeric_limits<double>::quiet_NaN() : at->second);
  }
  return out;
}

std::vector<ValidationRecord> best_of(const std::vector<ValidationRecord>& history, const std::string& keep, int64_t n,
                                      bool larger_is_better) {
  std::vector<ValidationRecord> out;
  for (const ValidationRecord& r : history) {
    const auto at = r.scores.find(keep);
    if (at != r.scores.end() && !std::isnan(at->second)) out.push_back(r);
  }
  std::stable_sort(out.begin(), out.end(), [&](const ValidationRecord& a, const ValidationRecord& b) {
    return is_better_score(a.scores.at(keep), b.scores.at(keep), larger_is_better);
  });
  out.resize(std::min(out.size(), static_cast<size_t>(n)));
  return out;
}

}  // namespace lookback::train
