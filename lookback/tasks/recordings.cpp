#include "lookback/tasks/recordings.h"

#include <algorithm>
#include <filesystem>

#include "lookback/base/parse.h"
#include "lookback/base/sha256.h"

namespace lookback::tasks {
namespace {

namespace fs = std::filesystem;

// A number in [0, 1) that depends on what a recording is called and what it says alone.
double share_of(const std::string& name, const std::string& text) {
  const std::string hash = sha256_hex(name + "\t" + text);
  uint64_t bits = 0;
  for (size_t k = 0; k < 13; ++k)
    bits = bits * 16 + static_cast<uint64_t>(hash[k] <= '9' ? hash[k] - '0' : hash[k] - 'a' + 10);
  return static_cast<double>(bits) * 0x1p-52;
}

std::optional<double> percent_share(const StringList& names, const char* key) {
  if (names.size() != 1 || !names[0].ends_with('%')) return std::nullopt;
  const double percent = percent_of(names[0]).value_or(0);
  check<ConfigError>(percent > 0 && percent < 100, key, " = '", names[0],
                     "' is no share; write a number between 0 and 100, like \"10 %\"");
  return percent / 100;
}

// Whether `value` is one of "a|b" or a number in "10-49".
bool is_one_of(const std::string& value, const std::string& wanted) {
  size_t begin = 0;
  while (begin <= wanted.size()) {
    const size_t end = std::min(wanted.find('|', begin), wanted.size());
    const std::string one = wanted.substr(begin, end - begin);
    if (one == value) return true;
    const size_t dash = one.find('-');
    if (dash != std::string::npos) {
      const auto from = parse_number<int64_t>(one.substr(0, dash)), to = parse_number<int64_t>(one.substr(dash + 1));
      const auto x = parse_number<int64_t>(value);
      if (from && to && x && *from <= *x && *x <= *to) return true;
    }
    begin = end + 1;
  }
  return false;
}

std::pair<std::string, std::string> condition_of(const std::string& text, const std::string& key) {
  const size_t equals = text.find('=');
  check<ConfigError>(equals != std::string::npos && equals > 0 && equals + 1 < text.size(), key, ": '", text,
                     "' is no condition like speaker=theo or index=10-49");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace

std::string Recording::field(std::string_view name) const {
  for (const auto& [key, value] : fields)
    if (key == name) return value;
  return "";
}

NamePattern::NamePattern(const std::string& pattern) {
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
    const auto [name, wanted] = condition_of(text, key);
    const bool known = std::ranges::any_of(recording.fields, [&](const auto& f) { return f.first == name; });
    check<ConfigError>(known || name == "text", key, ": '", text, "': names of recordings have no {", name, "}");
    return is_one_of(name == "text" ? recording.text : recording.field(name), wanted);
  });
}

void RecordingData::validate() const {
  check<ConfigError>(!train.empty(), "data.train must name lists of recordings or, with data.pattern, recordings");
  const auto valid_share = percent_share(valid, "data.valid");
  check<ConfigError>(!valid.empty() || !valid_where.empty(), "data.valid must say what validation is for");
  check<ConfigError>(!valid_share || *valid_share < 1, "data.valid = '", valid[0], "' leaves nothing to learn from");
  if (pattern.empty()) {
    for (const auto& [key, set] : {std::pair("data.train_where", !train_where.empty()),
                                   {"data.valid_where", !valid_where.empty()},
                                   {"data.test_where", !test_where.empty()},
                                   {"data.hold_out", !hold_out.empty()}})
      check<ConfigError>(!set, key, " is about names of recordings and needs data.pattern");
    return;
  }
  const NamePattern names(pattern);
  check<ConfigError>(columns.empty(), "data.columns are of lists, and data.pattern reads names");
  for (const auto& [key, conditions] :
       {std::pair("data.train_where", train_where), {"data.valid_where", valid_where}, {"data.test_where", test_where}})
    for (const std::string& c : conditions) condition_of(c, key);
  if (!hold_out.empty()) condition_of(hold_out, "data.hold_out");
}

std::vector<Recording> RecordingData::recordings_of(const StringList& names, const std::string& key,
                                                    const std::string& root, data::TableReport& report) const {
  std::vector<Recording> out;
  const auto leave_out = [&](const std::string& why, const std::string& where) {
    const auto at = std::ranges::find(report.left_out, why, [](const auto& l) { return l.first; });
    at == report.left_out.end() ? report.left_out.emplace_back(why, 1) : * at = {why, at->second + 1};
    if (report.examples.size() < 5) report.examples.push_back(where + ": " + why);
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
  const StringList cells{"audio", "text"};
  data::TableOptions table;
  table.columns = columns.empty() ? StringList{"1", "2"} : columns;
  table.bad_lines = bad_lines;
  // .csv and .jsonl without data.columns have names for theirs.
  for (const std::string& name : names)
    if (columns.empty() && (data::has_ending(name, ".csv") || data::has_ending(name, ".jsonl"))) table.columns = {};
  data::RowReader reader(rows_of(names, key, cells, table, root), cells, table);
  for (data::RowReader::Row row; reader.next(row);) {
    const std::string where = reader.where(row, 0);
    ++report.read;
    if (!row.problem.empty()) {
      leave_out(row.problem, where);
      continue;
    }
    const std::string list = where.substr(0, where.rfind(':'));
    const fs::path path(row.cells[0]);
    out.push_back({.path = path.is_absolute() ? path.string() : (fs::path(list).parent_path() / path).string(),
                   .text = row.cells[1],
                   .fields = {},
                   .where = where});
  }
  return out;
}

std::vector<Recording> RecordingData::recordings(Split split, const std::string& root,
                                                 data::TableReport& report) const {
  const auto valid_share = percent_share(valid, "data.valid");
  const bool own_files = split == Split::valid ? !valid.empty() && !valid_share : split == Split::test && !test.empty();
  const StringList& names = !own_files ? train : split == Split::valid ? valid : test;
  std::vector<Recording> out = recordings_of(names,
                                             !own_files              ? "data.train"
                                             : split == Split::valid ? "data.valid"
                                                                     : "data.test",
                                             root, report);
  const auto [where, key] = split == Split::train   ? std::pair(train_where, "data.train_where")
                            : split == Split::valid ? std::pair(valid_where, "data.valid_where")
                                                    : std::pair(test_where, "data.test_where");
  const auto wanted = [&](const Recording& r) {
    if (!hold_out.empty()) {
      const bool out_of_training = holds({hold_out}, r, "data.hold_out");
      if (split == Split::test) return out_of_training;
      if (out_of_training) return false;
    }
    if (!holds(where, r, key)) return false;
    if (!valid_share || split == Split::test) return true;
    const bool is_valid = share_of(fs::path(r.path).filename().string(), r.text) < *valid_share;
    return is_valid == (split == Split::valid);
  };
  const auto kept = std::ranges::remove_if(out, [&](const Recording& r) { return !wanted(r); });
  report.read -= std::ssize(kept);
  out.erase(kept.begin(), kept.end());
  return out;
}

}  // namespace lookback::tasks
