#include "lookback/cli/train_observer.h"

#include <cmath>
#include <cstdio>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/io/json.h"
#include "lookback/viz/tokens.h"

namespace lookback::cli {
namespace {

constexpr size_t kSamples = 3;

template <class... Parts>
std::string format(const char* pattern, Parts... parts) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, pattern, parts...);
  return buffer;
}

std::string plain_line(const train::Progress& p) {
  return "step " + grouped(p.step) + format("  epoch %.2f  loss %.4f  lr %.2e  ", p.epochs, p.loss, p.lr) +
         grouped(std::llround(p.units_per_second)) + " " + p.unit + "/s  ETA " + duration(p.eta_seconds);
}

std::string json_line(const train::Progress& p) {
  return io::JsonObject()
      .add("event", "progress")
      .add("step", p.step)
      .add("epoch", p.epochs)
      .add("loss", p.loss)
      .add("lr", p.lr)
      .add("grad_norm", p.grad_norm)
      .add("units_per_second", p.units_per_second)
      .add("seconds", p.seconds)
      .add("eta_seconds", p.eta_seconds)
      .text();
}

std::string json_line(const train::ValidationRecord& r, const std::vector<train::Sample>& samples, bool is_best) {
  io::JsonObject scores;
  for (const auto& [name, value] : r.scores) scores.add(name, value);
  const std::string shown = io::json_list(samples, [](const train::Sample& s) {
    io::JsonObject out;
    for (const auto& [name, words] : s.texts) out.add(name, words);
    return out.text();
  });
  return io::JsonObject()
      .add("event", "valid")
      .add("step", r.step)
      .add("epoch", r.epoch)
      .raw("scores", scores.text())
      .add("best", is_best)
      .raw("samples", shown)
      .text();
}

}  // namespace

// Often while there is much to see, rarely later: a log of a long run should stay readable.
bool TrainObserver::due() {
  using std::chrono::duration_cast, std::chrono::milliseconds;
  const auto now = std::chrono::steady_clock::now();
  const auto age = duration_cast<milliseconds>(now - began_).count(),
             pause = duration_cast<milliseconds>(now - spoke_).count();
  const auto wanted = console_.redraws() ? 100 : age < 10'000 ? 2'000 : age < 120'000 ? 10'000 : 60'000;
  if (pause < wanted && steps_seen_ > 1) return false;
  spoke_ = now;
  return true;
}

void TrainObserver::progress(const train::Progress& p) {
  ++steps_seen_;
  if (console_.quiet() || !due()) return;
  if (console_.redraws())
    console_.status(plain_line(p));
  else
    console_.raw(console_.json() ? json_line(p) : plain_line(p));
}

void TrainObserver::validated(const train::ValidationRecord& r, const std::vector<train::Sample>& samples,
                              bool is_best) {
  if (console_.quiet()) return;
  if (console_.json()) return console_.raw(json_line(r, samples, is_best));
  std::string line = "step " + grouped(r.step) + "  epoch " + std::to_string(r.epoch) + "  validation: ";
  for (const auto& [name, value] : r.scores) line += " " + name + format(" %.4g ", value);
  console_.raw(line + (is_best ? console_.paint("32", "*") + " best so far" : ""));
  for (size_t k = 0; k < std::min(samples.size(), kSamples); ++k)
    for (const auto& [name, words] : samples[k].texts) console_.raw("    " + name + "  " + viz::one_line(words));
}

void report(Console& console, const train::TrainResult& r, const std::string& keep, const std::string& folder) {
  if (console.quiet()) return;
  if (console.json())
    return console.raw(io::JsonObject()
                           .add("event", "end")
                           .add("reason", r.reason)
                           .add("steps", r.steps)
                           .add("epochs", r.epochs)
                           .add("units", r.units)
                           .add("seconds", r.seconds)
                           .raw("best_step", r.has_best ? std::to_string(r.best_step) : "null")
                           .raw("best_score", r.has_best ? io::json_number(r.best_score) : "null")
                           .add("keep", keep)
                           .add("model", folder)
                           .text());
  const std::string cause =
      r.interrupted_by ? str_cat("interrupted by signal ", r.interrupted_by) : "done, " + r.reason;
  console.log(Severity::info, cause + " after " + grouped(r.steps) + " steps, " + format("%.2f", r.epochs) +
                                  " epochs, " + grouped(r.units) + " " + r.unit + ", " + duration(r.seconds));
  if (r.skipped || r.rollbacks)
    console.log(Severity::info, str_cat("steps skipped: ", r.skipped, ", times gone back: ", r.rollbacks));
  if (r.has_best)
    console.log(Severity::info,
                "best " + keep + " " + format("%.4g", r.best_score) +
                    (r.averaged ? " by the mean of the best validations" : " at step " + grouped(r.best_step)));
  console.log(Severity::info, r.interrupted_by
                                  ? folder + ": everything is saved; the same command with --resume goes on"
                                  : folder + ": the model; try lookback predict " + folder + " < INPUT");
}

}  // namespace lookback::cli
