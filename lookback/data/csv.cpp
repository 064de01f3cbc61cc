#include "lookback/data/csv.h"

#include "lookback/base/error.h"

namespace lookback::data {
namespace {

// A quote that is never closed must not take the rest of the file.
constexpr size_t kMaxRecord = size_t{1} << 20;

}  // namespace

std::string parse_csv(std::string line, const std::function<bool(std::string&)>& more,
                      std::vector<std::string>& cells) {
  cells.clear();
  std::string cell, next;
  size_t at = 0, bytes = line.size();
  for (;;) {
    cell.clear();
    if (at < line.size() && line[at] == '"') {
      for (++at;;) {
        if (at == line.size()) {
          if (bytes > kMaxRecord || !more(next)) return "a quote is not closed";
          cell += '\n';
          bytes += next.size() + 1;
          line = next, at = 0;
        } else if (line[at] != '"') {
          cell += line[at++];
        } else if (at + 1 < line.size() && line[at + 1] == '"') {
          cell += '"', at += 2;
        } else {
          ++at;
          break;
        }
      }
      if (at < line.size() && line[at] != ',') return "something follows a closed quote";
    } else {
      const size_t end = std::min(line.find(',', at), line.size());
      cell = line.substr(at, end - at), at = end;
    }
    cells.push_back(cell);
    if (at == line.size()) return "";
    ++at;  // the comma
  }
}

std::vector<std::string> split_tabs(std::string_view line) {
  std::vector<std::string> out;
  for (size_t end; (end = line.find('\t')) != std::string_view::npos; line.remove_prefix(end + 1))
    out.emplace_back(line.substr(0, end));
  out.emplace_back(line);
  return out;
}

}  // namespace lookback::data
