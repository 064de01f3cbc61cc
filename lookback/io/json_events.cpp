#include "lookback/io/json_events.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "lookback/base/utf8.h"
#include "lookback/io/quote.h"

namespace lookback::io {
namespace {

// Walks over the text and remembers how far anybody has read.
struct Walker {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* p;
  const char** furthest;

  reference operator*() const { return *p; }
  Walker& operator++() {
    *furthest = ++p;
    return *this;
  }
  Walker operator++(int) {
    const Walker before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Walker& other) const { return p == other.p; }
};

// "[json.exception.parse_error.101] parse error at line 1, column 5: what" -> "what".
std::string bare_message(std::string_view s) {
  size_t at = s.find(": ");
  if (at == std::string_view::npos) at = s.find("] ");
  s.remove_prefix(at == std::string_view::npos ? 0 : at + 2);
  const std::string out = quote(s.substr(0, 80));
  return out.substr(1, out.size() - 2);
}

// From the parser's calls to ours; keeps the line.
class Bridge final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Bridge(std::string_view json, JsonEvents& to) : to_(to), counted_(json.data()), furthest_(json.data()) {}
  const char** furthest() { return &furthest_; }

  bool null() override { return at_line(), to_.on_null(), true; }
  bool boolean(bool x) override { return at_line(), to_.on_bool(x), true; }
  bool number_integer(number_integer_t x) override { return at_line(), to_.on_integer(x), true; }
  bool number_unsigned(number_unsigned_t x) override {
    at_line();
    if (x > static_cast<uint64_t>(INT64_MAX)) to_.fail("the number ", x, " does not fit in 64 bits with sign");
    return to_.on_integer(static_cast<int64_t>(x)), true;
  }
  bool number_float(number_float_t x, const string_t& digits) override {
    at_line();
    // The parser makes a float of an integer too long for it.
    if (digits.find_first_of(".eE") == std::string::npos)
      to_.fail("the number ", quote(digits), " does not fit in 64 bits with sign");
    return to_.on_number(x), true;
  }
  bool string(string_t& s) override { return at_line(), to_.on_string(s), true; }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return at_line(), to_.start_object(), true; }
  bool key(string_t& s) override { return at_line(), to_.on_key(s), true; }
  bool end_object() override { return at_line(), to_.end_object(), true; }
  bool start_array(std::size_t) override { return at_line(), to_.start_array(), true; }
  bool end_array() override { return at_line(), to_.end_array(), true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& e) override {
    at_line();
    to_.fail("not JSON: ", bare_message(e.what()));
  }

 private:
  // The parser looks at one character past a number, perhaps a line's end: that one is not counted yet.
  void at_line() {
    const char* end = std::max(counted_, furthest_ - 1);
    to_.line += static_cast<int>(std::count(counted_, end, '\n'));
    counted_ = end;
  }

  JsonEvents& to_;
  const char* counted_;
  const char* furthest_;
};

}  // namespace

void JsonEvents::on_null() { fail("null is not allowed here"); }
void JsonEvents::on_bool(bool) { fail("true or false is not allowed here"); }
void JsonEvents::on_integer(int64_t) { fail("a number is not allowed here"); }
void JsonEvents::on_number(double) { fail("a number is not allowed here"); }
void JsonEvents::on_string(std::string&) { fail("a string is not allowed here"); }

void parse_json(std::string_view json, const std::string& origin, JsonEvents& events) {
  events.origin = &origin;
  events.line = 1;
  const auto line_of = [&](size_t at) {
    return 1 + std::count(json.begin(), json.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  };
  if (const auto at = find_invalid_utf8(json))
    throw FormatError(str_cat(origin, ":", line_of(*at), ": byte ", *at, " is not valid UTF-8"));
  // The parser takes a NUL for the end and would not look at what follows.
  if (const size_t at = json.find('\0'); at != std::string_view::npos)
    throw FormatError(str_cat(origin, ":", line_of(at), ": byte ", at, " is NUL"));
  Bridge bridge(json, events);
  nlohmann::json::sax_parse(Walker{json.data(), bridge.furthest()},
                            Walker{json.data() + json.size(), bridge.furthest()}, &bridge);
}

}  // namespace lookback::io
