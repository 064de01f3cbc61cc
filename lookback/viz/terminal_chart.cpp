#include "lookback/viz/chart.h"
#include "lookback/viz/terminal_row.h"
namespace lookback::viz {
std::string chart_on_terminal(const Chart& chart, const TerminalOptions& options) { return title_line(chart.title, options); }
}
