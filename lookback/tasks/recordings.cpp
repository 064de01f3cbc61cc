#include "lookback/tasks/recordings.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "lookback/base/parse.h"

namespace lookback::tasks {
namespace {

namespace fs = std::filesystem;

// speaker=theo|jackson or index=10-49, taken apart.
struct Condition {
  struct Numbers {
    int64_t from, to;
  };
  std::string part;
  StringList values;
  std::vector<Numbers> ranges;

  Condition(const std::string& text, const std::string& key) {
    const size_t equals = text.find('=');
    check<ConfigError>(equals != std::string::npos && equals > 0 && equals + 1 < text.size(), key, ": '", text,
                       "' is no condition like speaker=theo or index=10-49");
    part = text.substr(0, equals);
    for (size_t begin = equals + 1; begin <= text.size();) {
      const size_t end = std::min(text.find('|', begin), text.size());
      const std::string one = text.substr(begin, end - begin);
      check<ConfigError>(!one.empty(), key, ": '", text, "' has nothing on one side of |");
      values.push_back(one);
      const size_t dash = std::min(one.find('-'), one.size() - 1);
      const auto from = parse_number<int64_t>(one.substr(0, dash)), to = parse_number<int64_t>(one.substr(dash + 1));
      check<ConfigError>(!from || !to || *from <= *to, key, ": '", text, "': there is no number from ", one);
      if (from && to) ranges.push_back({*from, *to});
      begin = end + 1;
    }
  }

  bool holds_of(const std::string& value) const {
    if (std::ranges::count(values, value) > 0) return true;
    const auto x = parse_number<int64_t>(value);
    return x && std::ranges::any_of(ranges, [&](const Numbers& n) { return n.from <= *x && *x <= n.to; });
  }
};

}  // namespace

std::string Recording::field(std::string_view name) const {
  for (const auto& [key, value] : fields)
    if (key == name) return value;
  return "";
}

StringList paths_of(const std::vector<Recording>& recordings) {
  StringList out;
  for (const Recording& r : recordings) out.push_back(r.path);
  return out;
}

NamePattern::NamePattern(const std::string& pattern) {
  check<ConfigError>(pattern.find('/') == std::string::npos, "data.pattern = '", pattern,
                     "' is of names of files, without folders; data.train says in which they are");
  between_.emplace_back();
  for (size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '{') {
      between_.back() += pattern[at];
      continue;
    }
    const size_t end = pattern.find('}', at);
    check<ConfigError>(end != std::string::npos && end > at + 1, "data.pattern = '", pattern,
                       "': { needs a name and }");
    names_.push_back(pattern.substr(at + 1, end - at - 1));
    check<ConfigError>(std::ranges::count(names_, names_.back()) == 1, "data.pattern = '", pattern, "' has {",
                       names_.back(), "} twice");
    between_.emplace_back();
    at = end;
  }
  check<ConfigError>(std::ranges::count(names_, "text") == 1, "data.pattern = '", pattern,
                     "' needs one {text}, what is said");
  for (size_t k = 1; k + 1 < between_.size(); ++k)
    check<ConfigError>(!between_[k].empty(), "data.pattern = '", pattern, "': nothing between {", names_[k - 1],
                       "} and {", names_[k], "}");
}

bool NamePattern::match(const std::string& file_name, Recording& out) const {
  if (!file_name.starts_with(between_.front()) || !file_name.ends_with(between_.back()) ||
      file_name.size() < between_.front().size() + between_.back().size())
    return false;
  std::string rest =
      file_name.substr(between_.front().size(), file_name.size() - between_.front().size() - between_.back().size());
  // Parts before the text are cut from the left and those behind it from the right: the text has what is left.
  std::vector<std::string> values(names_.size());
  const auto text = static_cast<size_t>(std::ranges::find(names_, "text") - names_.begin());
  for (size_t k = 0; k < text; ++k) {
    const size_t at = rest.find(between_[k + 1]);
    if (at == std::string::npos) return false;
    values[k] = rest.substr(0, at), rest = rest.substr(at + between_[k + 1].size());
  }
  for (size_t k = names_.size() - 1; k > text; --k) {
    const size_t at = rest.rfind(between_[k]);
    if (at == std::string::npos) return false;
    values[k] = rest.substr(at + between_[k].size()), rest = rest.substr(0, at);
  }
  std::ranges::replace(rest, '_', ' ');
  values[text] = rest;
  if (std::ranges::any_of(values, [](const std::string& s) { return s.empty(); })) return false;
  out.text = rest;
  for (size_t k = 0; k < names_.size(); ++k)
    if (k != text) out.fields.emplace_back(names_[k], values[k]);
  return true;
}

bool holds(const StringList& conditions, const Recording& recording, const std::string& key) {
  return std::ranges::all_of(conditions, [&](const std::string& text) {
    const Condition condition(text, key);
    if (condition.part == "text") return condition.holds_of(recording.text);
    const auto field = std::ranges::find(recording.fields, condition.part, [](const auto& f) { return f.first; });
    check<ConfigError>(field != recording.fields.end(), key, ": '", text, "': names of recordings have no {",
                       condition.part, "}");
    return condition.holds_of(field->second);
  });
}

void RecordingData::validate() const {
  check<ConfigError>(!train.empty() && !train[0].ends_with('%'),
                     "data.train must name lists of recordings or, with data.pattern, recordings");
  check<ConfigError>(!valid.empty() || !valid_where.empty(),
                     "data.valid must say what validation is for: lists, recordings or a share like \"10 %\"");
  const auto valid_share = share_of(valid, "data.valid"), test_share = share_of(test, "data.test");
  check<ConfigError>(!valid_share || !test_share || *valid_share + *test_share < 1, "data.valid = '",
                     valid_share ? valid[0] : "", "' and data.test = '", test_share ? test[0] : "",
                     "' leave nothing to learn from");
  check<ConfigError>(!test_share || hold_out.empty(), "data.hold_out says what the test part is; data.test = '",
                     test_share ? test[0] : "", "' says it too");
  const std::pair<const char*, StringList> all[] = {
      {"data.train_where", train_where},
      {"data.valid_where", valid_where},
      {"data.test_where", test_where},
      {"data.hold_out", hold_out.empty() ? StringList() : StringList{hold_out}}};
  if (pattern.empty()) {
    for (const auto& [key, conditions] : all)
      check<ConfigError>(conditions.empty(), key, " is about names of recordings and needs data.pattern");
    return;
  }
  const NamePattern of(pattern);
  check<ConfigError>(!with_speakers || std::ranges::count(of.names(), "speaker") > 0,
                     "features.normalise = 'speaker' needs to know who speaks: data.pattern = '", pattern,
                     "' has no {speaker}");
  check<ConfigError>(columns.empty(), "data.columns are of lists, and data.pattern reads names");
  for (const auto& [key, conditions] : all)
    for (const std::string& text : conditions) {
      const Condition condition(text, key);
      check<ConfigError>(std::ranges::count(of.names(), condition.part) > 0, key, ": '", text, "': data.pattern = '",
                         pattern, "' has no {", condition.part, "}", nearest_match(condition.part, of.names()));
    }
}

std::vector<Recording> RecordingData::recordings_of(const StringList& names, const std::string& key,
                                                    const std::string& root, data::TableReport& report) const {
  std::vector<Recording> out;
  const auto leave_out = [&](const std::string& why, const std::string& where) {
    report.leave_out(why, where + ": " + why);
  };
  if (!pattern.empty()) {
    const NamePattern of(pattern);
    const data::TableOptions one_column;
    for (const StringList& part : rows_of(names, key, {"audio"}, one_column, root).parts)
      for (const std::string& file : part) {
        Recording r{.path = file, .text = "", .fields = {}, .where = file};
        ++report.read;
        if (of.match(fs::path(file).filename().string(), r))
          out.push_back(std::move(r));
        else
          leave_out("the name is not like data.pattern", file);
      }
    return out;
  }
  StringList cells{"audio", "text"};
  if (with_speakers) cells.emplace_back("speaker");
  for (const std::string& name : names) {
    data::TableOptions table;
    table.columns = columns;
    table.bad_lines = bad_lines;
    // Those without a name that says so have tabs.
    const bool says_so = std::ranges::any_of(std::array{".tsv", ".csv", ".jsonl"},
                                             [&](const char* ending) { return data::has_ending(name, ending); });
    if (columns.empty() && !says_so) table.columns = with_speakers ? StringList{"1", "2", "3"} : StringList{"1", "2"};
    data::RowReader reader(rows_of({name}, key, cells, table, root), cells, table);
    for (data::RowReader::Row row; reader.next(row);) {
      const std::string where = reader.where(row, 0);
      ++report.read;
      std::string problem = row.problem;
      if (problem.empty() && trimmed(row.cells[0]).empty()) problem = "the path of the recording is empty";
      if (problem.empty() && with_speakers && trimmed(row.cells[2]).empty()) problem = "the speaker is empty";
      if (!problem.empty()) {
        check<FormatError>(bad_lines == "skip", where, ": ", problem);
        leave_out(problem, where);
        continue;
      }
      const std::string list = where.substr(0, where.rfind(':'));
      const fs::path path(row.cells[0]);
      out.push_back({.path = path.is_absolute() ? path.string() : (fs::path(list).parent_path() / path).string(),
                     .text = row.cells[1],
                     .fields = {},
                     .where = where});
      if (with_speakers) out.back().fields.emplace_back("speaker", trimmed(row.cells[2]));
    }
  }
  return out;
}

std::vector<Recording> RecordingData::recordings(Split split, const std::string& root,
                                                 data::TableReport& report) const {
  const auto valid_share = share_of(valid, "data.valid"), test_share = share_of(test, "data.test");
  const bool own_files = split == Split::valid  ? !valid.empty() && !valid_share
                         : split == Split::test ? !test.empty() && !test_share
                                                : false;
  const StringList& names = !own_files ? train : split == Split::valid ? valid : test;
  std::vector<Recording> out = recordings_of(names,
                                             !own_files              ? "data.train"
                                             : split == Split::valid ? "data.valid"
                                                                     : "data.test",
                                             root, report);
  // Which part a recording of data.train is in; nothing: none.
  const bool has_valid = valid_share || (valid.empty() && !valid_where.empty()),
             has_test = test_share || (test.empty() && hold_out.empty() && !test_where.empty());
  const double end_of_valid = valid_share.value_or(0), end_of_test = end_of_valid + test_share.value_or(0);
  const auto part_of = [&](const Recording& r) -> std::optional<Split> {
    const bool in_train = holds(train_where, r, "data.train_where");
    const double share =
        valid_share || test_share ? place_of(fs::path(r.path).filename().string() + "\t" + r.text) : end_of_test;
    if (has_test && holds(test_where, r, "data.test_where") &&
        (!test_share || (in_train && end_of_valid <= share && share < end_of_test)))
      return Split::test;
    if (has_valid && holds(valid_where, r, "data.valid_where") && (!valid_share || (in_train && share < end_of_valid)))
      return Split::valid;
    return in_train ? std::optional(Split::train) : std::nullopt;
  };
  const auto wanted = [&](const Recording& r) {
    const bool held_out = !hold_out.empty() && holds({hold_out}, r, "data.hold_out");
    if (!hold_out.empty() && split == Split::test) return held_out;
    if (held_out) return false;
    if (!own_files) return part_of(r) == split;
    return split == Split::valid ? holds(valid_where, r, "data.valid_where") : holds(test_where, r, "data.test_where");
  };
  const auto others = std::ranges::remove_if(out, [&](const Recording& r) { return !wanted(r); });
  report.read -= std::ssize(others);
  out.erase(others.begin(), others.end());
  return out;
}

}  // namespace lookback::tasks
