// What a sceptic would try first.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "lookback/data/unicode.h"
#include "lookback/models/bag_of_words.h"
#include "lookback/tasks/input.h"
#include "lookback/tasks/label.h"

namespace lookback::tasks {
namespace {

using data::SequenceUnit;

constexpr int64_t kTagsForRegression = 30'000;  // more take minutes

using Members = std::vector<std::string>;
using Tagger = std::function<StringList(const Members&)>;

// How a word is written: "Xxx" for Anna, "dd.d" for 12.5; of equal neighbours at most two.
std::string shape_of(std::string_view word) {
  std::string out;
  for (const std::string_view c : data::codepoints(word)) {
    const char32_t point = data::codepoint(c);
    const data::LetterCase letter = data::letter_case(point);
    const std::string kind = letter == data::LetterCase::upper   ? "X"
                             : letter == data::LetterCase::lower ? "x"
                             : data::is_digit(point)             ? "d"
                                                                 : std::string(c);
    if (!out.ends_with(kind + kind)) out += kind;
  }
  return out;
}

std::string last_letters(std::string_view word, size_t count) {
  const auto all = data::codepoints(word);
  std::string out;
  for (size_t k = all.size() - std::min(count, all.size()); k < all.size(); ++k) out += all[k];
  return out;
}

// Of a token its word, shape and last letters, and those of its neighbours; of a text its words and the ones before.
Words features_of(const Members& members, size_t k, SequenceUnit unit) {
  Words out;
  if (unit == SequenceUnit::text) {
    for (int64_t at = static_cast<int64_t>(k); at >= 0 && at + 2 > static_cast<int64_t>(k); --at)
      for (const std::string_view word : data::members_of(members[static_cast<size_t>(at)], SequenceUnit::token))
        out.push_back(std::to_string(static_cast<int64_t>(k) - at) + data::lowercased(word));
    return out;
  }
  for (int64_t offset = -2; offset <= 2; ++offset) {
    const int64_t at = static_cast<int64_t>(k) + offset;
    const bool inside = at >= 0 && at < std::ssize(members);
    const std::string word = inside ? members[static_cast<size_t>(at)] : at < 0 ? "<s>" : "</s>";
    const std::string place = std::to_string(offset);
    out.push_back(place + "w" + word);
    if (offset < -1 || offset > 1) continue;
    out.push_back(place + "s" + shape_of(word));
    if (offset != 0) continue;
    out.push_back("l" + data::lowercased(word));
    out.push_back("3" + last_letters(word, 3));
    out.push_back("2" + last_letters(word, 2));
  }
  return out;
}

struct TaggedMembers {
  Members members;
  std::vector<int32_t> tags;
};

// Each word its own tag, most often; others the most frequent of all. Of equals the first in byte order.
Tagger most_frequent(const std::vector<TaggedMembers>& data, const data::TagSet& tags) {
  std::unordered_map<std::string, std::map<int32_t, int64_t>> counts;
  std::map<int32_t, int64_t> all;
  for (const TaggedMembers& one : data)
    for (size_t k = 0; k < one.tags.size(); ++k) ++counts[one.members[k]][one.tags[k]], ++all[one.tags[k]];
  const auto best = [&](const auto& found) {
    return tags.tag(std::ranges::max_element(found, {}, [](const auto& entry) { return entry.second; })->first);
  };
  std::unordered_map<std::string, std::string> of_word;
  for (const auto& [word, found] : counts) of_word[word] = best(found);
  return [of_word, other = best(all)](const Members& members) {
    StringList out;
    for (const std::string& member : members) {
      const auto at = of_word.find(member);
      out.push_back(at == of_word.end() ? other : at->second);
    }
    return out;
  };
}

Tagger regression(const std::vector<TaggedMembers>& data, std::shared_ptr<const data::TagSet> tags, SequenceUnit unit,
                  const LogSink& log) {
  LabelledTexts examples{.texts = {}, .labels = {}, .classes = tags->count()};
  int64_t passed_over = 0;
  for (const TaggedMembers& one : data)
    for (size_t k = 0; k < one.tags.size(); ++k) {
      if (std::ssize(examples.texts) == kTagsForRegression) {
        ++passed_over;
        continue;
      }
      examples.texts.push_back(features_of(one.members, k, unit));
      examples.labels.push_back(one.tags[k]);
    }
  if (passed_over > 0)
    log(Severity::info, str_cat("logistic regression: of the first ", kTagsForRegression, " tags; ", passed_over,
                                " more are not read"));
  const auto model =
      std::make_shared<const BagOfWords>(train_logistic_regression(examples, {.bigrams = false, .binary = true}));
  return [model, tags, unit](const Members& members) {
    StringList out;
    for (size_t k = 0; k < members.size(); ++k) {
      const auto p = model->predict(features_of(members, k, unit));
      out.push_back(tags->tag(static_cast<int32_t>(std::ranges::max_element(p) - p.begin())));
    }
    return out;
  };
}

Members members_in(const std::string& cell, SequenceUnit unit) {
  const auto found = data::members_of(cell, unit);
  return {found.begin(), found.end()};
}

}  // namespace

std::vector<BaselineScores> Label::baselines(const Recipe& recipe, const data::RowSource& train,
                                             const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                             const LogSink& log) {
  const StringList names = columns_of(recipe);
  const SequenceUnit unit = recipe.model.of_texts() ? SequenceUnit::text : SequenceUnit::token;
  const auto tags = std::make_shared<data::TagSet>(
      data::TagSet::learn(data::column_lines(train, names, {1}, recipe.data.table), "data.train"));
  data::RowReader reader(train, names, recipe.data.table);
  std::vector<TaggedMembers> data;
  for (data::RowReader::Row row; reader.next(row);) {
    if (!row.problem.empty()) continue;
    TaggedMembers one{members_in(row.cells[0], unit), {}};
    for (const std::string_view tag : data::tags_of(row.cells[1])) one.tags.push_back(tags->id(data::tag_line({tag})));
    if (!one.tags.empty() && one.tags.size() == one.members.size()) data.push_back(std::move(one));
  }
  check<FormatError>(!data.empty(), "data.train: no example is left");
  std::vector<Baseline> all;
  for (const auto& [name, tagger] : {std::pair<const char*, Tagger>("most frequent", most_frequent(data, *tags)),
                                     {"logistic regression", regression(data, tags, unit, log)}})
    all.push_back({name, [tagger = tagger, unit, field = names[0]](const Input& input) {
                     return joined(tagger(members_in(required_text(input, field), unit)), " ");
                   }});
  return scored_baselines(
      all, sets, names, recipe.data.table, [&](const metrics::Lines& hypotheses, metrics::Lines references) {
        for (std::string& reference : references) reference = tags_as_line(reference);
        return scores(tag_metrics(tags->tags(), recipe.data.table.layout == "restore"), hypotheses, references, 0);
      });
}

}  // namespace lookback::tasks
