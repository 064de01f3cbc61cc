#include "lookback/viz/marks.h"

#include "lookback/viz/figure.h"

namespace lookback::viz {

bool is_drawing(std::string_view head) {
  head = head.substr(0, 1024);
  for (const std::string_view mark : {kHtmlMark, kSvgMark, kJsonMark, kPngMark})
    if (head.find(mark) != std::string_view::npos) return true;
  return false;
}

}  // namespace lookback::viz
