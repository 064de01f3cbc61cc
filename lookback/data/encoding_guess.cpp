#include "lookback/data/encoding_guess.h"

#include <algorithm>

#include "lookback/base/utf8.h"

namespace lookback::data {
namespace {

using namespace std::string_view_literals;

// NULs stand at every fourth byte or more: no UTF-16 has two in a row.
bool like_utf32(std::string_view line) {
  const auto nuls = static_cast<size_t>(std::ranges::count(line, '\0'));
  return 2 * nuls >= line.size() && line.find("\0\0"sv) != std::string_view::npos;
}

// A line end of UTF-16 leaves a NUL at the next line's beginning, or at this one's end. Other NULs stand at every
// second byte of what is ASCII, all of them at even places or all at odd ones.
bool like_utf16(std::string_view line) {
  if (line.empty() || line.find("\0\0"sv) != std::string_view::npos) return false;
  size_t nuls[2] = {0, 0};
  for (size_t k = 0; k < line.size(); ++k) nuls[k % 2] += line[k] == '\0';
  const size_t all = nuls[0] + nuls[1];
  return all > 0 && (nuls[0] == 0 || nuls[1] == 0) &&
         (line.front() == '\0' || line.back() == '\0' || 4 * all >= line.size());
}

const char* marked(std::string_view line) {
  if (line.starts_with("\xFF\xFE\0\0"sv) || line.starts_with("\0\0\xFE\xFF"sv)) return "UTF-32";
  return line.starts_with("\xFF\xFE"sv) || line.starts_with("\xFE\xFF"sv) ? "UTF-16" : nullptr;
}

bool is_ascii_letter(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// In Windows-1252, also what stands between letters: an apostrophe, a soft hyphen, a dot (Catalan).
bool fits_in_a_word(uint8_t c) {
  return c >= 0xC0 ||
         "\x8A\x8C\x8E\x92\x9A\x9C\x9E\x9F\xAA\xAD\xB7\xBA"sv.find(static_cast<char>(c)) != std::string_view::npos;
}

}  // namespace

bool is_utf8_text(std::string_view line) {
  if (!valid_utf8(line)) return false;
  return line.find('\0') == std::string_view::npos || !(like_utf16(line) || like_utf32(line));
}

const char* why_not_utf8(std::string_view line) {
  return valid_utf8(line) ? "NUL bytes, as UTF-16 has" : "invalid UTF-8";
}

FormatError bad_line(const std::string& where, const char* why) {
  return FormatError(str_cat(where, ": ", why, "; mend the line, or set bad_lines = \"skip\" to leave it out"));
}

void EncodingGuess::add(std::string_view line, int64_t number) {
  if (number == 1) {
    mark_ = marked(line);
    big_endian_ = line.starts_with('\0');
    little_endian_ = !big_endian_ && (line.empty() || (line.size() > 1 && line[1] == '\0'));
    if (is_utf8_text(line)) return;
  }
  ++lines_;
  if (like_utf32(line)) ++utf32_;
  if (like_utf16(line)) ++utf16_;
  const auto byte = [&](size_t k) { return k < line.size() ? static_cast<uint8_t>(line[k]) : uint8_t{0}; };
  for (size_t k = 0, end; k < line.size(); k = end + 1) {
    for (end = k; byte(end) >= 0x80;) ++end;
    const auto run = static_cast<int64_t>(end - k);
    high_ += run;
    if (run > 2) crowded_ += run;
    if (run == 1 && k > 0 && is_ascii_letter(byte(k - 1)) && is_ascii_letter(byte(end)) && !fits_in_a_word(byte(k)))
      ++misplaced_;
  }
}

// Accented letters stand alone among others; those of other scripts make up whole words. Letters of Polish or Czech
// would be signs there.
bool EncodingGuess::is_western() const { return high_ > 0 && 10 * crowded_ <= high_ && 20 * misplaced_ <= high_; }

EncodingGuess::Encoding EncodingGuess::best() const {
  if (mark_) return {mark_, mark_};
  if (2 * utf32_ > lines_) return {"UTF-32", big_endian_ ? "UTF-32BE" : "UTF-32LE"};
  if (2 * utf16_ > lines_) {
    if (big_endian_) return {"UTF-16, big-endian", "UTF-16BE"};
    return {little_endian_ ? "UTF-16, little-endian" : "UTF-16", "UTF-16LE"};
  }
  if (is_western()) return {"Latin-1 (ISO-8859-1 or Windows-1252)", "WINDOWS-1252"};
  return {nullptr, nullptr};
}

std::string EncodingGuess::advice() const {
  const Encoding e = best();
  if (!e.name) return "its encoding is unknown; convert it (iconv -f ITS-ENCODING -t UTF-8)";
  return str_cat("it looks like ", e.name, "; convert it (iconv -f ", e.iconv, " -t UTF-8)");
}

void LineTally::add(std::string_view line, int64_t number, bool is_text) {
  ++lines_;
  if (!is_text && ++bad_ == 1) first_bad_ = number;
  if (!is_text || number == 1) guess_.add(line, number);
}

void LineTally::check_share(double most) const {
  check<FormatError>(static_cast<double>(bad_) <= most * static_cast<double>(lines_), file_, ": ", bad_, " of ", lines_,
                     " lines are not UTF-8, the first is line ", first_bad_, "; ", guess_.advice(),
                     ", or set data.max_bad = 1 to leave such lines out");
}

}  // namespace lookback::data
