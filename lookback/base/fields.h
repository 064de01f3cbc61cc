// Options that describe themselves once. A group of options is a struct with
//
//   void fields(FieldVisitor& v) {
//     v("beam", beam, "hypotheses kept per sentence; 1 is greedy").range(1, 1000);
//     v("score", score, "how query and key are compared").choices({"dot", "general"});
//     v("encoder", encoder);                      // a nested group
//     v("blocks", blocks);                        // a list of groups, std::deque: blocks.0.kind, blocks.1.kind, ...
//   }
//
// Flags, recipe keys, JSON, --help, --print-config and the reference page are all
// read from the flat list that `fields_of` makes of it.
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lookback {

using StringList = std::vector<std::string>;

// One option: where its value lives, what it means, what it may be.
struct Field {
  std::string path;  // dotted: "model.encoder.layers"
  std::variant<bool*, int64_t*, double*, std::string*, StringList*> value;
  std::string help;
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  StringList allowed;              // for strings: the values it may take; empty means any
  std::string origin = "default";  // "default", "recipe.toml:12", "--set", "LOOKBACK_..."

  Field& range(double lo, double hi);
  Field& choices(StringList names);
};

// The flat list of a group's options, and its lists of groups, which grow as somebody sets more of them.
struct Fields : std::vector<Field> {
  struct List {
    std::string path;  // "model.encoder.blocks"
    std::function<size_t()> size;
    std::function<Fields()> append;   // one more group, with its defaults; its fields, with their whole paths
    std::function<Fields()> example;  // those of a group that is in no list, as path.N.name, for help
  };
  std::vector<List> lists;
};

class FieldVisitor {
 public:
  explicit FieldVisitor(Fields& out, std::string prefix = "") : out_(out), prefix_(std::move(prefix)) {}

  // A leaf. T is bool, int64_t, double, std::string or StringList.
  template <class T>
  requires std::same_as<T, bool> || std::same_as<T, int64_t> || std::same_as<T, double> ||
      std::same_as<T, std::string> || std::same_as<T, StringList>
          Field& operator()(std::string_view name, T& value, std::string_view help) {
    return out_.emplace_back(Field{.path = prefix_ + std::string(name), .value = &value, .help = std::string(help)});
  }

  // A nested group: its fields appear as name.field.
  template <class Group>
  requires requires(Group& g, FieldVisitor& v) { g.fields(v); }
  void operator()(std::string_view name, Group& group) {
    const std::string before = prefix_;
    prefix_ += std::string(name) + ".";
    group.fields(*this);
    prefix_ = before;
  }

  // A list of groups: their fields appear as name.0.field, name.1.field. A deque, so that fields stay where they are
  // when it grows.
  template <class Group>
  void operator()(std::string_view name, std::deque<Group>& list) {
    const std::string path = prefix_ + std::string(name);
    for (size_t k = 0; k < list.size(); ++k) (*this)(str_of(name, k), list[k]);
    const auto fields_at = [](Group& group, const std::string& place) {
      Fields out;
      FieldVisitor v(out, place + ".");
      group.fields(v);
      return out;
    };
    out_.lists.push_back(
        {.path = path,
         .size = [&list] { return list.size(); },
         .append =
             [&list, path, fields_at] {
               const std::string place = str_of(path, list.size());
               return fields_at(list.emplace_back(), place);
             },
         .example = [path, fields_at, group = std::make_shared<Group>()] { return fields_at(*group, path + ".N"); }});
  }

 private:
  static std::string str_of(std::string_view name, size_t k) { return std::string(name) + "." + std::to_string(k); }

  Fields& out_;
  std::string prefix_;
};

// The pointers live as long as the group.
template <class Group>
Fields fields_of(Group& group) {
  Fields out;
  FieldVisitor v(out);
  group.fields(v);
  return out;
}

// What a recipe, flag or JSON file may say about one field.
using FieldValue = std::variant<bool, int64_t, double, std::string, StringList>;

// Sets one field, checking type, range and choices. `origin` says where the
// value came from and heads the message of the ConfigError a bad one throws.
void set_field(Field& field, const FieldValue& value, const std::string& origin);

// The same from text, as on a command line: "3", "true", "general"; a list as a,b or ["a", "b"].
void set_field_text(Field& field, std::string_view value, const std::string& origin);

// The field called `path`; ConfigError names the nearest match if there is none.
Field& find_field(std::vector<Field>& fields, std::string_view path, const std::string& origin);
// The same; of a list the group after its last one is made.
Field& find_field(Fields& fields, std::string_view path, const std::string& origin);

FieldValue field_value(const Field& field);
// As TOML would write it: 0.3, true, "general", ["a", "b"].
std::string field_text(const Field& field);

// Of the options of a group those that are not as they are by default: their paths, and their values as field_text has
// them. What lists of groups hold always counts.
std::vector<std::pair<std::string, std::string>> changed_fields(const Fields& given, const Fields& defaults);
template <class Group>
std::vector<std::pair<std::string, std::string>> changed_options(Group given) {
  Group plain;
  return changed_fields(fields_of(given), fields_of(plain));
}

// "dot, general": words as a message lists them.
std::string joined(const StringList& words, std::string_view between = ", ");

// "; did you mean 'beam'?" or "" when nothing is close. For unknown names everywhere.
std::string nearest_match(std::string_view word, const std::vector<std::string>& known);

}  // namespace lookback
