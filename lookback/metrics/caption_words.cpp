#include "lookback/metrics/caption_words.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

using Words = std::vector<std::u32string>;

bool is_digit(char32_t c) { return c >= U'0' && c <= U'9'; }
bool is_dash(char32_t c) { return c == U'-' || c == U'‐' || c == U'‑' || c == U'–' || c == U'—'; }
bool is_quote(char32_t c) { return c == U'\'' || c == U'’' || c == U'‘' || c == U'`'; }

// Cut off wherever they stand, and left out.
bool is_left_out(char32_t c) {
  return std::u32string_view(U"\"“”„«»()[]{}<>?!;…").find(c) != std::u32string_view::npos;
}
// Left out but within numbers.
bool is_number_mark(char32_t c) { return c == U'.' || c == U',' || c == U':'; }
// Words of their own.
bool is_symbol_word(char32_t c) { return std::u32string_view(U"#$%&*+=@^|~€£¥°").find(c) != std::u32string_view::npos; }

bool is_abbreviation(std::u32string_view word) {  // with its full stop
  constexpr std::u32string_view kKnown[] = {U"mr.", U"mrs.", U"ms.", U"dr.", U"st.", U"jr.",  U"sr.",
                                            U"vs.", U"mt.",  U"ft.", U"no.", U"co.", U"inc.", U"prof."};
  if (std::ranges::find(kKnown, word) != std::end(kKnown)) return true;
  if (word.size() < 4 || word.size() % 2 != 0) return false;  // u.s.
  for (size_t k = 0; k < word.size(); ++k)
    if (k % 2 == 0 ? !is_letter(word[k]) : word[k] != U'.') return false;
  return true;
}

constexpr std::u32string_view kEndings[] = {U"'s", U"'re", U"'ve", U"'ll", U"'d", U"'m"};
constexpr std::pair<std::u32string_view, std::u32string_view> kPairs[] = {
    {U"can", U"not"}, {U"gon", U"na"}, {U"wan", U"na"}, {U"got", U"ta"}, {U"gim", U"me"}, {U"lem", U"me"}};

// A word without punctuation at its ends, cut at contractions.
void add_word(std::u32string word, Words& out) {
  std::ranges::replace(word, U'’', U'\'');
  for (const auto& [a, b] : kPairs)
    if (word.size() == a.size() + b.size() && word.starts_with(a) && word.ends_with(b)) {
      out.emplace_back(a), out.emplace_back(b);
      return;
    }
  std::u32string_view ending;
  if (word.size() > 3 && word.ends_with(U"n't")) ending = U"n't";
  for (const std::u32string_view e : kEndings)
    if (word.size() > e.size() && word.ends_with(e)) ending = e;
  word.resize(word.size() - ending.size());
  out.push_back(std::move(word));
  if (!ending.empty()) out.emplace_back(ending);
}

// What stands between white space and what is_left_out.
void add_piece(std::u32string_view piece, Words& out) {
  if (is_abbreviation(piece)) {
    out.emplace_back(piece);
    return;
  }
  std::u32string word;
  const auto flush = [&] {
    size_t begin = 0, end = word.size();
    while (begin < end && (is_dash(word[begin]) || is_quote(word[begin]))) ++begin;
    while (end > begin && (is_dash(word[end - 1]) || is_quote(word[end - 1]))) --end;
    const std::u32string kept = word.substr(begin, end - begin);
    // 's and 're alone are words: "dog 's".
    const bool ending = std::ranges::find(kEndings, word) != std::end(kEndings);
    if (ending)
      out.push_back(word);
    else if (!kept.empty())
      add_word(kept, out);
    word.clear();
  };
  for (size_t k = 0; k < piece.size(); ++k) {
    const char32_t c = piece[k];
    const auto at = [&](size_t i) { return i < piece.size() ? piece[i] : U' '; };
    if (is_number_mark(c) && !(k > 0 && is_digit(piece[k - 1]) && is_digit(at(k + 1)))) {
      flush();
    } else if (is_symbol_word(c)) {
      flush();
      out.emplace_back(1, c);
    } else if ((c == U'-' && at(k + 1) == U'-') || c == U'—' || c == U'–') {  // a dash, not a hyphen
      flush();
      while (is_dash(at(k + 1))) ++k;
    } else {
      word += c;
    }
  }
  flush();
}

}  // namespace

void CaptionOptions::fields(FieldVisitor& v) {
  v("tokenize", tokenize, "how captions become words: ptb, in lower case without punctuation; none, at white space")
      .choices({"ptb", "none"});
}

std::vector<std::u32string> caption_words(std::string_view line, const CaptionOptions& options) {
  check<ConfigError>(options.tokenize == "ptb" || options.tokenize == "none", "caption: unknown tokenize = '",
                     options.tokenize, "'; one of ptb, none");
  std::u32string text = decode_utf8(line);
  Words out;
  if (options.tokenize == "none") {
    for (const std::u32string_view w : split(text)) out.emplace_back(w);
    return out;
  }
  text = lower(text);
  std::ranges::replace_if(text, is_left_out, U' ');
  for (const std::u32string_view piece : split(text)) add_piece(piece, out);
  return out;
}

}  // namespace lookback::metrics
