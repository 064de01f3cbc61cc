#include "lookback/cli/recipe.h"

#include "lookback/base/error.h"
#include "lookback/io/toml.h"

namespace lookback::cli {
namespace {

Recipe from_keys(const std::vector<io::KeyValue>& keys, const std::string& origin) {
  Recipe out;
  for (const io::KeyValue& key : keys)
    if (key.path == "task") {
      const auto* name = std::get_if<std::string>(&key.value);
      out.kind_origin = str_cat(origin, ":", key.line);
      check<ConfigError>(name != nullptr, out.kind_origin, ": task must be a string, like \"translate\"");
      out.kind = *name;
      out.task = tasks::find_task(*name, out.kind_origin).make();
      out.fields = out.task->fields();
    }
  check<ConfigError>(out.task != nullptr, origin, ": does not say what to train; begin it with task = \"translate\"");
  for (const io::KeyValue& key : keys) {
    const std::string where = str_cat(origin, ":", key.line);
    if (key.path != "task") set_field(find_field(out.fields, key.path, where), key.value, where);
  }
  return out;
}

}  // namespace

Recipe read_recipe(const std::string& file) { return from_keys(io::read_toml(file), file); }

Recipe parse_recipe(std::string_view toml, const std::string& origin) {
  return from_keys(io::parse_toml(toml, origin), origin);
}

void set_keys(Recipe& recipe, const StringList& assignments) {
  for (const std::string& a : assignments) {
    const size_t equals = a.find('=');
    check<ConfigError>(equals != std::string::npos && equals > 0, "--set ", a, ": write it as --set key=value");
    Field& field = find_field(recipe.fields, std::string_view(a).substr(0, equals), "--set");
    set_field_text(field, std::string_view(a).substr(equals + 1), "--set");
  }
}

std::string recipe_with_origins(const Recipe& recipe) {
  std::string out = "task = \"" + recipe.kind + "\"  # " + recipe.kind_origin + "\n\n";
  const std::string toml = io::write_toml(recipe.fields);
  std::string group;
  for (size_t at = 0; at < toml.size();) {
    const size_t end = std::min(toml.find('\n', at), toml.size());
    const std::string line = toml.substr(at, end - at);
    at = end + 1;
    out += line;
    if (line.starts_with('[')) group = line.substr(1, line.size() - 2) + ".";
    if (const size_t equals = line.find(" = "); equals != std::string::npos && !line.starts_with('['))
      for (const Field& f : recipe.fields)
        if (f.path == group + line.substr(0, equals)) out += "  # " + f.origin;
    out += '\n';
  }
  return out;
}

}  // namespace lookback::cli
