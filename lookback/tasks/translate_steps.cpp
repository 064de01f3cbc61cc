#include "lookback/tasks/translate_steps.h"

#include <algorithm>
#include <cstdio>

#include "lookback/data/vocab.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

constexpr size_t kUnits = 4;  // of a vector that are printed

std::string number(double x) {
  char out[32];
  std::snprintf(out, sizeof out, "%8.4f", x);
  return out;
}

std::string padded(std::string s, size_t width) {
  s.resize(std::max(width, s.size()), ' ');
  return s;
}

std::string vector_line(const std::string& name, const std::string& formula, const std::vector<float>& values) {
  std::string out = "  " + padded(name, 15) + padded(formula, 34);
  for (size_t k = 0; k < std::min(kUnits, values.size()); ++k) out += number(values[k]);
  return out + (values.size() > kUnits ? " ...\n" : "\n");
}

// Widths are counted in characters, not bytes.
size_t width_of(const std::string& s) {
  return static_cast<size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string attention_table(const StepTrace& trace, const std::vector<std::string>& source) {
  size_t wide = 6;
  for (const std::string& s : source) wide = std::max(wide, width_of(s));
  std::string out = "  source" + std::string(wide - 6, ' ') + "     score    weight\n";
  for (size_t t = 0; t < source.size(); ++t)
    out += "  " + source[t] + std::string(wide - width_of(source[t]), ' ') + "  " +
           (trace.energies.empty() ? "        " : number(trace.energies[t])) + "  " + number(trace.weights[t]) + "\n";
  return out;
}

}  // namespace

std::string steps_of(const Seq2Seq& model, const Tokenizers& tokenizers, const std::vector<int32_t>& source,
                     const std::vector<int32_t>& target) {
  std::vector<std::string> words;
  for (const int32_t id : source) words.push_back(viz::replace_invalid_utf8(tokenizers.source->piece(id)));
  const auto piece = [&](int32_t id) {
    return id == data::kBos   ? "<s>"
           : id == data::kEos ? "</s>"
                              : viz::replace_invalid_utf8(tokenizers.target->piece(id));
  };
  std::string out;
  size_t number_of_step = 0;
  for (const Seq2Seq::TracedStep& step : model.trace(source, target)) {
    out += str_cat(out.empty() ? "" : "\n", "step ", ++number_of_step, ": reads ", piece(step.read), ", writes ",
                   piece(step.written), "\n");
    for (const StepTrace::Line& line : step.trace.cells) out += vector_line(line.name, line.formula, line.values);
    if (!step.trace.weights.empty()) {
      out += attention_table(step.trace, words);
      out += vector_line(step.trace.context.name, step.trace.context.formula, step.trace.context.values);
    }
    out += vector_line(step.trace.readout.name, step.trace.readout.formula, step.trace.readout.values);
    out += "  next token    ";
    for (const auto& [token, probability] : step.likeliest) out += " " + piece(token) + number(probability);
    out += "\n";
  }
  return out;
}

}  // namespace lookback::tasks
