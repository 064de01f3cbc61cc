// Figures on the terminal and in files.
#pragma once

#include <string>
#include <vector>

#include "lookback/viz/figure.h"

namespace lookback::cli {

// As wide as standard output, with colour where that is welcome.
std::string on_terminal(const std::vector<viz::Figure>& figures);

// Throws ConfigError for a file that holds something else than a drawing of ours, and IoError.
void check_replaceable_drawing(const std::string& path);

// A file whose ending says what is drawn: .html, .svg, .png or .json.
class Drawing {
 public:
  // `flag` is what messages call it: "explain: --out". Throws ConfigError for another ending, and as
  // check_replaceable_drawing does.
  Drawing(const std::string& flag, const std::string& path);
  bool holds_several() const;
  void write(const std::vector<viz::Figure>& figures) const;

 private:
  struct Kind;
  static const Kind kKinds[];

  std::string path_;
  const Kind* kind_;
};

}  // namespace lookback::cli
