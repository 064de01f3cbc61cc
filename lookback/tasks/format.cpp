#include <charconv>
#include <cmath>

#include "lookback/io/json.h"
#include "lookback/tasks/task.h"

namespace lookback::tasks {
namespace {

// The shortest decimal that reads back as the same number; JSON has none for infinity and NaN.
template <class R>
std::string number(R x) {
  if (!std::isfinite(x)) return "null";
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, x).ptr};
}

template <class Range, class F>
std::string list(const Range& range, F&& item) {
  std::string out = "[";
  for (const auto& x : range) out += (out.size() > 1 ? ", " : "") + item(x);
  return out + "]";
}

std::string json_output(const Output& o) {
  std::string out = "{\"text\": " + io::json_quote(o.text);
  out += ", \"tokens\": " + list(o.tokens, [](const std::string& t) { return io::json_quote(t); });
  out += ", \"score\": " + number(o.score) + ", \"log_prob\": " + number(o.log_prob);
  out += ", \"token_log_probs\": " + list(o.token_log_probs, [](double x) { return number(x); });
  out += ", \"alignment\": [";
  for (int64_t u = 0; !o.alignment.empty() && u < o.alignment.dim(0); ++u)
    out += (u ? ", " : "") + list(o.alignment.rows(u, u + 1).span<float>(), [](float x) { return number(x); });
  return out + "]}";
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
  if (format == "jsonl") {
    std::string out = "{\"line\": " + std::to_string(p.line);
    out += ", \"source\": " + list(p.source, [](const std::string& t) { return io::json_quote(t); });
    return out + ", \"outputs\": " + list(p.outputs, json_output) + "}\n";
  }
  check<ConfigError>(format == "nbest", "unknown format '", format, "'; choose text, jsonl or nbest");
  std::string out;
  for (const Output& o : p.outputs)
    out += std::to_string(p.line - 1) + " ||| " + one_line(o.text) + " ||| LogProb= " + number(o.log_prob) + " ||| " +
           number(o.score) + "\n";
  return out;
}

viz::HeatMap attention_map(const Prediction& p, size_t output) {
  const Output& o = p.outputs.at(output);
  viz::HeatMap map{.columns = {"source", p.source},
                   .rows = {"target", o.tokens},
                   .weights = o.alignment,
                   .row_scores = o.token_log_probs};
  // The step that ended the output has a row of its own.
  if (!o.alignment.empty() && o.alignment.dim(0) == static_cast<int64_t>(o.tokens.size()) + 1)
    map.rows.tokens.push_back("</s>");
  return map;
}

}  // namespace lookback::tasks
