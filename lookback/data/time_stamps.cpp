#include "lookback/data/time_stamps.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <optional>

#include "lookback/base/error.h"
#include "lookback/base/parse.h"

namespace lookback::data {
namespace {

using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year_month_day;

constexpr Stamp kMinute = 60, kHour = 3600;
constexpr const char* kAdvice = "; write 2024-01-31, 2024-01-31 12:00:00, or the number of a step";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// 01/02/2024, 1.2.24: up to two digits, a separator, up to two digits, the same separator, digits.
bool has_the_year_last(std::string_view cell) {
  size_t digits[3] = {};
  int part = 0;
  char separator = 0;
  for (const char c : cell.substr(0, cell.find(' '))) {
    if (is_digit(c)) {
      ++digits[part];
    } else {
      if (++part == 3 || (c != '/' && c != '-' && c != '.') || (separator && c != separator)) return false;
      separator = c;
    }
  }
  return part == 2 && std::ranges::all_of(digits, [](size_t n) { return n > 0; }) && digits[0] <= 2 && digits[1] <= 2;
}

// A cell, read from left to right in whatever style it has. Of what is wrong, the first is kept.
class CellScanner {
 public:
  explicit CellScanner(std::string_view cell) : rest_(trimmed(cell)) {
    if (rest_.empty())
      fail("the time is empty");
    else if (std::ranges::all_of(rest_.substr(rest_[0] == '-'), is_digit))
      step();
    else
      calendar();
  }

  const StampStyle& style() const { return style_; }
  ParsedStamp parsed() && { return {why_.empty() ? stamp_ : 0, std::move(why_)}; }
  bool is_stamp() const { return why_.empty(); }
  Stamp stamp() const { return stamp_; }

 private:
  void fail(std::string why) {
    if (why_.empty()) why_ = std::move(why);
  }

  // Passes over one of these characters, if it is next; 0 if it is not.
  char accept(std::string_view any) {
    if (rest_.empty() || any.find(rest_[0]) == any.npos) return 0;
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  int digits(size_t count, const char* what) {
    int value = 0;
    for (size_t k = 0; k < count; ++k) {
      const char c = accept("0123456789");
      if (!c) {
        fail(str_cat("the ", what, " has not ", count, " digits", kAdvice));
        return 0;
      }
      value = value * 10 + (c - '0');
    }
    return value;
  }

  int below(int limit, const char* what, const char* advice) {
    const int value = digits(2, what);
    if (value >= limit) fail(str_cat("there is no ", what, " ", value, advice));
    return value;
  }

  void step() {
    style_.kind = StampKind::step;
    const std::string_view number = rest_.substr(rest_[0] == '-');
    if (number.empty()) fail(str_cat("not a time", kAdvice));
    if (number != "0" && number.starts_with('0')) fail("the number of a step begins with 0");
    if (rest_ == "-0") fail("the number of a step is -0");
    const auto read = std::from_chars(rest_.data(), rest_.data() + rest_.size(), stamp_);
    if (read.ec != std::errc() || stamp_ > kLastStep || stamp_ < -kLastStep) fail("the number of a step is too large");
  }

  void calendar() {
    if (rest_.size() < 5 || !std::ranges::all_of(rest_.substr(0, 4), is_digit) || (rest_[4] != '-' && rest_[4] != '/'))
      return fail(has_the_year_last(rest_) ? "day, month and year in an order that is not certain; write YYYY-MM-DD"
                                           : str_cat("not a time", kAdvice));
    const int year = digits(4, "year");
    if (year == 0) return fail("there is no year 0");
    style_.kind = StampKind::month;
    style_.date_separator = accept("-/");
    const int month = digits(2, "month");
    if (month < 1 || month > 12) fail(str_cat("there is no month ", month));
    int day = 1;
    if (!rest_.empty()) {
      style_.kind = StampKind::date;
      if (!accept({&style_.date_separator, 1})) return fail(str_cat("not a time", kAdvice));
      day = digits(2, "day");
    }
    if (!why_.empty()) return;
    const year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                              std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok()) return fail(str_cat("the month has no day ", day));
    stamp_ = seconds(sys_days(date).time_since_epoch()).count();
    if (style_.kind == StampKind::date && !rest_.empty()) time_of_day();
  }

  void time_of_day() {
    style_.time_separator = accept(" T");
    if (!style_.time_separator) return fail(str_cat("something behind the date", kAdvice));
    style_.kind = StampKind::minute;
    stamp_ += kHour * below(24, "hour", "; midnight is 00:00 of the next day");
    if (!accept(":")) return fail(str_cat("no minutes behind the hour", kAdvice));
    stamp_ += kMinute * below(60, "minute", "");
    if (accept(":")) {
      style_.kind = StampKind::second;
      stamp_ += below(60, "second", "; leap seconds are not counted");
      if (accept(".")) fraction();
    }
    if (!rest_.empty()) offset();
    if (!rest_.empty()) return fail(str_cat("something behind the time of day", kAdvice));
    if (stamp_ < kFirstTime || stamp_ > kLastTime) fail("in UTC not in the years 1 to 9999");
  }

  void fraction() {
    while (const char c = accept("0123456789")) {
      if (c != '0') fail("a fraction of a second; times are whole seconds");
      ++style_.fraction_digits;
    }
    if (style_.fraction_digits == 0 || style_.fraction_digits > 9)
      fail("the fraction of a second has not 1 to 9 digits");
  }

  void offset() {
    const char sign = accept("Z+-");
    if (!sign) return;
    style_.zone = StampStyle::Zone::z;
    if (sign == 'Z') return;
    const int hours = digits(2, "offset's hour");
    style_.zone = accept(":") ? StampStyle::Zone::colon : StampStyle::Zone::plain;
    const int minutes = digits(2, "offset's minute");
    if (hours > 14 || minutes > 59) fail("an offset from UTC has at most 14 hours, and 59 minutes");
    style_.offset_minutes = (sign == '-' ? -1 : 1) * (60 * hours + minutes);
    stamp_ -= kMinute * style_.offset_minutes;
  }

  std::string_view rest_;
  StampStyle style_;
  Stamp stamp_ = 0;
  std::string why_;
};

bool is_year(std::string_view cell) { return cell.size() == 4 && std::ranges::all_of(cell, is_digit); }

Stamp start_of_year(int year) {
  return seconds(sys_days(std::chrono::year(year) / std::chrono::January / 1).time_since_epoch()).count();
}

// What all integers of a column have in common.
struct Integers {
  bool years = true;   // four digits, 1600 to 2299
  bool dates = true;   // 20240131
  bool months = true;  // 202401

  void add(Stamp number) {
    const auto is_plausible = [](Stamp year) { return year >= 1600 && year < 2300; };
    const auto is_date = [&](Stamp year, Stamp month, Stamp day) {
      return is_plausible(year) &&
             year_month_day(std::chrono::year(static_cast<int>(year)), std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day)))
                 .ok();
    };
    years &= is_plausible(number);
    dates &= is_date(number / 10000, number / 100 % 100, number % 100);
    months &= is_date(number / 100, number % 100, 1);
  }
};

// The two are written alike, whatever the offset is.
bool same_but_for_offset(StampStyle a, const StampStyle& b) {
  a.offset_minutes = b.offset_minutes;
  return a == b;
}

void append(std::string& out, int64_t value, int width) {
  const std::string digits = std::to_string(value);
  out.append(static_cast<size_t>(std::max<int64_t>(0, width - static_cast<int64_t>(digits.size()))), '0');
  out += digits;
}

void append_offset(std::string& out, const StampStyle& style) {
  if (style.zone == StampStyle::Zone::none) return;
  if (style.zone == StampStyle::Zone::z) {
    out += 'Z';
    return;
  }
  const int minutes = std::abs(style.offset_minutes);
  out += style.offset_minutes < 0 ? '-' : '+';
  append(out, minutes / 60, 2);
  if (style.zone == StampStyle::Zone::colon) out += ':';
  append(out, minutes % 60, 2);
}

}  // namespace

StampStyle find_style(std::span<const std::string_view> cells) {
  std::optional<StampStyle> style;
  Integers integers;
  std::string why_none = "no cell is a time: all are empty";
  bool all_blank = true;
  for (const std::string_view cell : cells) {
    CellScanner scanner(cell);
    if (!scanner.is_stamp()) {
      if (all_blank && !trimmed(cell).empty()) {
        why_none = str_cat("no cell is a time: '", trimmed(cell), "': ", std::move(scanner).parsed().why);
        all_blank = false;
      }
      continue;
    }
    if (!style) style = scanner.style();
    if (scanner.style().kind == StampKind::step) integers.add(scanner.stamp());
    if (scanner.style().offset_minutes != style->offset_minutes && same_but_for_offset(scanner.style(), *style))
      style->offset_minutes = 0;
  }
  check<FormatError>(style.has_value(), why_none);
  if (style->kind != StampKind::step) return *style;
  check<FormatError>(!integers.dates && !integers.months, "numbers that look like dates without separators; write ",
                     integers.dates ? "2024-01-31, not 20240131" : "2024-01, not 202401");
  if (integers.years) style->kind = StampKind::year;
  return *style;
}

std::string style_pattern(const StampStyle& style) {
  if (style.kind == StampKind::step) return "step";
  std::string out = "YYYY";
  if (style.kind >= StampKind::month) out += style.date_separator + std::string("MM");
  if (style.kind >= StampKind::date) out += style.date_separator + std::string("DD");
  if (style.kind >= StampKind::minute) out += style.time_separator + std::string("HH:MM");
  if (style.kind >= StampKind::second) out += ":SS";
  if (style.fraction_digits > 0) out += "." + std::string(static_cast<size_t>(style.fraction_digits), '0');
  append_offset(out, style);
  return out;
}

StampStyle parse_style_pattern(std::string_view pattern) {
  // A cell of that style is a time with its digits in place of the letters.
  constexpr std::string_view kTime = "2000-01-01 00:00:00";
  std::string cell(pattern);
  for (size_t k = 0; k < std::min(cell.size(), kTime.size()); ++k)
    if (std::string_view("YMDHS").find(cell[k]) != std::string_view::npos) cell[k] = kTime[k];
  StampStyle style = CellScanner(pattern == "step" ? "0" : cell).style();
  if (pattern == "YYYY") style.kind = StampKind::year;
  check<FormatError>(style_pattern(style) == pattern, "'", pattern, "' is no way to write times");
  return style;
}

ParsedStamp parse_stamp(std::string_view cell, const StampStyle& style) {
  if (style.kind == StampKind::year && is_year(trimmed(cell))) {
    int year = 0;
    std::from_chars(trimmed(cell).data(), trimmed(cell).data() + 4, year);
    if (year == 0) return {.why = "there is no year 0"};
    return {.stamp = start_of_year(year)};
  }
  CellScanner scanner(cell);
  if (scanner.is_stamp() && !same_but_for_offset(scanner.style(), style))
    return {.why = str_cat("written as ", style_pattern(scanner.style()), ", its column as ", style_pattern(style))};
  return std::move(scanner).parsed();
}

std::string format_stamp(Stamp stamp, const StampStyle& style) {
  if (style.kind == StampKind::step) return std::to_string(stamp);
  const Stamp local = stamp + kMinute * style.offset_minutes;
  check<FormatError>(stamp >= kFirstTime && stamp <= kLastTime && local >= kFirstTime && local <= kLastTime, "a time (",
                     stamp, " s from 1970) is not in the years 1 to 9999");
  const sys_seconds time{seconds(local)};
  const auto day = std::chrono::floor<days>(time);
  const int64_t second = (time - day).count();
  const year_month_day date(day);
  const unsigned month = static_cast<unsigned>(date.month()), of_month = static_cast<unsigned>(date.day());
  std::string out;
  append(out, static_cast<int>(date.year()), 4);
  if (style.kind >= StampKind::month) append(out += style.date_separator, month, 2);
  if (style.kind >= StampKind::date) append(out += style.date_separator, of_month, 2);
  if (style.kind >= StampKind::minute) {
    append(out += style.time_separator, second / kHour, 2);
    append(out += ':', second / kMinute % 60, 2);
  }
  if (style.kind >= StampKind::second) append(out += ':', second % 60, 2);
  if (style.fraction_digits > 0) out.append(".").append(static_cast<size_t>(style.fraction_digits), '0');
  append_offset(out, style);
  const bool is_whole =
      (style.kind >= StampKind::month || month == 1) && (style.kind >= StampKind::date || of_month == 1) &&
      (style.kind >= StampKind::minute || second == 0) && (style.kind >= StampKind::second || second % 60 == 0);
  if (!is_whole)
    throw FormatError(str_cat(out, " would stand for ", format_stamp(stamp, {.kind = StampKind::second}),
                              ", which cannot be written as ", style_pattern(style)));
  return out;
}

}  // namespace lookback::data
