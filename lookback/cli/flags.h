// The command line of one command. Flags are fields (base/fields.h), so they are parsed,
// checked and explained by their one description.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/cli/command.h"

namespace lookback::cli {

// Takes `--name VALUE`, `--name=VALUE`, `--switch`, `--no-switch`, words, and `--` before words
// that begin with a dash. A flag given twice counts the second time; lists grow. Unknown flags
// get the nearest match.
class Flags {
 public:
  explicit Flags(std::string_view command) : command_(command) {}

  // A flag; `placeholder` stands for its value in help. A list whose placeholder ends in "..."
  // takes all words up to the next flag.
  template <class T>
  Field& operator()(std::string_view name, T& value, std::string_view placeholder, std::string_view help) {
    flags_.push_back({{.path = std::string(name), .value = &value, .help = std::string(help)},
                      std::string(placeholder),
                      "--" + std::string(name)});
    return flags_.back().field;
  }
  // The fields of a task or metric as flags: "n_best" is --n-best. With a group, only those in it, without its name.
  void add(const std::vector<Field>& fields, std::string_view group = "");
  // The words that are no flags: at least `least`, and more than one if `name` ends in "...".
  void words(std::string_view name, StringList& values, size_t least, std::string_view help) {
    words_ = {std::string(name), &values, least, std::string(help)};
  }

  // Throws ConfigError "predict: ...".
  void parse(const StringList& words);

  // What add() took, with the values and origins of the command line.
  std::vector<Field> added() const;
  // Words and flags; the added ones under `added_title`.
  std::vector<HelpSection> help(std::string_view added_title = "options") const;

 private:
  struct Flag {
    Field field;
    std::string placeholder;
    std::string name;  // "--n-best"
    bool added = false;
    bool is_switch() const { return std::holds_alternative<bool*>(field.value); }
    StringList* list() const {
      return std::holds_alternative<StringList*>(field.value) && !added ? std::get<StringList*>(field.value) : nullptr;
    }
  };
  struct Words {
    std::string name;
    StringList* values = nullptr;
    size_t least = 0;
    std::string help;
  };

  size_t parse_flag(const StringList& words, size_t at);
  Flag& find(const std::string& name, bool& off);
  void check_words() const;

  std::string command_;
  std::vector<Flag> flags_;
  Words words_;
};

// Recipe keys as a section of help.
HelpSection key_section(std::string title, const Fields& fields);

}  // namespace lookback::cli
