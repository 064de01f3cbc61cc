// Subtitles of words with times: SubRip (.srt) and WebVTT (W3C 2019) files.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lookback::tasks {

// A word as it was said, in seconds from the beginning of the recording.
struct TimedWord {
  std::string text;  // UTF-8; white space inside it is where it may be broken
  double begin = 0, end = 0;
};

// What stands on the screen at one time.
struct SubtitleCue {
  int64_t begin = 0, end = 0;      // in milliseconds, the end later than the beginning
  std::vector<std::string> lines;  // one or two, none empty
};

constexpr int64_t kSubtitleColumns = 42;  // of one line, wide characters counted twice
constexpr int64_t kSubtitleLines = 2;
constexpr double kSubtitleSeconds = 7;  // of one cue
constexpr double kSubtitlePause = 0.6;  // in seconds: what begins so long after the word before is another cue

// The words in cues, in order. A cue ends at a pause, after a word that ends a sentence (. ! ? … and their like in
// other scripts, behind them quotes and brackets that close), and where one word more would not fit its two lines or
// its seven seconds. Two lines are as even as the words let them be. A word too wide for a line is broken between
// characters, its time in proportion. A cue ends when the next begins at the latest, and shows for a millisecond at
// least. Words without text are left out; bytes that are not UTF-8 become U+FFFD.
// Throws NumericError, naming the word, for a time that is not finite, is negative or over 1e9 s, FormatError for a
// word that ends before it begins or begins before the one before it.
std::vector<SubtitleCue> subtitle_cues(std::span<const TimedWord> words);

// "1\n00:00:01,500 --> 00:00:03,250\nline\nline\n\n2\n..."; hours have two digits or more. Nothing is escaped: SubRip
// has no way to, and players that know tags read "<i>" as one.
std::string to_srt(std::span<const TimedWord> words);

// "WEBVTT\n\n00:00:01.500 --> 00:00:03.250\nline\n\n..."; & < > are written as &amp; &lt; &gt;, so that no text is
// a tag or an arrow.
std::string to_vtt(std::span<const TimedWord> words);

}  // namespace lookback::tasks
