#include "lookback/data/word_vector_file.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <map>
#include <vector>

#include "lookback/base/arithmetic.h"
#include "lookback/base/error.h"
#include "lookback/data/vector_fields.h"

namespace lookback::data {

// --- Text

TextVectorFile::TextVectorFile(ByteReader bytes, std::optional<VectorHeader> header, int64_t width)
    : name_(bytes.name()), lines_(std::move(bytes)), header_(header), width_(width) {
  if (header_) lines_.next(line_);
}

bool TextVectorFile::next(std::string_view& word) {
  if (!lines_.next(line_)) return check_end();
  const std::string_view line = trimmed_end(line_);
  if (line.empty()) return check_end();
  if (header_ && words_ == header_->words)
    fail(str_cat("one more line than the header says, which is ", header_->words, " words; is it the right header?"));
  // Most lines have a word without spaces and one space before each value.
  const bool usual = count_separators(line) == width_;
  const size_t values = usual ? line.find_first_of(" \t") + 1 : find_values(line);
  word_ = trimmed_end(line.substr(0, values));
  values_ = line.substr(values);
  ++words_;
  word = word_;
  return true;
}

// Where the values begin on a line that has spaces in its word, several between fields, or a wrong number of values.
size_t TextVectorFile::find_values(std::string_view line) const {
  const std::optional<size_t> values = find_last_fields(line, width_);
  const std::string_view word = trimmed_end(line.substr(0, values.value_or(0)));
  const bool begins_with_value = values == 0 && !separates(line.front());
  // A word of several fields, the last of which is a number, is a word with too many values.
  const size_t last = word.find_last_of(" \t");
  const bool too_many = last != std::string_view::npos && parse_float(word.substr(last + 1));
  if (!values || begins_with_value || too_many) {
    const int64_t fields = count_fields(line);
    const std::string known = str_cat(header_ ? "the header says " : "most of the first lines have ", width_);
    fail(fields == 1 && words_ == 0
             ? str_cat(shown(line), " is not a word and its values; is this a file of word vectors?")
             : str_cat(fields - 1, fields == 2 ? " value" : " values", ", where ", known,
                       "; the file is damaged, or has another format"));
  }
  return *values;
}

// Empty lines are allowed at the end.
bool TextVectorFile::check_end() {
  const int64_t at = lines_.number();
  while (lines_.next(line_))
    if (!trimmed_end(line_).empty())
      throw FormatError(str_cat(name_, ":", at, ": an empty line, where a word and its values should be"));
  if (!header_ && words_ == 0) fail("the file has no words");
  if (header_ && words_ != header_->words)
    fail(str_cat("the file ends after ", words_, " words, the header says ", header_->words, "; was it cut short?"));
  return false;
}

void TextVectorFile::read_vector(std::span<float> out) {
  std::string_view rest = values_;
  for (size_t k = 0; k < out.size(); ++k) {
    while (!rest.empty() && separates(rest.front())) rest.remove_prefix(1);
    const std::string_view from_here = rest;
    const std::optional<float> value = take_float(rest);
    if (value && std::isfinite(*value)) {
      out[k] = *value;
      continue;
    }
    const std::string_view field = from_here.substr(0, from_here.find_first_of(" \t"));
    fail(str_cat("value ", k + 1, " of ", shown(word_), " is ",
                 field.empty() ? "missing" : shown(field) + ", which is not a ", value ? "finite number" : "number"));
  }
}

void TextVectorFile::fail(const std::string& what) const {
  throw FormatError(str_cat(name_, ":", lines_.number(), ": ", what));
}

// --- Binary

static_assert(std::endian::native == std::endian::little, "the files are little-endian");

BinaryVectorFile::BinaryVectorFile(ByteReader bytes, VectorHeader header) : bytes_(std::move(bytes)), header_(header) {}

bool BinaryVectorFile::next(std::string_view& word) {
  const int64_t vector_bytes = header_.width * int64_t{sizeof(float)};
  if (at_vector_ && bytes_.skip(vector_bytes) != vector_bytes) fail_at_end();
  at_vector_ = false;
  std::string_view ready = bytes_.peek();
  if (words_ > 0 && ready.starts_with('\n')) {
    bytes_.take(1);
    ready = bytes_.peek();
  }
  if (words_ == header_.words) {
    if (!ready.empty())
      fail(str_cat("more bytes than the header says, which is ", words_, " words of ", width(), " values"));
    return false;
  }
  const std::optional<size_t> end = find_word_end(bytes_, ' ');
  if (!end) {
    if (bytes_.peek(kMaxWordBytes + 1).size() <= kMaxWordBytes) fail_at_end();
    fail(str_cat("a word is longer than ", kMaxWordBytes, " bytes; is the header's width, ", width(), ", right?"));
  }
  word_.assign(bytes_.peek().substr(0, *end));
  bytes_.take(*end + 1);
  at_vector_ = true;
  ++words_;
  word = word_;
  return true;
}

void BinaryVectorFile::read_vector(std::span<float> out) {
  if (bytes_.read(reinterpret_cast<char*>(out.data()), out.size_bytes()) != out.size_bytes()) fail_at_end();
  at_vector_ = false;
  const auto bad = std::ranges::find_if_not(out, [](float v) { return std::isfinite(v); });
  if (bad != out.end())
    fail(str_cat("value ", bad - out.begin() + 1, " of ", shown(word_), " is not finite; is the header's width, ",
                 width(), ", right?"));
}

void BinaryVectorFile::fail(const std::string& what) const {
  throw FormatError(str_cat(bytes_.name(), ": byte ", bytes_.offset(), ": ", what));
}

void BinaryVectorFile::fail_at_end() const {
  fail(str_cat("the file ends in word ", std::max<int64_t>(words_, 1), " of ", header_.words, " of ", width(),
               " values; it was cut short, or the header is wrong"));
}

// --- Which format it is

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kFirstLook = size_t{1} << 16;
constexpr size_t kLongestLook = size_t{1} << 22;  // two lines of the widest vectors

bool is_integer(std::string_view s) {
  if (s.starts_with('-')) s.remove_prefix(1);
  return !s.empty() && s.find_first_not_of("0123456789") == std::string_view::npos;
}

// Two integers and nothing else; -1 for one that does not fit.
std::optional<VectorHeader> parse_header(std::string_view line) {
  line = trimmed_end(line);
  const std::optional<size_t> second = find_last_fields(line, 1);
  const std::string_view first = trimmed_end(line.substr(0, second.value_or(0)));
  if (!second || !is_integer(first) || !is_integer(line.substr(*second))) return std::nullopt;
  const auto number = [](std::string_view s) {
    int64_t out = -1;
    return std::from_chars(s.data(), s.data() + s.size(), out).ec == std::errc() ? out : -1;
  };
  return VectorHeader{number(first), number(line.substr(*second))};
}

void check_header(const VectorHeader& h, const std::string& name) {
  const auto values = checked_mul(h.words, h.width);
  check<FormatError>(h.words >= 1 && h.width >= 1 && h.width <= kMaxVectorWidth && values && checked_mul(*values, 4),
                     name, ":1: the header is not a number of words and a number of values from 1 to ", kMaxVectorWidth,
                     "; is this a file of word vectors?");
}

// The lines of the first bytes, without their ends; the last one only if it is whole or `at_end`.
std::vector<std::string_view> lines_of(std::string_view bytes, bool at_end) {
  std::vector<std::string_view> out;
  for (size_t end; (end = bytes.find('\n')) != std::string_view::npos; bytes.remove_prefix(end + 1))
    out.push_back(bytes.substr(0, end)), out.back().remove_suffix(out.back().ends_with('\r'));
  if (at_end && !bytes.empty()) out.push_back(bytes);
  return out;
}

// Whether a line is a word and so many numbers.
bool is_row(std::string_view line, int64_t width) {
  line = trimmed_end(line);
  const std::optional<size_t> values = find_last_fields(line, width);
  if (!values || *values == 0) return false;
  for (line.remove_prefix(*values); !line.empty();) {
    if (separates(line.front()))
      line.remove_prefix(1);
    else if (!take_float(line))
      return false;
  }
  return true;
}

// Whether the vector after the first word has bytes that numbers in text do not have.
bool is_binary(std::string_view rows, int64_t width) {
  const size_t begin = std::min(rows.find(' '), rows.size());
  const std::string_view vector = rows.substr(begin, static_cast<size_t>(width) * sizeof(float) + 1);
  return std::ranges::any_of(vector, [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte >= 0x7F || (byte < ' ' && c != '\t' && c != '\n' && c != '\r');
  });
}

// The number of values that most of the lines have; the smaller one of two that are as frequent.
int64_t usual_width(std::span<const std::string_view> lines) {
  std::map<int64_t, int64_t> seen;
  for (const std::string_view line : lines)
    if (const int64_t fields = count_fields(line); fields > 0) ++seen[fields - 1];
  int64_t width = 0, most = 0;
  for (const auto& [w, times] : seen)
    if (times > most) width = w, most = times;
  return width;
}

// "400000 300" may be a word with a vector of one value; the lines after it show whether it is.
bool is_vector_of_one(const VectorHeader& first, std::span<const std::string_view> lines) {
  if (first.width == 1 || lines.size() < 2) return false;
  return count_fields(lines[1]) == 2 && is_row(lines[1], 1) && usual_width(lines.subspan(1)) == 1;
}

}  // namespace

AnyVectorFile open_word_vectors(const std::string& path) {
  ByteReader bytes(path);
  std::string_view head = bytes.peek(kFirstLook);
  check<FormatError>(!head.empty(), bytes.name(), ":1: the file is empty; word vectors are expected");
  if (head.starts_with(kFastTextMagic)) return FastTextFile(std::move(bytes));
  check<FormatError>(!head.starts_with("PK\x03\x04"), bytes.name(), ":1: a zip archive; unpack it first");
  size_t look = kFirstLook;
  if (std::ranges::count(head, '\n') < 2) head = bytes.peek(look = kLongestLook);
  const size_t mark = head.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  const std::vector<std::string_view> lines = lines_of(head.substr(mark), head.size() < look);
  const std::optional<VectorHeader> header = lines.empty() ? std::nullopt : parse_header(lines[0]);
  if (!header || is_vector_of_one(*header, lines)) {
    const int64_t width = usual_width(lines);
    check<FormatError>(width <= kMaxVectorWidth, bytes.name(), ":1: ", width, " values; at most ", kMaxVectorWidth,
                       " are possible. Is this a file of word vectors?");
    return TextVectorFile(std::move(bytes), std::nullopt, std::max<int64_t>(width, 1));
  }
  check_header(*header, bytes.name());
  const size_t first_row = std::min(head.find('\n'), head.size() - 1) + 1;
  const bool text = lines.size() > 1 && is_row(lines[1], header->width);
  if (!text && is_binary(head.substr(first_row), header->width)) {
    bytes.take(first_row);
    return BinaryVectorFile(std::move(bytes), *header);
  }
  return TextVectorFile(std::move(bytes), header, header->width);
}

}  // namespace lookback::data
