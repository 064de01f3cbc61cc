#include "lookback/tasks/model_card.h"

#include <fstream>
#include <iomanip>
#include <sstream>

#include "lookback/base/parallel.h"

namespace lookback::tasks {
namespace {

constexpr int64_t kMaxCardBytes = int64_t{16} << 20;

std::string card_head(const std::string& task) {
  return "---\nlibrary_name: lookback\ntags:\n- " + task + "\n- lstm\n- attention\n---\n\n# A " + task + " model\n";
}

}  // namespace

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) {
      const size_t colon = line.find(':');
      if (colon != std::string::npos && colon + 2 < line.size()) return line.substr(colon + 2);
    }
  return "unknown CPU";
}

std::string model_card(const ModelCard& c) {
  const auto& r = c.result;
  std::ostringstream out;
  out << std::setprecision(6);
  out << card_head(c.task) << "\nTrained by lookback from `" << c.recipe << "`; " << c.parameters
      << " parameters. Use it with `lookback predict`.\n\n## Data\n\n";
  for (size_t k = 0; k < c.data.size(); ++k) out << "- " << (k ? "validation: " : "training: ") << c.data[k] << '\n';
  out << "\n## Training\n\n";
  out << "- " << r.steps << " steps, " << r.epochs << " epochs, " << r.units << " " << r.unit << " in " << r.seconds
      << " seconds on " << cpu_name() << ", " << thread_count() << " threads; ended by " << r.reason << '\n';
  if (r.has_best)
    out << "- weights chosen by validation " << c.keep << " = " << r.best_score << " at step " << r.best_step
        << (r.averaged ? " (mean of the best checkpoints)" : "") << '\n';
  out << "\n| step | epoch | scores on validation |\n|---|---|---|\n";
  for (const auto& v : r.history) {
    out << "| " << v.step << " | " << v.epoch << " |";
    for (const auto& [name, value] : v.scores) out << ' ' << name << ' ' << value;
    out << " |\n";
  }
  out << "\n## Options that were set\n\n```toml\n";
  for (const Field& f : c.fields)
    if (f.origin != "default") out << f.path << " = " << field_text(f) << '\n';
  out << "```\n";
  return out.str();
}

std::string exported_card(const io::ModelFolder& origin, const std::string& task, bool int8) {
  constexpr std::string_view kSection = "\n## Weights\n";
  std::string out = card_head(task);
  if (origin.holds("README.md")) out = origin.read("README.md", kMaxCardBytes);
  out.resize(std::min(out.find(kSection), out.size()));
  out += kSection;
  return out + (int8 ? "\nQuantised by `lookback export --quantize int8`: every matrix is int8 with one f32 scale for "
                       "each row, everything else\nf32. Products are computed in int8 unless `--precision` says "
                       "otherwise.\n"
                     : "\nAs they were trained; written by `lookback export`.\n");
}

}  // namespace lookback::tasks
