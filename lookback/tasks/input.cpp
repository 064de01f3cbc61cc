#include "lookback/tasks/input.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/json_line.h"
#include "lookback/data/row_reader.h"

namespace lookback::tasks {
namespace {

StringList names_of(const InputFields& fields, bool only_required) {
  StringList out;
  for (const InputField& f : fields)
    if (f.required || !only_required) out.push_back(f.name);
  return out;
}

// Whether a required field may be left out of this input.
bool stands_alone(const Input& input, const InputFields& fields) {
  return std::ranges::any_of(fields, [&](const InputField& f) { return f.alone && input.find(f.name); });
}

}  // namespace

std::string input_format(const std::string& format, const std::string& file, const InputFields& fields) {
  const StringList required = names_of(fields, true);
  if (format == "auto") {
    if (data::has_ending(file, ".jsonl")) return "jsonl";
    if (data::has_ending(file, ".csv")) return "csv";
    return required.size() == 1 ? "lines" : "tsv";
  }
  check<ConfigError>(format != "lines" || required.size() == 1, "--in-format lines: an input has the fields ",
                     joined(required), "; give them as tsv or jsonl");
  return format;
}

std::string columns_format(const std::string& format, const std::string& file) {
  for (const char* const name : {"conll", "conllu"})
    if (format == name || (format == "auto" && data::has_ending(file, std::string(".") + name))) return name;
  return "";
}

Input parse_input(std::string line, std::string_view format, const InputFields& fields) {
  Input out;
  if (format == "lines") {
    out.fields[std::ranges::find(fields, true, &InputField::required)->name] = std::move(line);
  } else if (format == "tsv") {
    const StringList required = names_of(fields, true);
    size_t begin = 0;
    for (size_t k = 0; k < required.size(); ++k) {
      check<FormatError>(begin <= line.size(), "has fewer columns than ", joined(required));
      const size_t end = std::min(line.find('\t', begin), line.size());
      out.fields[required[k]] = line.substr(begin, end - begin);
      begin = end + 1;
    }
    check<FormatError>(begin > line.size(), "has more columns than ", joined(required));
  } else {
    const StringList all = names_of(fields, false);
    const auto members = data::json_members(line, all, data::are_one_a_line(all));
    for (size_t k = 0; k < all.size(); ++k)
      if (members[k]) out.fields[all[k]] = *members[k];
    for (const InputField& f : fields)
      check<FormatError>(!f.required || out.find(f.name) || stands_alone(out, fields), "has no '", f.name,
                         "'; an input has ", joined(all));
  }
  return out;
}

void set_input_field(Input& input, const std::string& assignment, const InputFields& fields) {
  const size_t equals = assignment.find('=');
  check<ConfigError>(equals != std::string::npos, "--field ", assignment, ": write it as --field name=value");
  const std::string name = assignment.substr(0, equals);
  const StringList all = names_of(fields, false);
  check<ConfigError>(has_field(fields, name), "--field ", assignment, ": inputs of this model have no field '", name,
                     "'; they have ", joined(all), nearest_match(name, all));
  input.fields[name] = assignment.substr(equals + 1);
}

void check_input(const Input& input, const InputFields& fields, const std::string& where) {
  for (const InputField& f : fields)
    check<ConfigError>(!f.required || input.find(f.name) || stands_alone(input, fields), where, ": the field '", f.name,
                       "' is missing (", f.help, "); give it with --field ", f.name, "=VALUE");
}

std::string required_text(const Input& input, const std::string& field) {
  const std::string* const text = input.find(field);
  check<ConfigError>(text, "input ", input.line, ": has no field '", field, "'");
  return with_replacements(*text);
}

std::string optional_text(const Input& input, const std::string& field) {
  const std::string* const text = input.find(field);
  return text ? with_replacements(*text) : "";
}

std::string unknown_in_prefix(const data::Tokenizer& tokenizer, const std::vector<int32_t>& ids, const Input& input) {
  constexpr int64_t kShown = 5;
  std::string words;
  if (std::ranges::find(ids, data::kUnk) == ids.end()) return words;
  const auto surfaces = tokenizer.surfaces(optional_text(input, "prefix"));
  int64_t unknown = 0;
  for (size_t k = 0; k < ids.size(); ++k)
    if (ids[k] == data::kUnk && ++unknown <= kShown) words += (words.empty() ? "'" : ", '") + surfaces.at(k) + "'";
  return str_cat("the model does not know ", words, unknown > kShown ? str_cat(" and ", unknown - kShown, " more") : "",
                 "; what it does not know becomes <unk>, which is written ", data::kUnkSurface);
}

void make_only_required(InputFields& fields, std::string_view name) {
  for (InputField& f : fields) f.required = f.name == name;
}

bool has_field(const InputFields& fields, std::string_view name) {
  return std::ranges::any_of(fields, [&](const InputField& f) { return f.name == name; });
}

}  // namespace lookback::tasks
