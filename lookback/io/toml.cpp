#include "lookback/io/toml.h"

#include <algorithm>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/io/posix_file.h"
#include "lookback/io/quote.h"
#include "lookback/io/toml_scan.h"

// The parser is recursive; this bounds it. Only this file sees the parser.
#define TOML_MAX_NESTED_VALUES 32
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace lookback::io {
namespace {

constexpr size_t kMaxPath = 256;

[[noreturn]] void fail(const std::string& origin, int64_t line, const std::string& what) {
  throw ConfigError(str_cat(origin, ":", line, ": ", what));
}

class Flattener {
 public:
  explicit Flattener(const std::string& origin) : origin_(origin) {}

  void table(const toml::table& t, const std::string& prefix) {
    for (const auto& [key, node] : t) {
      const int line = static_cast<int>(node.source().begin.line);
      const std::string_view name = key.str();
      const bool plain = !name.empty() && std::none_of(name.begin(), name.end(), [](char c) {
        return c == '.' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
      });
      if (!plain)
        fail(origin_, line, str_cat("the key ", quote(name), " is empty or has a dot or control character in it"));
      if (prefix.size() + name.size() > kMaxPath)
        fail(origin_, line, str_cat("the key ", quote(name), " makes a path over ", kMaxPath, " bytes"));
      const std::string path = prefix + std::string(name);
      const toml::array* const list = node.as_array();
      if (const toml::table* inner = node.as_table())
        table(*inner, path + ".");
      else if (list && !list->empty() && list->is_homogeneous<toml::table>())
        for (size_t k = 0; k < list->size(); ++k) table(*(*list)[k].as_table(), str_cat(path, ".", k, "."));
      else
        found_.push_back({{path, value(node, path, line), line}, node.source().begin.column});
    }
  }

  // The parser keeps tables sorted by name; whoever wrote the file had another order in mind.
  std::vector<KeyValue> take() {
    std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
      return std::pair(a.field.line, a.column) < std::pair(b.field.line, b.column);
    });
    std::vector<KeyValue> out;
    for (Found& f : found_) out.push_back(std::move(f.field));
    return out;
  }

 private:
  struct Found {
    KeyValue field;
    uint32_t column;
  };

  FieldValue value(const toml::node& node, const std::string& path, int line) const {
    if (auto* b = node.as_boolean()) return b->get();
    if (auto* i = node.as_integer()) return i->get();
    if (auto* d = node.as_floating_point()) return d->get();
    if (auto* s = node.as_string()) return s->get();
    if (auto* list = node.as_array()) {
      StringList out;
      for (const toml::node& item : *list) {
        auto* s = item.as_string();
        auto* i = item.as_integer();
        if (!s && !i) {
          const int64_t at = item.source().begin.line;
          fail(origin_, at ? at : line,
               str_cat(quote(path), " may hold strings, in quotes: [\"a\", \"b\"], or whole numbers, or tables only"));
        }
        out.push_back(s ? s->get() : std::to_string(i->get()));
      }
      return out;
    }
    fail(origin_, line, str_cat(quote(path), " is a date or time, which no option takes; put it in quotes"));
  }

  const std::string& origin_;
  std::vector<Found> found_;
};

std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (u < 0x20 || u == 0x7F)
      out += str_cat("\\u00", "0123456789ABCDEF"[u >> 4], "0123456789ABCDEF"[u & 15]);
    else
      out += c;
  }
  return out + "\"";
}

std::string value_text(const Field& f) {
  const auto utf8 = [&](const std::string& s) {
    check<ConfigError>(valid_utf8(s), f.origin, ": ", f.path, " is not valid UTF-8 and cannot be written as TOML");
    return quoted(s);
  };
  if (auto* s = std::get_if<std::string*>(&f.value)) return utf8(**s);
  if (auto* list = std::get_if<StringList*>(&f.value)) {
    std::string out;
    for (const std::string& s : **list) out += (out.empty() ? "" : ", ") + utf8(s);
    return "[" + out + "]";
  }
  return field_text(f);  // numbers and booleans are written alike
}

std::string key_text(std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return bare ? std::string(key) : quoted(std::string(key));
}

// "model.encoder" -> "model.encoder", every part quoted where it must be.
std::string group_text(std::string_view group) {
  std::string out;
  for (size_t begin = 0; begin <= group.size();) {
    const size_t end = std::min(group.find('.', begin), group.size());
    out += (out.empty() ? "" : ".") + key_text(group.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

}  // namespace

std::vector<KeyValue> parse_toml(std::string_view toml, const std::string& origin) {
  check<ConfigError>(static_cast<int64_t>(toml.size()) <= kMaxTomlBytes, origin, ": a recipe may have at most ",
                     kMaxTomlBytes, " bytes");
  const std::string plain = plain_toml(toml, origin);
  try {
    const toml::table root = toml::parse(plain);
    Flattener flat(origin);
    flat.table(root, "");
    return flat.take();
  } catch (const toml::parse_error& e) {
    const std::string what = quote(std::string(e.description()).substr(0, 300));
    fail(origin, e.source().begin.line, "not TOML: " + what.substr(1, what.size() - 2));
  }
}

std::vector<KeyValue> read_toml(const std::string& file) {
  try {
    return parse_toml(read_file(file, kMaxTomlBytes), file);
  } catch (const FormatError& e) {  // too large
    throw ConfigError(e.what());
  }
}

std::string write_toml(std::span<const Field> fields) {
  std::vector<std::string> groups;  // "" first, then in order of appearance
  const auto group_of = [](const Field& f) {
    const size_t dot = f.path.rfind('.');
    return dot == std::string::npos ? "" : f.path.substr(0, dot);
  };
  for (const Field& f : fields)
    if (std::find(groups.begin(), groups.end(), group_of(f)) == groups.end()) groups.push_back(group_of(f));
  std::stable_partition(groups.begin(), groups.end(), [](const std::string& g) { return g.empty(); });

  std::string out;
  for (const std::string& group : groups) {
    if (!group.empty()) out += (out.empty() ? "[" : "\n[") + group_text(group) + "]\n";
    for (const Field& f : fields)
      if (group_of(f) == group)
        out += key_text(group.empty() ? f.path : f.path.substr(group.size() + 1)) + " = " + value_text(f) + "\n";
  }
  return out;
}

}  // namespace lookback::io
