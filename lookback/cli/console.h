// Everything the program says that is not a result: standard error, for people or as JSON lines.
#pragma once

#include <string>
#include <string_view>

#include "lookback/base/log.h"

namespace lookback::cli {

// How many columns the terminal behind a file descriptor has: the terminal's word, else COLUMNS, else 80.
int terminal_width(int fd);
// Whether it is one that may be drawn on: not a file, not TERM=dumb.
bool is_terminal(int fd);
// Whether colour is welcome there: a terminal, and NO_COLOR is not set.
bool wants_color(int fd);

class Console {
 public:
  Console();

  void set_quiet() { quiet_ = true; }  // warnings and errors only
  void set_json() { json_ = true; }    // one JSON object per line

  bool quiet() const { return quiet_; }
  bool json() const { return json_; }
  bool redraws() const { return terminal_ && !json_ && !quiet_; }

  // Talk: information in as many lines as it has, a warning or an error in one, a JSON object in any case. Control
  // characters in it are shown, not sent.
  void log(Severity severity, std::string_view words);
  // A line that may have colour or indentation of its own, or a JSON object; sent as it is.
  void raw(std::string_view line);
  // The line at the bottom of a terminal, cut to its width and drawn over the one before.
  void status(std::string_view line);
  // Words in bold or colour where that is welcome: "1" is bold, "31" red, "32" green.
  std::string paint(const char* code, std::string_view words) const;

  LogSink sink() {
    return [this](Severity s, std::string_view words) { log(s, words); };
  }

 private:
  void send(std::string_view bytes) const;

  bool quiet_ = false, json_ = false;
  bool terminal_, color_;
  bool status_shown_ = false;
};

}  // namespace lookback::cli
