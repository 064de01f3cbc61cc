#include "lookback/train/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/io/json.h"

namespace lookback::train {
namespace fs = std::filesystem;
namespace {

std::string number(double x) {
  if (!std::isfinite(x)) return "null";
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, x).ptr};
}

class Object {
 public:
  Object& raw(std::string_view key, std::string_view json) {
    out_ += (out_.size() > 1 ? "," : "") + io::json_quote(key) + ":";
    out_ += json;
    return *this;
  }
  Object& add(std::string_view key, double x) { return raw(key, number(x)); }
  Object& add(std::string_view key, int64_t x) { return raw(key, std::to_string(x)); }
  Object& add(std::string_view key, const std::string& s) { return raw(key, io::json_quote(s)); }
  Object& flag(std::string_view key, bool x) { return raw(key, x ? "true" : "false"); }
  std::string text() const { return out_ + "}"; }

 private:
  std::string out_ = "{";
};

template <class List, class F>
std::string array(const List& list, F&& element) {
  std::string out = "[";
  for (const auto& x : list) out += (out.size() > 1 ? "," : "") + element(x);
  return out + "]";
}

std::string scores_object(const ValidationRecord& record) {
  Object scores;
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
  return "| | |\n|---|---|\n| source | " + cell(s.source) + " |\n| target | " + cell(s.target) + " |\n| output | " +
         cell(s.output) + " |\n";
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

void RunLog::start(int64_t seed, int64_t parameters, Precision precision) {
  line(Object()
           .add("event", std::string("start"))
           .add("seed", seed)
           .add("parameters", parameters)
           .add("precision", std::string(precision == Precision::bf16 ? "bf16" : "f32"))
           .raw("time", "{}")
           .text());
}

void RunLog::trained(const RunState& s, double epochs, double lr, double grad_norm) {
  const double tokens = static_cast<double>(s.since_log.tokens), nan = std::numeric_limits<double>::quiet_NaN();
  const double loss = tokens > 0 ? s.since_log.loss / tokens : nan, nll = tokens > 0 ? s.since_log.nll / tokens : nan;
  const double accuracy = tokens > 0 ? static_cast<double>(s.since_log.correct) / tokens : nan;
  const double speed = s.since_log.seconds > 0 ? tokens / s.since_log.seconds : nan;
  Object time, object;
  time.add("seconds", s.seconds).add("tokens_per_second", speed);
  object.add("event", std::string("train")).add("step", s.step).add("epoch", epochs).add("loss", loss).add("nll", nll);
  object.add("accuracy", accuracy).add("lr", lr).add("grad_norm", grad_norm).add("tokens", s.tokens);
  events_.scalar("train/loss", s.step, loss);
  events_.scalar("train/accuracy", s.step, accuracy);
  events_.scalar("train/lr", s.step, lr);
  events_.scalar("train/grad_norm", s.step, grad_norm);
  events_.scalar("train/tokens_per_second", s.step, speed);
  line(object.add("skipped", s.skipped).raw("time", time.text()).text());
}

void RunLog::validated(const ValidationRecord& r, const std::vector<Sample>& samples, bool is_best) {
  Object time, object;
  time.add("seconds", r.seconds);
  object.add("event", std::string("valid")).add("step", r.step).add("epoch", r.epoch);
  object.raw("scores", scores_object(r)).flag("best", is_best);
  object.raw("samples", array(samples, [](const Sample& s) {
               return Object().add("source", s.source).add("target", s.target).add("output", s.output).text();
             }));
  for (const auto& [name, score] : r.scores) events_.scalar("valid/" + utf8_or_marks(name), r.step, score);
  for (size_t k = 0; k < samples.size(); ++k) {
    events_.text("sample/" + std::to_string(k), r.step, sample_markdown(samples[k]));
    if (!samples[k].image_png.empty()) events_.image("attention/" + std::to_string(k), r.step, samples[k].image_png);
  }
  line(object.raw("time", time.text()).text());
}

void RunLog::incident(const std::string& event, int64_t step, const std::string& what) {
  line(Object().add("event", event).add("step", step).add("what", what).raw("time", "{}").text());
}

void RunLog::averaged(const std::vector<int64_t>& steps, const ValidationRecord& r, bool is_best) {
  Object time, object;
  time.add("seconds", r.seconds);
  object.add("event", std::string("average")).raw("steps", array(steps, [](int64_t s) { return std::to_string(s); }));
  line(object.raw("scores", scores_object(r)).flag("best", is_best).raw("time", time.text()).text());
}

}  // namespace lookback::train
