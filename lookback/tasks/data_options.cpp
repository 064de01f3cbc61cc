#include "lookback/tasks/data_options.h"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "lookback/base/error.h"
#include "lookback/base/parse.h"
#include "lookback/base/sha256.h"
#include "lookback/data/seen_dialogues.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/tasks/folder_parts.h"

namespace lookback::tasks {
namespace {

namespace fs = std::filesystem;

bool holds_all_columns(const std::string& file) {
  return data::has_ending(file, ".tsv") || data::has_ending(file, ".csv") || data::has_ending(file, ".jsonl") ||
         data::has_ending(file, ".json");
}

// Whether each file has all columns, and not one of them.
bool are_tables(const StringList& names, const StringList& columns, const data::TableOptions& options) {
  if (options.layout == "turns" || options.layout == "slots") return false;  // files of turns, and of labels or values
  return columns.size() == 1 || !options.columns.empty() || options.layout != "columns" ||
         std::ranges::all_of(names, holds_all_columns);
}

void check_names(const StringList& names, const std::string& key, const StringList& columns,
                 const data::TableOptions& options) {
  if (!names.empty() && are_tables(names, columns, options)) return;
  check<ConfigError>(names.size() == columns.size() && !names.empty(), key, " must name a file each for ",
                     joined(columns, " and "),
                     ", or files with all columns (.tsv, .csv, .jsonl, or any with data.columns); got ", names.size());
}

// The files that a name stands for, in the order of their names.
StringList matches(const std::string& name, const std::string& key, const std::string& root) {
  const fs::path path = path_from(name, root);
  if (path.filename().string().find('*') == std::string::npos) return {path.string()};
  StringList out;
  std::error_code error;
  check<ConfigError>(path.parent_path().string().find('*') == std::string::npos, key, ": ", name,
                     ": * may stand in the last part of a name only");
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (::fnmatch(path.filename().c_str(), entry.path().filename().c_str(), FNM_PERIOD) == 0)
      out.push_back((path.has_parent_path() ? entry.path() : entry.path().filename()).string());
  check<IoError>(!out.empty(), key, ": there is no file like ", path.string());
  std::ranges::sort(out);
  return out;
}

}  // namespace

std::optional<double> percent_of(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return parse_number<double>(text);
}

std::string cache_file(const std::string& cache, Split split, const std::string& root) {
  if (cache.empty()) return "";
  return path_from(cache, root) + (split == Split::train ? ".train" : split == Split::valid ? ".valid" : ".test");
}

double place_of(const std::string& text) {
  const std::string hash = sha256_hex(text);
  uint64_t bits = 0;
  for (size_t k = 0; k < 13; ++k)
    bits = bits * 16 + static_cast<uint64_t>(hash[k] <= '9' ? hash[k] - '0' : hash[k] - 'a' + 10);
  return static_cast<double>(bits) * 0x1p-52;
}

std::optional<double> share_of(const StringList& names, const char* key) {
  if (names.size() != 1 || !names[0].ends_with('%')) return std::nullopt;
  const double percent = percent_of(names[0]).value_or(0);
  check<ConfigError>(percent > 0 && percent < 100, key, " = '", names[0],
                     "' is no share; write a number between 0 and 100, like \"10 %\"");
  return percent / 100;
}

std::string path_from(const std::string& name, const std::string& root) {
  return fs::path(name).is_absolute() || root.empty() ? name : root + "/" + name;
}

data::RowSource rows_of(const StringList& names, const std::string& key, const StringList& columns,
                        const data::TableOptions& options, const std::string& root) {
  check_names(names, key, columns, options);
  std::vector<StringList> found;
  for (const std::string& name : names) found.push_back(matches(name, key, root));
  data::RowSource out;
  if (are_tables(names, columns, options)) {
    for (const StringList& files : found)
      for (const std::string& file : files) out.parts.push_back({file});
    return out;
  }
  for (size_t k = 1; k < found.size(); ++k)
    check<ConfigError>(found[k].size() == found[0].size(), key, ": ", names[0], " stands for ", found[0].size(),
                       " files and ", names[k], " for ", found[k].size(), "; each file needs its partner");
  for (size_t part = 0; part < found[0].size(); ++part) {
    out.parts.emplace_back();
    for (const StringList& files : found) out.parts.back().push_back(files[part]);
  }
  return out;
}

void check_files(const data::RowSource& rows, const std::string& key) {
  std::error_code error;
  for (const StringList& files : rows.parts)
    for (const std::string& file : files) check<IoError>(fs::exists(file, error), key, ": ", file, ": no such file");
}

void DataOptions::validate(const StringList& columns) const {
  check_names(train, "data.train", columns, table);
  const auto valid_share = share_of(valid, "data.valid"), test_share = share_of(test, "data.test");
  if (!valid_share) check_names(valid, "data.valid", columns, table);
  if (!test_share && has_test()) check_names(test, "data.test", columns, table);
  check<ConfigError>(valid_share.value_or(0) + test_share.value_or(0) < 1, "data.valid = '", valid[0],
                     "' and data.test = '", has_test() ? test[0] : "", "' leave nothing to learn from");
}

data::RowSource DataOptions::rows(Split split, const StringList& columns, const std::string& root) const {
  const auto valid_share = share_of(valid, "data.valid"), test_share = share_of(test, "data.test");
  const double end_of_valid = valid_share.value_or(0), end_of_test = end_of_valid + test_share.value_or(0);
  const bool from_files = split == Split::valid ? !valid_share : split == Split::test && !test_share;
  if (from_files) {
    const bool is_test = split == Split::test;
    data::RowSource out = rows_of(is_test ? test : valid, is_test ? "data.test" : "data.valid", columns, table, root);
    leave_out_seen(out, columns, root);
    return out;
  }
  data::RowSource out = rows_of(train, "data.train", columns, table, root);
  out.from = split == Split::valid ? 0 : split == Split::test ? end_of_valid : end_of_test;
  out.to = split == Split::valid ? end_of_valid : split == Split::test ? end_of_test : 1;
  return out;
}

void DataOptions::leave_out_seen(data::RowSource& rows, const StringList& columns, const std::string& root) const {
  if (unseen) rows.without = data::dialogues_of(this->rows(Split::train, columns, root), table);
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path.empty() ? "." : path, error);
  check<IoError>(!error, path, ": cannot find where it is: ", error.message());
  return absolute.lexically_normal().string();
}

}  // namespace lookback::tasks
