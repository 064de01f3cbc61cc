// When the values of a series were taken: cells of a table to numbers, and back as the column writes them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lookback::data {

// A time: seconds since 1970-01-01 00:00 UTC, without leap seconds, in the Gregorian calendar of the years 1 to 9999.
// Or the number of a step, where a table counts them.
using Stamp = int64_t;

constexpr Stamp kFirstTime = -62135596800;  // 0001-01-01 00:00:00
constexpr Stamp kLastTime = 253402300799;   // 9999-12-31 23:59:59
// Steps are from -kLastStep to kLastStep: the difference of two is a number, too.
constexpr Stamp kLastStep = (int64_t{1} << 62) - 1;

enum class StampKind { step, year, month, date, minute, second };

// How a column writes its stamps: 17; 2024; 2024-01; 2024-01-31; 2024-01-31 12:00; 2024-01-31T12:00:00.000Z.
struct StampStyle {
  enum class Zone { none, z, colon, plain };  // UTC unsaid, Z, +02:00, +0200

  StampKind kind = StampKind::date;
  char date_separator = '-';  // or '/'
  char time_separator = ' ';  // or 'T'
  int fraction_digits = 0;    // of a second, all of them zeros; to 9
  Zone zone = Zone::none;
  int offset_minutes = 0;  // that stamps are written with

  friend bool operator==(const StampStyle&, const StampStyle&) = default;
};

// The style of a column, all of whose cells are given: that of the first cell that is a stamp.
// - Integers are years if each has four digits and is from 1600 to 2299; else steps. For what is measured once a year
//   both come to the same but for the name of the frequency.
// - An offset that all cells have is written again. Where they have several, as with summer time, stamps are written in
//   UTC, +00:00.
// Throws FormatError if no cell is a stamp (with the reason for the first one that is not blank), and for integers that
// are dates without separators, 20240131 or 202401, all of them.
StampStyle find_style(std::span<const std::string_view> cells);

// "YYYY-MM-DD HH:MM:SS+02:00", "YYYY", "step": for messages, and to keep with a model.
std::string style_pattern(const StampStyle& style);
// Throws FormatError for what style_pattern() does not write.
StampStyle parse_style_pattern(std::string_view pattern);

// A cell as a stamp, or why it is none.
struct ParsedStamp {
  Stamp stamp = 0;
  std::string why;  // "there is no month 13"; empty for a stamp
};

// Spaces around the cell are passed over. A part that the style does not have is the first moment: 2024-02 is
// 2024-02-01 00:00:00. A cell may have another offset than the style, but has to be written as it is in all else.
ParsedStamp parse_stamp(std::string_view cell, const StampStyle& style);

// The cell: parse_stamp() makes the same stamp of it. Throws FormatError for one that the style cannot write, such as
// noon in a column of dates.
std::string format_stamp(Stamp stamp, const StampStyle& style);

}  // namespace lookback::data
