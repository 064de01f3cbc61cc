#include "lookback/tasks/text_steps.h"

#include <algorithm>
#include <cstdio>

#include "lookback/base/format_number.h"
#include "lookback/data/vocab.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

constexpr size_t kUnits = 4;  // of a vector that are printed

std::string number(double x) {
  const std::string out = fixed(x, 4);
  return std::string(8 - std::min<size_t>(8, out.size()), ' ') + out;
}

// Filled up with blanks to so many columns of a terminal.
std::string padded(const std::string& s, int64_t columns) {
  return s + std::string(static_cast<size_t>(std::max<int64_t>(0, columns - viz::display_width(s))), ' ');
}

std::string vector_line(const std::string& name, const std::string& formula, const std::vector<float>& values) {
  std::string out = "  " + padded(name, 15) + padded(formula, 34);
  for (size_t k = 0; k < std::min(kUnits, values.size()); ++k) out += number(values[k]);
  return out + (values.size() > kUnits ? " ...\n" : "\n");
}

std::string attention_table(const StepTrace& trace, const std::vector<std::string>& source) {
  int64_t columns = 6;
  for (const std::string& s : source) columns = std::max(columns, viz::display_width(s));
  std::string out = "  " + padded("source", columns) + "     score    weight\n";
  for (size_t t = 0; t < source.size(); ++t)
    out += "  " + padded(source[t], columns) + "  " +
           (trace.energies.empty() ? "        " : number(trace.energies[t])) + "  " + number(trace.weights[t]) + "\n";
  return out;
}

}  // namespace

std::string steps_of(const Seq2Seq& model, const Tokenizers& tokenizers, const Seq2SeqBatch& pair,
                     const StringList& own_words) {
  const std::vector<int32_t>& source = pair.source[0];
  std::vector<std::string> words;  // what each row of the memory stands for
  for (size_t t = 0; t < source.size(); ++t) {
    if (t % static_cast<size_t>(model.shortening()) == 0) words.emplace_back();
    words.back() += (words.back().empty() ? "" : " ") + viz::one_line(tokenizers.source->piece(source[t]));
  }
  const auto piece = [&](int32_t id) {
    const int64_t own = id - tokenizers.target->size();
    if (own >= 0) return viz::one_line(own_words.at(static_cast<size_t>(own)));
    return id == data::kBos ? "<s>" : id == data::kEos ? "</s>" : viz::one_line(tokenizers.target->piece(id));
  };
  std::string out;
  size_t number_of_step = 0;
  for (const Seq2Seq::TracedStep& step : model.trace(pair)) {
    out += str_cat(out.empty() ? "" : "\n", "step ", ++number_of_step, ": reads ", piece(step.read), ", writes ",
                   piece(step.written), "\n");
    for (const StepTrace::Line& line : step.trace.cells) out += vector_line(line.name, line.formula, line.values);
    if (!step.trace.weights.empty()) {
      out += attention_table(step.trace, words);
      out += vector_line(step.trace.context.name, step.trace.context.formula, step.trace.context.values);
    }
    out += vector_line(step.trace.readout.name, step.trace.readout.formula, step.trace.readout.values);
    if (!own_words.empty() || step.copying > 0)
      out += vector_line("copying", "1 - sigmoid(W readout + b)", {static_cast<float>(step.copying)});
    out += "  next token    ";
    for (const auto& [token, probability] : step.likeliest) out += " " + piece(token) + number(probability);
    out += "\n";
  }
  return out;
}

}  // namespace lookback::tasks
