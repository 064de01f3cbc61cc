#include "lookback/metrics/tokenize.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/base/fields.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

using Text = std::u32string;
using View = std::u32string_view;

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_stop(char32_t c) { return c == '.' || c == ','; }
bool is_dash(char32_t c) { return c == '-'; }

// [{-~[-` -&(-+:-@/]: ASCII punctuation without ' - . , (these have rules of their own), and the space.
bool is_western_punctuation(char32_t c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
         (c >= ':' && c <= '@') || c == '/';
}

// Every occurrence of `from`, left to right, without overlap.
Text replaced(View text, View from, View to) {
  Text out;
  size_t at = 0;
  for (size_t hit; (hit = text.find(from, at)) != View::npos; at = hit + from.size()) {
    out += text.substr(at, hit - at);
    out += to;
  }
  return out += text.substr(at);
}

// re.sub("(A)", " \1 ")
template <class A>
Text isolate(View text, A&& a) {
  Text out;
  out.reserve(text.size() * 2);
  for (const char32_t c : text) {
    if (a(c))
      out.append({U' ', c, U' '});
    else
      out.push_back(c);
  }
  return out;
}

// re.sub("(A)(B)", "\1 \2 "): a match eats both characters, so the next one starts behind them.
template <class A, class B>
Text isolate_second(View text, A&& a, B&& b) {
  Text out;
  out.reserve(text.size() * 2);
  for (size_t i = 0; i < text.size(); ++i) {
    out.push_back(text[i]);
    if (i + 1 < text.size() && a(text[i]) && b(text[i + 1])) out.append({U' ', text[++i], U' '});
  }
  return out;
}

// re.sub("(A)(B)", " \1 \2")
template <class A, class B>
Text isolate_first(View text, A&& a, B&& b) {
  Text out;
  out.reserve(text.size() * 2);
  for (size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && a(text[i]) && b(text[i + 1])) {
      out.append({U' ', text[i], U' ', text[i + 1]});
      ++i;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

Text unescaped(Text text) {
  if (text.find(U'&') == Text::npos) return text;
  text = replaced(text, U"&quot;", U"\"");
  text = replaced(text, U"&amp;", U"&");
  text = replaced(text, U"&lt;", U"<");
  return replaced(text, U"&gt;", U">");
}

// Full stop and comma apart unless they touch a digit on that side; a dash apart after a digit.
Text separate_stops(Text text) {
  const auto not_digit = [](char32_t c) { return !is_digit(c); };
  text = isolate_second(text, not_digit, is_stop);
  text = isolate_first(text, is_stop, not_digit);
  return isolate_second(text, is_digit, is_dash);
}

Text tokenize_13a(View line) {
  Text text = replaced(line, U"<skipped>", U"");
  text = replaced(text, U"-\n", U"");
  text = unescaped(replaced(text, U"\n", U" "));
  return separate_stops(isolate(U" " + text + U" ", is_western_punctuation));
}

Text tokenize_intl(View line) {
  const auto not_number = [](char32_t c) { return !is_number(c); };
  Text text = isolate_second(line, not_number, is_punctuation);
  text = isolate_first(text, is_punctuation, not_number);
  return isolate(text, is_symbol);
}

Text tokenize_char(View line) {
  return isolate(line, [](char32_t) { return true; });
}

Text tokenize_none(View line) { return Text(line); }

struct TokenizerEntry {
  const char* name;
  Text (*run)(View);
};
constexpr TokenizerEntry kTokenizers[] = {
    {"13a", &tokenize_13a}, {"intl", &tokenize_intl}, {"char", &tokenize_char}, {"none", &tokenize_none}};

std::vector<Text> words_of(View text) {
  const std::vector<View> views = split(text);
  return {views.begin(), views.end()};
}

// CJK ideographs, strokes, radicals, compatibility forms, enclosed letters.
bool is_asian_character(char32_t c) {
  return (c >= 0x2E80 && c <= 0x2EFF) || (c >= 0x31C0 && c <= 0x31EF) || (c >= 0x3200 && c <= 0x4DBF) ||
         (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE4F);
}

bool is_asian_punctuation(char32_t c) {
  return c == 0x3001 || c == 0x3002 || (c >= 0x3008 && c <= 0x3011) || (c >= 0x3014 && c <= 0x301F) ||
         (c >= 0xFF61 && c <= 0xFF65) || c == 0x30FB || View(U"．，？：；！＂（）").find(c) != View::npos;
}

// Tercom also has rules for runs of kana; they are anchored at the start of a text that by then always starts with
// a space, so they never apply.
Text normalize_tercom(View sentence, const TercomSteps& steps) {
  Text text = replaced(sentence, U"\n-", U"");
  text = unescaped(replaced(text, U"\n", U" "));
  text = isolate(U" " + text + U" ", is_western_punctuation);
  text = separate_stops(replaced(text, U"'s ", U" 's "));
  if (steps.asian_support)
    text = isolate(text, [](char32_t c) { return is_asian_character(c) || is_asian_punctuation(c); });
  return text;
}

}  // namespace

const std::vector<std::string>& tokenizer_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const TokenizerEntry& t : kTokenizers) out.emplace_back(t.name);
    return out;
  }();
  return names;
}

std::vector<std::u32string> tokenize(std::u32string_view text, std::string_view tokenizer) {
  for (const TokenizerEntry& t : kTokenizers)
    if (tokenizer == t.name) return words_of(t.run(text));
  throw ConfigError(
      lookback::str_cat("unknown tokenizer '", tokenizer, "'", nearest_match(tokenizer, tokenizer_names())));
}

std::string tokenize_text(std::string_view text, std::string_view tokenizer) {
  std::u32string joined;
  for (const std::u32string& word : tokenize(decode_utf8(text), tokenizer)) {
    if (!joined.empty()) joined += U' ';
    joined += word;
  }
  return encode_utf8(joined);
}

std::vector<std::u32string> tokenize_tercom(std::u32string_view sentence, const TercomSteps& steps) {
  Text text = steps.case_sensitive ? Text(sentence) : lower(sentence);
  if (steps.normalized) text = normalize_tercom(text, steps);
  if (steps.no_punct) {
    std::erase_if(text, [](char32_t c) { return View(U".,?:;!\"()").find(c) != View::npos; });
    if (steps.asian_support) std::erase_if(text, is_asian_punctuation);
  }
  return words_of(text);
}

}  // namespace lookback::metrics
