#include "lookback/cli/drawing.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "lookback/base/error.h"
#include "lookback/base/fields.h"
#include "lookback/cli/environment.h"
#include "lookback/cli/output.h"
#include "lookback/io/posix_file.h"

namespace lookback::cli {

std::string on_terminal(const std::vector<viz::Figure>& figures) {
  const viz::TerminalOptions options{.width = terminal_width(STDOUT_FILENO), .color = wants_color(STDOUT_FILENO)};
  std::string out;
  for (const viz::Figure& f : figures) out += (out.empty() ? "" : "\n") + viz::to_terminal(f, options);
  return out;
}

void check_replaceable_drawing(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error) || std::filesystem::is_empty(path, error)) return;
  std::string head(1024, '\0');
  const io::File file = io::File::open_regular(path);
  head.resize(static_cast<size_t>(file.read_some(0, head.data(), std::ssize(head))));
  check<ConfigError>(viz::is_drawing(head), path,
                     ": exists and was not drawn by this program; move it away or choose another name");
}

struct Drawing::Kind {
  const char* ending;
  bool several;
  std::string (*draw)(const std::vector<viz::Figure>&);
};

const Drawing::Kind Drawing::kKinds[] = {
    {".html", true, [](const std::vector<viz::Figure>& figures) { return viz::to_html(figures); }},
    {".svg", false, [](const std::vector<viz::Figure>& figures) { return viz::to_svg(figures[0]); }},
    {".png", false, [](const std::vector<viz::Figure>& figures) { return viz::to_png(figures[0]); }},
    {".json", false, [](const std::vector<viz::Figure>& figures) { return viz::to_json(figures[0]) + "\n"; }},
};

Drawing::Drawing(const std::string& flag, const std::string& path) : path_(path) {
  const std::string ending = std::filesystem::path(path).extension().string();
  const auto found = std::ranges::find(kKinds, ending, [](const Kind& k) { return std::string(k.ending); });
  StringList known;
  for (const Kind& k : kKinds) known.emplace_back(k.ending);
  check<ConfigError>(found != std::end(kKinds), flag, " ", path,
                     ": the ending says what to draw: .html, .svg, .png or .json",
                     ending.empty() ? "" : nearest_match(ending, known));
  kind_ = found;
  check_replaceable_drawing(path);
}

bool Drawing::holds_several() const { return kind_->several; }

void Drawing::write(const std::vector<viz::Figure>& figures) const {
  Output output(path_);
  output.write(kind_->draw(figures));
  output.finish();
}

}  // namespace lookback::cli
