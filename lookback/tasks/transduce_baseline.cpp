// What a sceptic would try first.
#include <functional>
#include <map>
#include <unordered_map>

#include "lookback/base/parallel.h"
#include "lookback/base/utf8.h"
#include "lookback/data/unicode.h"
#include "lookback/data/word_rules.h"
#include "lookback/models/nearest_pair.h"
#include "lookback/tasks/transduce.h"

namespace lookback::tasks {
namespace {

// Symbols by number.
class Alphabet {
 public:
  explicit Alphabet(std::string kind) : words_(kind == "word") {}

  // New symbols get a number.
  Symbols learn(std::string_view text) {
    Symbols out;
    for (const std::string_view symbol : cut(text)) {
      const auto [at, is_new] = numbers_.emplace(symbol, static_cast<int32_t>(names_.size()));
      if (is_new) names_.emplace_back(symbol);
      out.push_back(at->second);
    }
    return out;
  }
  std::string text(const Symbols& symbols) const {
    std::string out;
    for (const int32_t s : symbols) out += (words_ && !out.empty() ? " " : "") + names_[static_cast<size_t>(s)];
    return out;
  }

 private:
  std::vector<std::string_view> cut(std::string_view text) const {
    if (!words_) return data::codepoints(text);
    const auto words = data::split_spaces(text);
    return {words.begin(), words.end()};
  }

  bool words_;
  StringList names_;
  std::unordered_map<std::string, int32_t> numbers_;
};

// A source as its tokenizer would see it.
std::string prepared(const std::string& text, const Transduce::SourceGroup& options) {
  std::string out = with_replacements(text);
  if (options.normalization != "identity")
    out = options.normalization == "nfkc" ? data::nfkc(out) : data::nmt_nfkc(out);
  return options.lowercase ? data::lowercased(out) : out;
}

// All training pairs, and those of each kind of features.
class Pairs {
 public:
  // Symbols of both sides are numbered together where they are of one kind.
  Pairs(const Transduce::Recipe& recipe, const Examples& train)
      : recipe_(recipe), source_(recipe.tokenizer.source.kind), target_(recipe.tokenizer.target.kind) {
    const data::Removal removal(recipe.data.target_remove, "data.target_remove");
    std::map<std::string, std::vector<size_t>> rows;
    for (size_t k = 0; k < train.inputs.size(); ++k) {
      sources_.push_back(source_.learn(prepared(*train.inputs[k].find("source"), recipe.tokenizer.source)));
      targets_.push_back(target_symbols().learn(removal(train.references[k])));
      if (recipe.data.features) rows[*train.inputs[k].find("features")].push_back(k);
      rows[kAll].push_back(k);
    }
    for (auto& [features, numbers] : rows) {
      std::vector<Symbols> own;
      for (const size_t k : numbers) own.push_back(sources_[k]);
      groups_.emplace(features, Group{NearestSequence(own), std::move(numbers)});
    }
  }

  bool one_alphabet() const { return recipe_.tokenizer.source.kind == recipe_.tokenizer.target.kind; }
  Symbols symbols(const Input& input) {
    return source_.learn(prepared(*input.find("source"), recipe_.tokenizer.source));
  }

  // Of pairs of the same features; without any, of all.
  std::string nearest(const Input& input, const Symbols& query) const {
    const Group& group = group_of(input);
    const auto at = group.index.nearest(query);
    return at ? target_symbols().text(targets_[group.rows[*at]]) : "";
  }
  std::string nearest_change(const Input& input, const Symbols& query) const {
    const Group& group = group_of(input);
    const auto change = [&](size_t k) {
      return changed_alike(sources_[group.rows[k]], targets_[group.rows[k]], query);
    };
    const auto at = group.index.nearest(query, [&](size_t k) { return change(k).has_value(); });
    return at ? target_symbols().text(*change(*at)) : nearest(input, query);
  }

 private:
  struct Group {
    NearestSequence index;
    std::vector<size_t> rows;
  };
  static constexpr const char* kAll = "\n";  // no features

  Alphabet& target_symbols() { return one_alphabet() ? source_ : target_; }
  const Alphabet& target_symbols() const { return one_alphabet() ? source_ : target_; }
  const Group& group_of(const Input& input) const {
    const std::string* const features = input.find("features");
    const auto found = groups_.find(features ? *features : kAll);
    return found == groups_.end() ? groups_.at(kAll) : found->second;
  }

  const Transduce::Recipe& recipe_;
  Alphabet source_, target_;
  std::vector<Symbols> sources_, targets_;
  std::map<std::string, Group> groups_;
};

// The rows of the training data that are examples.
Examples training_examples(const Transduce::Recipe& recipe, const data::RowSource& rows) {
  const StringList columns = Transduce::columns_of(recipe);
  data::RowReader reader(rows, columns, recipe.data.table);
  Examples out;
  for (data::RowReader::Row row; reader.next(row);) {
    if (!row.problem.empty()) continue;
    Input& input = out.inputs.emplace_back();
    for (size_t c = 0; c + 1 < columns.size(); ++c) input.fields[columns[c]] = std::move(row.cells[c]);
    out.references.push_back(std::move(row.cells.back()));
  }
  check<FormatError>(!out.inputs.empty(), "data.train: no example is left after filtering");
  return out;
}

}  // namespace

std::vector<BaselineScores> Transduce::baselines(const Recipe& recipe, const data::RowSource& train,
                                                 const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                                 const LogSink& log) {
  const DataGroup& data = recipe.data;
  const Examples examples = training_examples(recipe, train);
  log(Severity::info, str_cat("training data: ", examples.inputs.size(), " pairs"));
  Pairs pairs(recipe, examples);
  using Answer = std::function<std::string(const Input&, const Symbols&)>;
  std::vector<std::pair<std::string, Answer>> methods;
  if (pairs.one_alphabet())
    methods.emplace_back("copy", [](const Input& input, const Symbols&) { return *input.find("source"); });
  methods.emplace_back("nearest pair", [&](const Input& i, const Symbols& s) { return pairs.nearest(i, s); });
  if (pairs.one_alphabet())
    methods.emplace_back("nearest pair's change",
                         [&](const Input& i, const Symbols& s) { return pairs.nearest_change(i, s); });
  std::vector<BaselineScores> out;
  for (const auto& [set, rows] : sets) {
    const Sources sources =
        sources_of(read_examples(rows, columns_of(recipe), data.table), {data.target_remove, "data.target_remove"});
    std::vector<Symbols> queries;
    for (const Input& input : sources.inputs) queries.push_back(pairs.symbols(input));
    for (const auto& [name, answer] : methods) {
      metrics::Lines hypotheses(queries.size());
      parallel_for(std::ssize(queries), 16, [&](int64_t begin, int64_t end) {
        for (auto k = static_cast<size_t>(begin); k < static_cast<size_t>(end); ++k)
          hypotheses[k] = answer(sources.inputs[k], queries[k]);
      });
      out.push_back(
          {name, set,
           scores(metrics(), hypotheses, sources.references, 0, recipe.tokenizer.target.kind, data.target_remove)});
    }
  }
  return out;
}

}  // namespace lookback::tasks
