#include "lookback/io/json.h"
#include "lookback/tasks/task.h"

namespace lookback::tasks {
namespace {

std::string json_output(const Output& o) {
  return io::JsonObject()
      .add("text", o.text)
      .add("score", o.score)
      .add("log_prob", o.log_prob)
      .append(o.details)
      .text();
}

// A result is one line, whatever a model writes: a byte piece may be the end of a line.
std::string one_line(std::string s) {
  for (char& c : s)
    if (c == '\n' || c == '\r') c = ' ';
  return s;
}

}  // namespace

std::string format_prediction(const Prediction& p, std::string_view format) {
  if (format == "text") return one_line(p.outputs.at(0).text) + "\n";
  if (format == "jsonl")
    return io::JsonObject()
               .add("line", p.line)
               .append(p.details)
               .raw("outputs", io::json_list(p.outputs, json_output))
               .text() +
           "\n";
  if (format == "srt" || format == "vtt") {
    const std::vector<TimedWord>& words = p.outputs.at(0).words;
    check<ConfigError>(!words.empty() || p.outputs[0].text.empty(), "format ", format,
                       ": this model does not say when a word was said");
    return format == "srt" ? to_srt(words) : to_vtt(words);
  }
  check<ConfigError>(format == "nbest", "unknown format '", format, "'; choose text, jsonl, nbest, srt or vtt");
  std::string out;
  for (const Output& o : p.outputs)
    out += std::to_string(p.line - 1) + " ||| " + one_line(o.text) + " ||| LogProb= " + io::json_number(o.log_prob) +
           " ||| " + io::json_number(o.score) + "\n";
  return out;
}

}  // namespace lookback::tasks
