#include "lookback/cli/flags.h"

#include <algorithm>

namespace lookback::cli {
namespace {

// "-" is a word: standard input or output.
bool is_flag(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

std::string dashed(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

const char* placeholder_of(const Field& f) {
  constexpr const char* kPlaceholders[] = {"", "N", "X", "NAME", "A,B,..."};
  return kPlaceholders[f.value.index()];
}

// A value that may not be given stands for "not given".
bool has_default(const Field& f) {
  const FieldValue value = field_value(f);
  const auto* n = std::get_if<int64_t>(&value);
  return !n || static_cast<double>(*n) >= f.min;
}

// The meaning of a field with its choices and its present value as the default.
std::string explained(const Field& f) {
  std::string out = f.help;
  for (const std::string& name : f.allowed) out += (&name == &f.allowed[0] ? "; one of " : ", ") + name;
  const std::string value = field_text(f);
  if (has_default(f) && value != "false" && value != "\"\"" && value != "[]") out += " (default " + value + ")";
  return out;
}

}  // namespace

void Flags::add(const std::vector<Field>& fields, std::string_view group) {
  const std::string prefix = group.empty() ? "" : std::string(group) + ".";
  for (const Field& f : fields)
    if (f.path.starts_with(prefix))
      flags_.push_back({f, placeholder_of(f), "--" + dashed(f.path.substr(prefix.size())), true});
}

void Flags::parse(const StringList& words) {
  bool flags_ended = false;
  for (size_t k = 0; k < words.size();) {
    if (!flags_ended && words[k] == "--")
      flags_ended = true, ++k;
    else if (!flags_ended && is_flag(words[k]))
      k = parse_flag(words, k);
    else if (words_.values)
      words_.values->push_back(words[k++]);
    else
      throw ConfigError(command_ + ": takes flags only, got '" + words[k] + "'; see lookback " + command_ + " --help");
  }
  check_words();
}

void Flags::check_words() const {
  if (!words_.values) return;
  const StringList& given = *words_.values;
  check<ConfigError>(given.size() >= words_.least, command_, ": ", words_.name, " is missing: ", words_.help,
                     "; it stands before the flags");
  if (given.size() > 1 && !words_.name.ends_with("..."))
    throw ConfigError(command_ + ": takes one " + words_.name + ", got '" + given[0] + "' and '" + given[1] + "'");
}

// Reads the flag at words[at]; where the next one may start.
size_t Flags::parse_flag(const StringList& words, size_t at) {
  const std::string& word = words[at++];
  const size_t equals = word.find('=');
  const bool attached = equals != std::string::npos;
  bool off = false;
  Flag& flag = find(word.substr(0, equals), off);
  std::string value = attached ? word.substr(equals + 1) : "";
  if (flag.is_switch() || off) {
    check<ConfigError>(!off || !attached, command_, ": ", word, ": takes no value");
    set_field_text(flag.field, attached ? value : off ? "false" : "true", flag.name);
    return at;
  }
  if (!attached) {
    check<ConfigError>(at < words.size() && !words[at].starts_with("--"), command_, ": ", flag.name,
                       " needs a value: ", flag.field.help);
    value = words[at++];
  }
  StringList* list = flag.list();
  if (!list) return set_field_text(flag.field, value, flag.name), at;
  if (flag.field.origin == "default") list->clear();
  flag.field.origin = flag.name;
  list->push_back(value);
  if (flag.placeholder.ends_with("...") && !attached)
    while (at < words.size() && !is_flag(words[at])) list->push_back(words[at++]);
  return at;
}

// `off` tells that the name was the --no- form of a switch.
Flags::Flag& Flags::find(const std::string& name, bool& off) {
  StringList known;
  for (Flag& f : flags_) {
    off = f.is_switch() && name == "--no-" + f.name.substr(2);
    if (off || name == f.name) return f;
    known.push_back(f.name);
  }
  std::string hint = nearest_match(dashed(name), known);
  if (hint.empty()) hint = "; lookback " + command_ + " --help lists them all";
  throw ConfigError(command_ + ": unknown flag '" + name + "'" + hint);
}

std::vector<Field> Flags::added() const {
  std::vector<Field> out;
  for (const Flag& f : flags_)
    if (f.added) out.push_back(f.field);
  return out;
}

std::vector<HelpSection> Flags::help(std::string_view added_title) const {
  HelpSection words{"words", {}}, own{"flags", {}}, added{std::string(added_title), {}};
  if (words_.values) words.entries.push_back({words_.name, words_.help});
  for (const Flag& f : flags_) {
    std::string name = f.name;
    if (f.is_switch() && field_text(f.field) == "true") name = "--no-" + name.substr(2);
    if (!f.placeholder.empty()) name += " " + f.placeholder;
    (f.added ? added : own).entries.push_back({name, explained(f.field)});
  }
  std::vector<HelpSection> out;
  for (HelpSection* s : {&words, &own, &added})
    if (!s->entries.empty()) out.push_back(std::move(*s));
  return out;
}

HelpSection key_section(std::string title, const Fields& fields) {
  HelpSection out{std::move(title), {}};
  for (const Field& f : fields) out.entries.push_back({f.path, explained(f)});
  for (const Fields::List& list : fields.lists)
    for (const Field& f : list.example()) out.entries.push_back({f.path, explained(f)});
  return out;
}

}  // namespace lookback::cli
