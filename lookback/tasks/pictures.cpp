#include "lookback/tasks/pictures.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "lookback/base/parse.h"
#include "lookback/picture/feature_cache.h"

namespace lookback::tasks {
namespace {

namespace fs = std::filesystem;

// The 100 of "last 100".
std::optional<int64_t> last_of(const StringList& names) {
  if (names.size() != 1 || !names[0].starts_with("last ")) return {};
  return parse_number<int64_t>(names[0].substr(5));
}

std::string name_of(const CaptionedPicture& p) { return fs::path(p.path).filename().string(); }

// FILE#7 -> FILE and 7; -1 without a number.
std::pair<std::string, int64_t> place_in_file(const std::string& path) {
  const size_t at = path.rfind('#');
  if (at != std::string::npos)
    if (const auto k = parse_number<int64_t>(path.substr(at + 1)); k && *k >= 0) return {path.substr(0, at), *k};
  return {path, -1};
}

Tensor features_made_elsewhere(const std::string& path) {
  const auto [file, place] = place_in_file(path);
  const Tensor all = picture::read_features(file);
  check<FormatError>(place >= 0 || all.dim(0) == 1, file, ": has the features of ", all.dim(0),
                     " pictures; say which one: ", file, "#0");
  check<FormatError>(place < all.dim(0), file, ": has the features of ", all.dim(0), " pictures, and no #", place);
  const int64_t k = std::max<int64_t>(place, 0);
  return all.rows(k, k + 1);
}

}  // namespace

bool names_features(const std::string& path) {
  const std::string file = place_in_file(path).first;
  return file.ends_with(".npy") || file.ends_with(".safetensors");
}

void PictureData::validate() const {
  check<ConfigError>(!train.empty() && !train[0].ends_with('%'), "data.train must name lists of pictures and captions");
  check<ConfigError>(!valid.empty(),
                     "data.valid must say what validation is for: lists, a share like \"10 %\" or \"last 100\"");
  share_of(valid, "data.valid");
  const bool last = valid[0].starts_with("last ");
  check<ConfigError>(!last || last_of(valid).value_or(0) > 0, "data.valid = '", valid[0],
                     "': 'last' needs the number of pictures, as in 'last 100'");
  check<ConfigError>(!share_of(test, "data.test"), "data.test = '", test.empty() ? "" : test[0],
                     "': name lists of pictures and captions");
  check<ConfigError>(pictures == "files" || cache.empty(), "data.cache is for features of pictures, and data.pictures ",
                     "is 'none'");
}

std::vector<CaptionedPicture> PictureData::pictures_of(const StringList& lists, const std::string& key,
                                                       const std::string& root, data::TableReport& report) const {
  const StringList cells{"image", "caption"};
  std::vector<CaptionedPicture> out;
  std::map<std::string, size_t> at;  // path -> its place
  for (const std::string& name : lists) {
    data::TableOptions table;
    table.columns = columns;
    table.bad_lines = bad_lines;
    const bool says_so = data::has_ending(name, ".csv") || data::has_ending(name, ".jsonl");
    if (columns.empty() && !says_so) table.columns = {"1", "2"};
    data::RowReader reader(rows_of({name}, key, cells, table, root), cells, table);
    for (data::RowReader::Row row; reader.next(row);) {
      const std::string where = reader.where(row, 0);
      ++report.read;
      std::string problem = row.problem;
      if (problem.empty() && trimmed(row.cells[0]).empty()) problem = "the name of the picture is empty";
      if (problem.empty() && trimmed(row.cells[1]).empty()) problem = "the caption is empty";
      if (!problem.empty()) {
        check<FormatError>(bad_lines == "skip", where, ": ", problem);
        report.leave_out(problem, where + ": " + problem);
        continue;
      }
      const fs::path picture(row.cells[0]), folder = fs::path(where.substr(0, where.rfind(':'))).parent_path() / images;
      const std::string path = picture.is_absolute() ? picture.string() : (folder / picture).string();
      const auto [found, is_new] = at.emplace(path, out.size());
      if (is_new) out.push_back({.path = path, .captions = {}, .where = where});
      out[found->second].captions.push_back(row.cells[1]);
    }
  }
  return out;
}

std::vector<CaptionedPicture> PictureData::part(Split split, const std::string& root, data::TableReport& report) const {
  if (split == Split::test) return pictures_of(test, "data.test", root, report);
  const std::optional<double> share = share_of(valid, "data.valid");
  const std::optional<int64_t> last = last_of(valid);
  if (split == Split::valid && !share && !last) return pictures_of(valid, "data.valid", root, report);
  std::vector<CaptionedPicture> all = pictures_of(train, "data.train", root, report);
  if (!share && !last) return all;
  std::set<std::string> held_out;
  if (last) {
    std::vector<std::string> names;
    for (const CaptionedPicture& p : all) names.push_back(name_of(p));
    std::ranges::sort(names);
    check<ConfigError>(*last < std::ssize(names), "data.valid = '", valid[0], "': data.train has ", names.size(),
                       " pictures");
    held_out.insert(names.end() - *last, names.end());
  } else {
    for (const CaptionedPicture& p : all)
      if (place_of(name_of(p)) < *share) held_out.insert(name_of(p));
  }
  std::vector<CaptionedPicture> out;
  for (CaptionedPicture& p : all)
    if (held_out.contains(name_of(p)) == (split == Split::valid))
      out.push_back(std::move(p));
    else
      report.read -= std::ssize(p.captions);
  return out;
}

Seeing Seeing::with(const picture::CnnOptions& options) {
  Seeing out{.options = options};
  if (options.weights.empty()) return out;
  out.cnn = std::make_shared<picture::CnnFeatures>(options);
  return out;
}

Tensor Seeing::features(const std::string& path, int64_t views) const {
  Tensor out;
  if (names_features(path)) {
    out = features_made_elsewhere(path);
  } else {
    check<FormatError>(cnn != nullptr, path,
                       ": is no file of features (.npy, .safetensors), and features.cnn names no network for pictures");
    out = picture::features_of_file(path, *cnn, views);
  }
  check<FormatError>(shape.width == 0 || out.dim(2) == shape.width, path, ": has ", out.dim(2),
                     " features at each place, where the model reads ", shape.width);
  return out;
}

std::vector<Seeing::Seen> Seeing::features_of_all(const StringList& paths, int64_t views,
                                                  const std::string& cache) const {
  std::vector<Seen> out(paths.size());
  std::vector<size_t> in_cache, rest;
  StringList cached;
  for (size_t k = 0; k < paths.size(); ++k)
    if (!cache.empty() && cnn && !names_features(paths[k]))
      in_cache.push_back(k), cached.push_back(paths[k]);
    else
      rest.push_back(k);
  if (!cached.empty()) {
    const picture::FeatureCache kept(cache, cached, *cnn, views);
    for (int64_t n = 0; n < kept.size(); ++n) out[in_cache[static_cast<size_t>(n)]] = {kept[n], kept.problem(n)};
  }
  const auto problems = picture::for_each_picture(
      std::ssize(rest), [&](size_t n) { out[rest[n]].features = features(paths[rest[n]], views); });
  for (size_t n = 0; n < rest.size(); ++n) out[rest[n]].problem = problems[n];
  return out;
}

}  // namespace lookback::tasks
