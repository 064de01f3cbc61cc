#include "lookback/io/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <variant>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/io/json_events.h"
#include "lookback/io/posix_file.h"
#include "lookback/io/quote.h"

namespace lookback::io {
namespace {

constexpr size_t kMaxPath = 256;

class FieldReader final : public JsonEvents {
 public:
  std::vector<KeyValue> fields;

  void on_null() override { fail(place(), "null is not a value; leave the key out"); }
  void on_bool(bool x) override { add(x); }
  void on_integer(int64_t x) override { add(x); }
  void on_number(double x) override { add(x); }
  void on_string(std::string& s) override {
    if (in_list_)
      list_.push_back(std::move(s));
    else
      add(std::move(s));
  }
  void on_key(std::string& key) override {
    if (key.empty() || key.find('.') != std::string::npos) fail("the key ", quote(key), " is empty or has a dot in it");
    for (const char c : key)
      if (static_cast<unsigned char>(c) < 0x20) fail("the key ", quote(key), " has a control character in it");
    if (path_.size() + key.size() > kMaxPath) fail("the key ", quote(key), " makes a path over ", kMaxPath, " bytes");
    if (!groups_.back().keys.insert(key).second) fail("the key ", quote(path_ + key), " appears twice");
    key_ = key;
  }
  void start_object() override {
    if (in_list_ && !list_.empty()) fail(place(), kMixed);
    if (groups_.size() == static_cast<size_t>(kMaxJsonDepth)) fail("nested deeper than ", kMaxJsonDepth);
    if (in_list_) {  // a list of objects: the list itself becomes a group, whose keys are numbers
      in_list_ = false;
      path_ += key_ + ".";
      groups_.push_back({.path_size = path_.size(), .is_list = true});
    }
    if (!groups_.empty() && groups_.back().is_list) key_ = std::to_string(groups_.back().count++);
    if (!groups_.empty()) path_ += key_ + ".";
    groups_.push_back({.path_size = path_.size()});
  }
  void end_object() override { leave(); }
  void start_array() override {
    if (in_list_ || is_in_objects()) fail(place(), kMixed);
    need_object();
    in_list_ = true;
    list_line_ = line;
  }
  void end_array() override {
    if (is_in_objects()) return leave();
    in_list_ = false;
    fields.push_back({path_ + key_, std::exchange(list_, {}), list_line_});
  }

 private:
  struct Group {
    size_t path_size;
    std::set<std::string> keys = {};
    bool is_list = false;  // of objects
    size_t count = 0;      // of them so far
  };
  static constexpr const char* kMixed = "a list may hold strings only, or objects only";

  bool is_in_objects() const { return !groups_.empty() && groups_.back().is_list; }
  void leave() {
    groups_.pop_back();
    path_.resize(groups_.empty() ? 0 : groups_.back().path_size);
  }

  std::string place() const { return groups_.empty() ? "" : quote(path_ + key_) + ": "; }
  void need_object() const {
    if (groups_.empty()) fail("the file must hold one object, { ... }");
  }
  void add(FieldValue value) {
    need_object();
    if (in_list_ || is_in_objects()) fail(place(), kMixed);
    fields.push_back({path_ + key_, std::move(value), line});
  }

  std::vector<Group> groups_;
  std::string path_, key_;
  bool in_list_ = false;
  int list_line_ = 0;
  StringList list_;
};

nlohmann::ordered_json json_value(const Field& f) {
  const auto need_utf8 = [&](const std::string& s) {
    check<ConfigError>(valid_utf8(s), f.origin, ": ", f.path, " is not valid UTF-8 and cannot be written as JSON");
  };
  const FieldValue value = field_value(f);
  if (auto* d = std::get_if<double>(&value))
    check<ConfigError>(std::isfinite(*d), f.origin, ": ", f.path, " = ", *d, " cannot be written as JSON");
  if (auto* s = std::get_if<std::string>(&value)) need_utf8(*s);
  if (auto* list = std::get_if<StringList>(&value))
    for (const std::string& s : *list) need_utf8(s);
  return std::visit([](const auto& x) { return nlohmann::ordered_json(x); }, value);
}

// Groups whose names are 0, 1, 2, ... as lists.
void make_lists(nlohmann::ordered_json& at) {
  if (!at.is_object()) return;
  size_t count = 0;
  bool numbered = !at.empty();
  for (auto& [key, value] : at.items()) {
    make_lists(value);
    numbered &= value.is_object() && key == std::to_string(count++);
  }
  if (!numbered) return;
  auto list = nlohmann::ordered_json::array();
  for (auto& [key, value] : at.items()) list.push_back(std::move(value));
  at = std::move(list);
}

}  // namespace

std::vector<KeyValue> parse_json_fields(std::string_view json, const std::string& origin) {
  check<FormatError>(static_cast<int64_t>(json.size()) <= kMaxJsonBytes, origin, ": the JSON is larger than ",
                     kMaxJsonBytes, " bytes, the most allowed here");
  FieldReader reader;
  parse_json(json, origin, reader);
  return std::move(reader.fields);
}

std::vector<KeyValue> read_json_fields(const File& file) {
  return parse_json_fields(read_file(file, kMaxJsonBytes), file.path());
}

std::string write_json_fields(std::span<const Field> fields) {
  nlohmann::ordered_json root = nlohmann::ordered_json::object();
  for (const Field& f : fields) {
    nlohmann::ordered_json* at = &root;
    check<ConfigError>(valid_utf8(f.path), f.origin, ": the key ", quote(f.path), " is not valid UTF-8");
    for (size_t begin = 0; begin <= f.path.size();) {
      const size_t end = std::min(f.path.find('.', begin), f.path.size());
      if (at->is_null()) *at = nlohmann::ordered_json::object();
      check<ConfigError>(at->is_object(), f.origin, ": ", f.path, " is both a value and a group");
      at = &(*at)[f.path.substr(begin, end - begin)];
      begin = end + 1;
    }
    check<ConfigError>(at->is_null(), f.origin, ": ", f.path, " appears twice or is both a value and a group");
    *at = json_value(f);
  }
  make_lists(root);
  return root.dump(2) + "\n";
}

std::string json_quote(std::string_view s) {
  return nlohmann::json(s).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

namespace {

template <class R>
std::string shortest(R x) {
  if (!std::isfinite(x)) return "null";
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, x).ptr};
}

}  // namespace

std::string json_number(double x) { return shortest(x); }
std::string json_number(float x) { return shortest(x); }

std::string json_matrix(const Tensor& x) {
  std::string out = "[";
  for (int64_t n = 0; !x.empty() && n < x.dim(0); ++n)
    out += (n ? ", " : "") + json_list(x.rows(n, n + 1).span<float>(), [](float value) { return json_number(value); });
  return out + "]";
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  members_ += (members_.empty() ? "" : ", ") + json_quote(name) + ": ";
  members_ += json;
  return *this;
}

JsonObject& JsonObject::append(const JsonObject& other) {
  members_ += (members_.empty() || other.members_.empty() ? "" : ", ") + other.members_;
  return *this;
}

}  // namespace lookback::io
