#include "lookback/tasks/subtitles.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

constexpr double kLongest = 1e9;  // seconds; their milliseconds are exact

// What may not be broken: a word, or what fits a line of it.
struct Piece {
  std::string text;
  double begin, end;
  int64_t columns;
  bool joined;  // to the one before, without a space
};

bool ends_sentence(std::string_view text) {
  constexpr std::string_view kClosing[] = {"\"", "'", ")", "]", "}", "”", "’", "»", "›", "」", "』", "）", "】"};
  constexpr std::string_view kEnds[] = {".", "!", "?", "…", "。", "！", "？", "．", "؟", "۔", "।", "॥", "։", "።"};
  const auto ends_with = [&](std::string_view mark) { return text.ends_with(mark); };
  for (const auto* mark = std::ranges::find_if(kClosing, ends_with); mark != std::end(kClosing);
       mark = std::ranges::find_if(kClosing, ends_with))
    text.remove_suffix(mark->size());
  return std::ranges::any_of(kEnds, ends_with);
}

void check_times(std::span<const TimedWord> words) {
  for (size_t k = 0; k < words.size(); ++k) {
    const TimedWord& w = words[k];
    const auto name = [&] { return str_cat("subtitles: word ", k + 1, " '", viz::one_line(w.text), "'"); };
    for (const double time : {w.begin, w.end})
      check<NumericError>(std::isfinite(time) && time >= 0 && time <= kLongest, name(), " has a time of ", time,
                          " s; times are 0 to 1e9 seconds");
    check<FormatError>(w.begin <= w.end, name(), " begins at ", w.begin, " s and ends before that, at ", w.end, " s");
    check<FormatError>(k == 0 || words[k - 1].begin <= w.begin, name(), " begins at ", w.begin,
                       " s, before the word before it; give words in the order in which they begin");
  }
}

// The text without white space and control characters, in runs.
std::vector<std::string> runs_of(const std::string& text) {
  std::vector<std::string> out;
  bool apart = true;
  for (const char c : with_replacements(text)) {
    const bool blank = (c >= 0 && c <= ' ') || c == 0x7F;
    if (!blank && apart) out.emplace_back();
    if (!blank) out.back() += c;
    apart = blank;
  }
  return out;
}

// Parts of one run of characters that fit a line.
std::vector<std::string> fitting(const std::string& run) {
  std::vector<std::string> out;
  int64_t columns = kSubtitleColumns + 1;
  for (const std::string& g : viz::graphemes(run)) {
    const int64_t more = viz::display_width(g);
    if (columns + more > kSubtitleColumns) out.emplace_back(), columns = 0;
    out.back() += g, columns += more;
  }
  return out;
}

std::vector<Piece> pieces_of(std::span<const TimedWord> words) {
  std::vector<Piece> out;
  for (const TimedWord& w : words) {
    const size_t first = out.size();
    int64_t all = 0, before = 0;
    for (const std::string& run : runs_of(w.text)) {
      bool joined = false;
      for (const std::string& part : fitting(run)) {
        out.push_back({part, w.begin, w.end, viz::display_width(part), joined});
        all += out.back().columns, joined = true;
      }
    }
    for (size_t k = first; k < out.size() && all > 0; ++k) {
      const auto time = [&](int64_t columns) {
        return w.begin + (w.end - w.begin) * static_cast<double>(columns) / static_cast<double>(all);
      };
      out[k].begin = time(before), out[k].end = time(before += out[k].columns);
    }
  }
  return out;
}

int64_t columns_of(std::span<const Piece> line) {
  int64_t columns = 0;
  for (size_t k = 0; k < line.size(); ++k) columns += line[k].columns + (k > 0 && !line[k].joined);
  return columns;
}

// How many of the pieces stand on the first line; all of them where one is enough, nothing where two are not.
std::optional<size_t> first_line(std::span<const Piece> cue) {
  if (cue.size() == 1 || columns_of(cue) <= kSubtitleColumns) return cue.size();
  std::optional<size_t> best;
  int64_t widest = kSubtitleColumns + 1;
  for (size_t k = 1; k < cue.size(); ++k)
    if (const int64_t wider = std::max(columns_of(cue.first(k)), columns_of(cue.subspan(k))); wider < widest)
      widest = wider, best = k;
  return best;
}

std::string text_of(std::span<const Piece> line) {
  std::string out;
  for (size_t k = 0; k < line.size(); ++k) out += (k > 0 && !line[k].joined ? " " : "") + line[k].text;
  return out;
}

int64_t milliseconds(double seconds) { return std::llround(seconds * 1000); }

std::string stamp(int64_t ms, char point) {
  const auto padded = [](int64_t n, size_t digits) {
    const std::string text = std::to_string(n);
    return std::string(digits - std::min(digits, text.size()), '0') + text;
  };
  return padded(ms / 3'600'000, 2) + ":" + padded(ms / 60'000 % 60, 2) + ":" + padded(ms / 1000 % 60, 2) + point +
         padded(ms % 1000, 3);
}

std::string times(const SubtitleCue& cue, char point) {
  return stamp(cue.begin, point) + " --> " + stamp(cue.end, point) + "\n";
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

}  // namespace

std::vector<SubtitleCue> subtitle_cues(std::span<const TimedWord> words) {
  check_times(words);
  const std::vector<Piece> pieces = pieces_of(words);
  std::vector<SubtitleCue> out;
  for (size_t begin = 0, end; begin < pieces.size(); begin = end) {
    for (end = begin + 1; end < pieces.size(); ++end) {
      const Piece &last = pieces[end - 1], &next = pieces[end];
      if (!next.joined && (next.begin - last.end >= kSubtitlePause || ends_sentence(last.text))) break;
      if (next.end - pieces[begin].begin > kSubtitleSeconds) break;
      if (!first_line(std::span(pieces).subspan(begin, end + 1 - begin))) break;
    }
    const std::span<const Piece> cue = std::span(pieces).subspan(begin, end - begin);
    double until = 0;  // words may overlap
    for (const Piece& p : cue) until = std::max(until, p.end);
    until = std::min(until, cue[0].begin + kSubtitleSeconds);
    if (end < pieces.size()) until = std::min(until, pieces[end].begin);
    SubtitleCue& made = out.emplace_back();
    made.begin = milliseconds(cue[0].begin);
    made.end = std::max(milliseconds(until), made.begin + 1);
    const size_t first = first_line(cue).value();
    made.lines.push_back(text_of(cue.first(first)));
    if (first < cue.size()) made.lines.push_back(text_of(cue.subspan(first)));
  }
  return out;
}

std::string to_srt(std::span<const TimedWord> words) {
  std::string out;
  int64_t number = 0;
  for (const SubtitleCue& cue : subtitle_cues(words)) {
    out += (number ? "\n" : "") + std::to_string(number + 1) + "\n" + times(cue, ',');
    for (const std::string& line : cue.lines) out += line + "\n";
    ++number;
  }
  return out;
}

std::string to_vtt(std::span<const TimedWord> words) {
  std::string out = "WEBVTT\n";
  for (const SubtitleCue& cue : subtitle_cues(words)) {
    out += "\n" + times(cue, '.');
    for (const std::string& line : cue.lines) out += escaped(line) + "\n";
  }
  return out;
}

}  // namespace lookback::tasks
