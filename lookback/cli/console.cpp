#include "lookback/cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "lookback/io/json.h"
#include "lookback/viz/tokens.h"

namespace lookback::cli {
namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

const char* name_of(Severity s) { return s == Severity::info ? "info" : s == Severity::warning ? "warning" : "error"; }

// Line ends stay what they are.
std::string shown_lines(std::string_view words) {
  std::string out;
  for (size_t end; (end = words.find('\n')) != std::string_view::npos; words.remove_prefix(end + 1))
    out += viz::one_line(words.substr(0, end)) + "\n";
  return out + viz::one_line(words);
}

}  // namespace

int terminal_width(int fd) {
  constexpr int kUsual = 80, kLeast = 20;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= kLeast) return size.ws_col;
  int columns = 0;
  if (const char* s = std::getenv("COLUMNS")) std::from_chars(s, s + std::strlen(s), columns);
  return columns >= kLeast ? columns : kUsual;
}

bool is_terminal(int fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd) && term && std::strcmp(term, "dumb") != 0;
}

bool wants_color(int fd) { return is_terminal(fd) && !is_set("NO_COLOR"); }

Console::Console() : terminal_(is_terminal(STDERR_FILENO)), color_(wants_color(STDERR_FILENO)) {}

void Console::log(Severity severity, std::string_view words) {
  if (severity == Severity::info && quiet_) return;
  if (json_)
    return raw(std::string("{\"event\": \"message\", \"severity\": \"") + name_of(severity) +
               "\", \"text\": " + io::json_quote(words) + "}");
  if (severity == Severity::info) return raw(shown_lines(words));
  const bool warning = severity == Severity::warning;
  raw("lookback: " + paint(warning ? "33" : "31", std::string(name_of(severity)) + ":") + " " + viz::one_line(words));
}

void Console::raw(std::string_view line) {
  std::string bytes = status_shown_ ? "\r\x1b[K" : "";
  status_shown_ = false;
  send(bytes.append(line).append("\n"));
}

void Console::status(std::string_view line) {
  if (!redraws()) return;
  send("\r" + viz::shorten(line, terminal_width(STDERR_FILENO) - 1) + "\x1b[K");
  status_shown_ = true;
}

std::string Console::paint(const char* code, std::string_view words) const {
  if (!color_ || json_) return std::string(words);
  return std::string("\x1b[") + code + "m" + std::string(words) + "\x1b[0m";
}

// Talk that cannot be delivered is lost; the work goes on.
void Console::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace lookback::cli
