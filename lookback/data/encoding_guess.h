// What is said of a text file that is not UTF-8: how many of its lines, and which encoding it may be in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lookback/base/error.h"

namespace lookback::data {

// Whether a line can be text in UTF-8: it is valid, and without the NUL bytes that UTF-16 and UTF-32 have.
bool is_utf8_text(std::string_view line);
// Of a line that cannot: "invalid UTF-8", or "NUL bytes, as UTF-16 has".
const char* why_not_utf8(std::string_view line);

// A guess from lines of one file, as LineReader gives them.
class EncodingGuess {
 public:
  // The first line, and every other one that is not UTF-8 text. number: from 1
  void add(std::string_view line, int64_t number);
  // "it looks like Latin-1 (...); convert it (iconv -f WINDOWS-1252 -t UTF-8)", or that it is unknown.
  std::string advice() const;

 private:
  struct Encoding {
    const char *name, *iconv;
  };
  Encoding best() const;
  bool is_western() const;

  const char* mark_ = nullptr;  // the encoding of the byte order mark in line 1
  int64_t lines_ = 0, utf16_ = 0, utf32_ = 0;
  bool big_endian_ = false;  // what the first line would be in UTF-16 or UTF-32
  bool little_endian_ = false;
  // Bytes from 0x80 on; those in runs of three and more; and those that are no letters in Windows-1252, though letters
  // are on both sides.
  int64_t high_ = 0, crowded_ = 0, misplaced_ = 0;
};

// For a line at which reading is to stop: where it is, and what is wrong with it.
FormatError bad_line(const std::string& where, const char* why);

// Counts the lines of one file.
class LineTally {
 public:
  explicit LineTally(std::string file) : file_(std::move(file)) {}
  // The next line, numbered from 1, and whether it is UTF-8 text.
  void add(std::string_view line, int64_t number, bool is_text);
  // Throws FormatError if more than this share of the lines is no UTF-8 text.
  void check_share(double most) const;

 private:
  std::string file_;
  int64_t lines_ = 0, bad_ = 0, first_bad_ = 0;
  EncodingGuess guess_;
};

}  // namespace lookback::data
