#include "lookback/train/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/io/json.h"

namespace lookback::train {
namespace fs = std::filesystem;
namespace {

std::string scores_object(const ValidationRecord& record) {
  io::JsonObject scores;
  for (const auto& [name, score] : record.scores) scores.add(name, score);
  return scores.text();
}

std::string utf8_or_marks(std::string s) {
  while (const auto at = find_invalid_utf8(s)) s[*at] = '?';
  return s;
}

// A table, because markdown would join plain lines into one paragraph.
std::string sample_markdown(const Sample& s) {
  const auto cell = [](const std::string& words) {
    std::string out;
    for (const char c : utf8_or_marks(words)) out += c == '|' ? "\\|" : c == '\n' ? " " : std::string(1, c);
    return out;
  };
  std::string out = "| | |\n|---|---|\n";
  for (const auto& [name, words] : s.texts) out += "| " + name + " | " + cell(words) + " |\n";
  return out;
}

io::File open_log(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
  check<IoError>(fd >= 0, path, ": cannot write: ", io::error_text(errno));
  return io::File(fd, path);
}

std::string events_folder(const std::string& training) {
  const std::string path = (fs::path(training) / "events").string();
  std::error_code error;
  check<FormatError>(!fs::is_symlink(path, error), path, ": is a link; links in a model folder are not followed");
  fs::create_directories(path, error);
  check<IoError>(!error, path, ": cannot create: ", error.message());
  return path;
}

}  // namespace

RunLog::RunLog(const std::string& training, std::function<double()> wall_clock)
    : file_(open_log((fs::path(training) / "log.jsonl").string())),
      events_(events_folder(training), std::move(wall_clock)) {}

bool RunLog::rewind(int64_t bytes, int64_t step) {
  events_.restart_at(step + 1);
  const int64_t size = file_.size();
  check<IoError>(size <= bytes || ::ftruncate(file_.fd(), bytes) == 0, file_.path(),
                 ": cannot cut: ", io::error_text(errno));
  return size >= bytes;
}

void RunLog::sync() {
  events_.flush();
  file_.sync();
}

void RunLog::line(const std::string& object) {
  file_.write_all(object + "\n");
  events_.flush();
}

void RunLog::start(int64_t seed, int64_t parameters, Precision precision, const std::string& unit) {
  line(io::JsonObject()
           .add("event", "start")
           .add("seed", seed)
           .add("parameters", parameters)
           .add("precision", precision == Precision::bf16 ? "bf16" : "f32")
           .add("unit", unit)
           .raw("time", "{}")
           .text());
}

void RunLog::trained(const RunState& s, double epochs, double lr, double grad_norm) {
  const BatchResult& sum = s.since_log.batches;
  const double nan = std::numeric_limits<double>::quiet_NaN(), units = static_cast<double>(sum.units);
  const auto mean = [&](double x) { return sum.units > 0 ? x / units : nan; };
  const double speed = s.since_log.seconds > 0 ? units / s.since_log.seconds : nan;
  io::JsonObject time, object;
  const auto both = [&](const std::string& name, double x) {
    object.add(name, x);
    events_.scalar("train/" + name, s.step, x);
  };
  time.add("seconds", s.seconds).add("units_per_second", speed);
  object.add("event", "train").add("step", s.step).add("epoch", epochs);
  both("loss", mean(sum.loss));
  for (const auto& [name, x] : sum.sums) both(name, mean(x));
  both("lr", lr);
  both("grad_norm", grad_norm);
  events_.scalar("train/units_per_second", s.step, speed);
  line(object.add("units", s.units).add("skipped", s.skipped).raw("time", time.text()).text());
}

void RunLog::validated(const ValidationRecord& r, const std::vector<Sample>& samples, bool is_best) {
  io::JsonObject time, object;
  time.add("seconds", r.seconds);
  object.add("event", "valid").add("step", r.step).add("epoch", r.epoch);
  object.raw("scores", scores_object(r)).add("best", is_best);
  object.raw("samples", io::json_list(samples, [](const Sample& s) {
               io::JsonObject out;
               for (const auto& [name, words] : s.texts) out.add(name, words);
               return out.text();
             }));
  for (const auto& [name, score] : r.scores) events_.scalar("valid/" + utf8_or_marks(name), r.step, score);
  for (size_t k = 0; k < samples.size(); ++k) {
    events_.text("sample/" + std::to_string(k), r.step, sample_markdown(samples[k]));
    if (!samples[k].image_png.empty()) events_.image("attention/" + std::to_string(k), r.step, samples[k].image_png);
  }
  line(object.raw("time", time.text()).text());
}

void RunLog::incident(const std::string& event, int64_t step, const std::string& what) {
  line(io::JsonObject().add("event", event).add("step", step).add("what", what).raw("time", "{}").text());
}

void RunLog::averaged(const std::vector<int64_t>& steps, const ValidationRecord& r, bool is_best) {
  io::JsonObject time, object;
  time.add("seconds", r.seconds);
  object.add("event", "average").raw("steps", io::json_list(steps, [](int64_t s) { return std::to_string(s); }));
  line(object.raw("scores", scores_object(r)).add("best", is_best).raw("time", time.text()).text());
}

}  // namespace lookback::train
