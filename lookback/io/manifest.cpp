#include "lookback/io/manifest.h"

#include <filesystem>
#include <set>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/io/json.h"
#include "lookback/io/json_events.h"
#include "lookback/io/quote.h"

namespace lookback::io {
namespace fs = std::filesystem;
namespace {

// {"format": 1, "files": [{"name": ..., "size": ..., "sha256": ...}, {"name": ...}, ...]}
class ManifestReader final : public JsonEvents {
 public:
  std::vector<ManifestEntry> entries;
  bool has_format = false, has_files = false;

  void on_key(std::string& key) override {
    if (!keys_.insert(key).second) fail("the key ", quote(key), " appears twice");
    const bool known =
        in_entry_ ? key == "name" || key == "size" || key == "sha256" : key == "format" || key == "files";
    if (!known) fail("unknown key ", quote(key));
    key_ = key;
  }
  void start_object() override {
    if (depth_ == 0) {
      depth_ = 1;
    } else if (in_files_ && !in_entry_) {
      top_keys_ = std::exchange(keys_, {});
      in_entry_ = true;
      entries.emplace_back();
    } else {
      fail("an object is not allowed here");
    }
  }
  void end_object() override {
    if (!in_entry_) return;
    if (!keys_.contains("name") || keys_.size() == 2)
      fail("a file needs a name, and size and sha256 together or not at all");
    keys_ = std::exchange(top_keys_, {});
    in_entry_ = false;
  }
  void start_array() override {
    if (in_files_ || in_entry_ || key_ != "files") fail("a list is not allowed here");
    in_files_ = has_files = true;
  }
  void end_array() override { in_files_ = false; }
  void on_integer(int64_t x) override {
    if (in_entry_ && key_ == "size" && x >= 0)
      entries.back().size = x;
    else if (!in_entry_ && !in_files_ && key_ == "format" && x == 1)
      has_format = true;
    else
      fail("the number ", x, " is not allowed here");
  }
  void on_string(std::string& s) override {
    if (in_entry_ && key_ == "name")
      entries.back().name = checked_name(s);
    else if (in_entry_ && key_ == "sha256" && s.size() == 64)
      entries.back().sha256 = s;
    else
      fail("a string is not allowed here");
  }

 private:
  std::string checked_name(const std::string& s) {
    const fs::path path(s);
    bool inside = !s.empty() && path.is_relative() && path.has_filename() && s.find('\0') == std::string::npos;
    for (const fs::path& part : path) inside = inside && part != ".." && part != ".";
    if (!inside) fail("the file name ", quote(s), " leads out of the folder");
    if (!names_.insert(s).second) fail("the file ", quote(s), " is listed twice");
    return s;
  }

  std::set<std::string> keys_, top_keys_, names_;
  std::string key_;
  int depth_ = 0;
  bool in_files_ = false, in_entry_ = false;
};

}  // namespace

std::string manifest_text(const std::vector<ManifestEntry>& files) {
  std::string out = "{\n  \"format\": 1,\n  \"files\": [";
  for (const ManifestEntry& file : files) {
    out += str_cat(out.back() == '[' ? "\n" : ",\n", "    {\"name\": ", json_quote(file.name));
    if (!file.sha256.empty()) out += str_cat(", \"size\": ", file.size, ", \"sha256\": \"", file.sha256, "\"");
    out += "}";
  }
  return out + (files.empty() ? "]\n}\n" : "\n  ]\n}\n");
}

std::vector<ManifestEntry> parse_manifest(const std::string& bytes, const std::string& origin) {
  ManifestReader reader;
  parse_json(bytes, origin, reader);
  check<FormatError>(reader.has_format && reader.has_files, origin, ": needs format and files");
  return std::move(reader.entries);
}

}  // namespace lookback::io
