// Private to io: a strict JSON reader that hands over one piece at a time. The caller sees each piece with its line and
// can refuse it before memory grows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lookback/base/error.h"

namespace lookback::io {

// What a document is made of, in reading order. Anything not overridden is refused as unexpected.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  virtual void on_null();
  virtual void on_bool(bool);
  virtual void on_integer(int64_t);
  virtual void on_number(double);
  virtual void on_string(std::string&);
  virtual void on_key(std::string&) = 0;
  virtual void start_object() = 0;
  virtual void end_object() = 0;
  virtual void start_array() = 0;
  virtual void end_array() = 0;

  // Where reading is; set by parse_json.
  const std::string* origin = nullptr;
  int line = 1;
  // Throws FormatError "origin:line: ...".
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw FormatError(str_cat(*origin, ":", line, ": ", parts...));
  }
};

// Reads one JSON value that fills `json`. Throws FormatError "origin:line: ..." for anything
// that is not RFC 8259, for invalid UTF-8, and for an integer outside 64 bits.
void parse_json(std::string_view json, const std::string& origin, JsonEvents& events);

}  // namespace lookback::io
