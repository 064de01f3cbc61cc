#include "lookback/metrics/porter_stemmer.h"

#include <cstdint>
#include <span>
#include <utility>

namespace lookback::metrics {
namespace {

using std::string_view;
using Replacement = std::pair<string_view, string_view>;  // a suffix or word, and what stands in its place

constexpr Replacement kIrregular[] = {
    {"skies", "sky"},        {"dying", "die"},       {"lying", "lie"},       {"tying", "tie"},
    {"innings", "inning"},   {"inning", "inning"},   {"outings", "outing"},  {"outing", "outing"},
    {"cannings", "canning"}, {"canning", "canning"}, {"news", "news"},       {"howe", "howe"},
    {"proceed", "proceed"},  {"exceed", "exceed"},   {"succeed", "succeed"}, {"sky", "sky"},
};
constexpr Replacement kStep1a[] = {{"sses", "ss"}, {"ies", "i"}, {"ss", "ss"}, {"s", ""}};
// A suffix stands before those that it ends with.
constexpr Replacement kStep2[] = {
    {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"},
    {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"}, {"eli", "e"},     {"ousli", "ous"},
    {"ization", "ize"}, {"ation", "ate"},   {"ator", "ate"},  {"alism", "al"},  {"iveness", "ive"},
    {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},  {"iviti", "ive"}, {"biliti", "ble"},
    {"fulli", "ful"},
};
constexpr Replacement kStep3[] = {{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"},
                                  {"ical", "ic"},  {"ful", ""},   {"ness", ""}};
constexpr Replacement kStep4[] = {{"al", ""},   {"ance", ""}, {"ence", ""},  {"er", ""},   {"ic", ""},  {"able", ""},
                                  {"ible", ""}, {"ant", ""},  {"ement", ""}, {"ment", ""}, {"ent", ""}, {"ou", ""},
                                  {"ism", ""},  {"ate", ""},  {"iti", ""},   {"ous", ""},  {"ive", ""}, {"ize", ""}};

bool is_vowel_letter(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'; }

// y is a consonant at the start and behind a vowel, so that those of a run of y alternate.
bool is_consonant(string_view word, size_t at) {
  bool flip = false;
  for (; at > 0 && word[at] == 'y'; --at) flip = !flip;
  return flip == is_vowel_letter(word[at]);
}

bool has_vowel(string_view stem) { return stem.find_first_of("aeiou") != stem.npos || stem.find('y', 1) != stem.npos; }

// Porter's m: how often a run of vowels is followed by consonants.
int64_t measure(string_view stem) {
  int64_t m = 0;
  bool before = false;  // a vowel stands before
  for (size_t i = 0; i < stem.size(); ++i) {
    const bool vowel = is_vowel_letter(stem[i]) || (stem[i] == 'y' && i > 0 && !before);
    m += before && !vowel;
    before = vowel;
  }
  return m;
}

// Porter's *d.
bool ends_in_double_consonant(string_view stem) {
  const size_t n = stem.size();
  return n >= 2 && stem[n - 1] == stem[n - 2] && is_consonant(stem, n - 1);
}

// Porter's *o, consonant, vowel, consonant but w, x and y; or NLTK's vowel, consonant.
bool ends_in_short_syllable(string_view stem) {
  const size_t n = stem.size();
  if (n < 2 || !is_consonant(stem, n - 1) || is_consonant(stem, n - 2)) return false;
  if (n == 2) return true;
  const char last = stem.back();
  return is_consonant(stem, n - 3) && last != 'w' && last != 'x' && last != 'y';
}

// What remains of word in front of its last n letters.
string_view without(string_view word, size_t n) { return word.substr(0, word.size() - n); }

void put(std::string& word, const Replacement& rule) {
  word.replace(word.size() - rule.first.size(), std::string::npos, rule.second);
}

// The first rule whose suffix the word has is the one that counts: it applies if the stem's measure exceeds `above`.
void apply(std::span<const Replacement> rules, int64_t above, std::string& word) {
  for (const Replacement& rule : rules) {
    if (!word.ends_with(rule.first)) continue;
    if (measure(without(word, rule.first.size())) > above) put(word, rule);
    return;
  }
}

// Plurals.
void step1a(std::string& word) {
  if (word.size() == 4 && word.ends_with("ies")) return put(word, {"ies", "ie"});
  apply(kStep1a, -1, word);
}

// Of a stem that lost ed or ing.
void mend(std::string& stem) {
  for (const string_view suffix : {"at", "bl", "iz"})
    if (stem.ends_with(suffix)) return stem.push_back('e');
  const char last = stem.back();
  if (ends_in_double_consonant(stem)) {
    if (last != 'l' && last != 's' && last != 'z') stem.pop_back();
  } else if (measure(stem) == 1 && ends_in_short_syllable(stem)) {
    stem.push_back('e');
  }
}

// Past tenses and participles.
void step1b(std::string& word) {
  if (word.ends_with("ied")) return put(word, {"ied", word.size() == 4 ? "ie" : "i"});
  if (word.ends_with("eed")) {
    if (measure(without(word, 3)) > 0) word.pop_back();
    return;
  }
  for (const string_view suffix : {"ed", "ing"}) {
    if (!word.ends_with(suffix) || !has_vowel(without(word, suffix.size()))) continue;
    word.resize(word.size() - suffix.size());
    return mend(word);
  }
}

void step1c(std::string& word) {
  if (word.size() > 2 && word.back() == 'y' && is_consonant(word, word.size() - 2)) word.back() = 'i';
}

void step2(std::string& word) {
  if (word.ends_with("alli") && measure(without(word, 4)) > 0) word.resize(word.size() - 2);
  // The l counts for the stem, so that that of geologi, too, is long enough.
  if (word.ends_with("logi") && measure(without(word, 3)) > 0) return word.pop_back();
  apply(kStep2, 0, word);
}

void step4(std::string& word) {
  if (!word.ends_with("ion")) return apply(kStep4, 1, word);
  const string_view stem = without(word, 3);
  if (measure(stem) > 1 && (stem.back() == 's' || stem.back() == 't')) word.resize(stem.size());
}

void step5(std::string& word) {
  if (word.ends_with('e')) {
    const string_view stem = without(word, 1);
    const int64_t m = measure(stem);
    if (m > 1 || (m == 1 && !ends_in_short_syllable(stem))) word.pop_back();
  }
  if (word.ends_with("ll") && measure(without(word, 1)) > 1) word.pop_back();
}

}  // namespace

std::string porter_stem(std::string_view word) {
  for (const Replacement& irregular : kIrregular)
    if (word == irregular.first) return std::string(irregular.second);
  std::string out(word);
  if (out.size() <= 2) return out;
  step1a(out);
  step1b(out);
  step1c(out);
  step2(out);
  apply(kStep3, 0, out);
  step4(out);
  step5(out);
  return out;
}

}  // namespace lookback::metrics
