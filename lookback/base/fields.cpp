#include "lookback/base/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

#include "lookback/base/error.h"
#include "lookback/base/quoted_list.h"

namespace lookback {
namespace {

template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;  // for Clang before 17

// The shortest decimal that reads back as the same double.
std::string number_text(double x) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, x).ptr;
  std::string out(buffer, end);
  if (std::isfinite(x) && out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else
      out += c;
  }
  return out + "\"";
}

StringList split_at_commas(const std::string& s) {
  StringList out;
  for (size_t at = 0; at <= s.size();) {
    const size_t comma = std::min(s.find(',', at), s.size());
    if (comma > at) out.push_back(s.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

const char* kind_name(const Field& f) {
  constexpr const char* kNames[] = {"true or false", "a whole number", "a number", "a string", "a list of strings"};
  return kNames[f.value.index()];
}

void check_range(const Field& f, double x, const std::string& origin) {
  check<ConfigError>(x >= f.min && x <= f.max, origin, ": ", f.path, " = ", x, " is outside [", f.min, ", ", f.max,
                     "]");
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replace});
    }
  }
  return row[b.size()];
}

}  // namespace

Field& Field::range(double lo, double hi) {
  min = lo, max = hi;
  return *this;
}

Field& Field::choices(StringList names) {
  allowed = std::move(names);
  return *this;
}

void set_field(Field& f, const FieldValue& value, const std::string& origin) {
  auto wrong_type = [&] { throw ConfigError(str_cat(origin, ": ", f.path, " must be ", kind_name(f))); };
  std::visit(Overload{
                 [&](bool* out) {
                   if (auto* b = std::get_if<bool>(&value))
                     *out = *b;
                   else
                     wrong_type();
                 },
                 [&](int64_t* out) {
                   auto* i = std::get_if<int64_t>(&value);
                   if (!i) return wrong_type();
                   check_range(f, static_cast<double>(*i), origin);
                   *out = *i;
                 },
                 [&](double* out) {
                   double x = 0;
                   if (auto* i = std::get_if<int64_t>(&value))
                     x = static_cast<double>(*i);
                   else if (auto* d = std::get_if<double>(&value))
                     x = *d;
                   else
                     return wrong_type();
                   check<ConfigError>(!std::isnan(x), origin, ": ", f.path, " is not a number");
                   check_range(f, x, origin);
                   *out = x;
                 },
                 [&](std::string* out) {
                   auto* s = std::get_if<std::string>(&value);
                   if (!s) return wrong_type();
                   if (!f.allowed.empty() && std::find(f.allowed.begin(), f.allowed.end(), *s) == f.allowed.end())
                     throw ConfigError(str_cat(origin, ": ", f.path, " = '", *s, "' is not one of ", joined(f.allowed),
                                               nearest_match(*s, f.allowed)));
                   *out = *s;
                 },
                 [&](StringList* out) {
                   if (auto* list = std::get_if<StringList>(&value))
                     *out = *list;
                   else if (auto* s = std::get_if<std::string>(&value))
                     *out = {*s};
                   else
                     wrong_type();
                 },
             },
             f.value);
  f.origin = origin;
}

void set_field_text(Field& f, std::string_view value, const std::string& origin) {
  const std::string s(value);
  auto bad = [&] { throw ConfigError(str_cat(origin, ": ", f.path, " must be ", kind_name(f), ", got '", s, "'")); };
  FieldValue v = s;
  if (std::holds_alternative<bool*>(f.value)) {
    if (s != "true" && s != "false") bad();
    v = s == "true";
  } else if (std::holds_alternative<int64_t*>(f.value)) {
    int64_t i = 0;
    const auto r = std::from_chars(s.data(), s.data() + s.size(), i);
    if (r.ec != std::errc() || r.ptr != s.data() + s.size()) bad();
    v = i;
  } else if (std::holds_alternative<double*>(f.value)) {
    double d = 0;
    const auto r = std::from_chars(s.data(), s.data() + s.size(), d);
    if (r.ec != std::errc() || r.ptr != s.data() + s.size()) bad();
    v = d;
  } else if (std::holds_alternative<StringList*>(f.value)) {
    v = s.starts_with('[') ? parse_quoted_list(s, str_cat(origin, ": ", f.path)) : split_at_commas(s);
  }
  set_field(f, v, origin);
}

Field& find_field(std::vector<Field>& fields, std::string_view path, const std::string& origin) {
  std::vector<std::string> known;
  for (Field& f : fields) {
    if (f.path == path) return f;
    known.push_back(f.path);
  }
  throw ConfigError(str_cat(origin, ": unknown key '", path, "'", nearest_match(path, known)));
}

namespace {

// The number after "path." in what is called, with nothing or another dot behind it.
std::optional<size_t> number_in_list(std::string_view called, std::string_view path) {
  if (!called.starts_with(path) || called.size() < path.size() + 2 || called[path.size()] != '.') return std::nullopt;
  called.remove_prefix(path.size() + 1);
  size_t out = 0;
  const auto r = std::from_chars(called.data(), called.data() + called.size(), out);
  const bool ends = r.ptr == called.data() + called.size() || *r.ptr == '.';
  return r.ec == std::errc() && ends ? std::optional(out) : std::nullopt;
}

}  // namespace

Field& find_field(Fields& fields, std::string_view path, const std::string& origin) {
  for (size_t k = 0; k < fields.lists.size(); ++k) {
    const auto number = number_in_list(path, fields.lists[k].path);
    if (!number || *number < fields.lists[k].size()) continue;
    check<ConfigError>(*number == fields.lists[k].size(), origin, ": ", path, ": ", fields.lists[k].path, " has ",
                       fields.lists[k].size(), " entries; the next one is number ", fields.lists[k].size());
    Fields more = fields.lists[k].append();
    for (Field& f : more) fields.push_back(std::move(f));
    for (Fields::List& list : more.lists) fields.lists.push_back(std::move(list));
  }
  return find_field(static_cast<std::vector<Field>&>(fields), path, origin);
}

FieldValue field_value(const Field& f) {
  return std::visit([](auto* p) -> FieldValue { return *p; }, f.value);
}

std::string field_text(const Field& f) {
  return std::visit(Overload{
                        [](bool* b) -> std::string { return *b ? "true" : "false"; },
                        [](int64_t* i) { return std::to_string(*i); },
                        [](double* d) { return number_text(*d); },
                        [](std::string* s) { return quoted(*s); },
                        [](StringList* list) {
                          StringList q;
                          for (const std::string& s : *list) q.push_back(quoted(s));
                          return "[" + joined(q) + "]";
                        },
                    },
                    f.value);
}

std::vector<std::pair<std::string, std::string>> changed_fields(const Fields& given, const Fields& defaults) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Field& f : given) {
    const auto plain = std::find_if(defaults.begin(), defaults.end(), [&](const Field& d) { return d.path == f.path; });
    if (plain == defaults.end() || field_text(*plain) != field_text(f)) out.emplace_back(f.path, field_text(f));
  }
  return out;
}

std::string joined(const StringList& words, std::string_view between) {
  std::string out;
  for (const std::string& w : words) {
    if (!out.empty()) out += between;
    out += w;
  }
  return out;
}

std::string nearest_match(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& k : known) {
    // A bare name also finds a dotted one: "beam" -> "decode.beam".
    const size_t dot = k.rfind('.');
    size_t d = edit_distance(word, k);
    if (dot != std::string::npos) d = std::min(d, edit_distance(word, std::string_view(k).substr(dot + 1)));
    if (d < best_distance) best = k, best_distance = d;
  }
  return best.empty() ? "" : "; did you mean '" + best + "'?";
}

}  // namespace lookback
