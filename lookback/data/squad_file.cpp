#include "lookback/data/squad_file.h"

#include <nlohmann/json.hpp>

#include "lookback/base/error.h"

namespace lookback::data {
namespace {

using Json = nlohmann::json;

const Json& member(const Json& object, const char* key, const std::string& where) {
  check<FormatError>(object.is_object() && object.contains(key), where, ": no '", key, "'");
  return object.at(key);
}

const Json& list(const Json& object, const char* key, const std::string& where) {
  const Json& out = member(object, key, where);
  check<FormatError>(out.is_array(), where, ".", key, ": is no list");
  return out;
}

std::string text(const Json& object, const char* key, const std::string& where) {
  const Json& out = member(object, key, where);
  check<FormatError>(out.is_string(), where, ".", key, ": is no text");
  return out.get<std::string>();
}

GoldAnswer answer_of(const Json& one) {
  if (one.is_string()) return {one.get<std::string>(), -1};
  check<FormatError>(one.is_object() && one.contains("text") && one["text"].is_string(),
                     "an answer is neither a text nor an object with 'text'");
  GoldAnswer out{one["text"].get<std::string>(), -1};
  if (!one.contains("answer_start")) return out;
  check<FormatError>(one["answer_start"].is_number_integer(), "'answer_start' is no whole number");
  out.start = one["answer_start"].get<int64_t>();
  return out;
}

}  // namespace

std::vector<SquadQuestion> parse_squad(std::string_view json, const std::string& path) {
  std::vector<SquadQuestion> out;
  try {
    const Json all = Json::parse(json);
    size_t article = 0;
    for (const Json& a : list(all, "data", path)) {
      const std::string place = str_cat(path, ": data[", article++, "]");
      size_t paragraph = 0;
      for (const Json& p : list(a, "paragraphs", place)) {
        const std::string where = str_cat(place, ".paragraphs[", paragraph++, "]");
        const std::string context = text(p, "context", where);
        for (const Json& q : list(p, "qas", where)) {
          const Json& answers = list(q, "answers", where + ".qas");
          for (const Json& one : answers) answer_of(one);
          out.push_back({.id = text(q, "id", where + ".qas"),
                         .question = text(q, "question", where + ".qas"),
                         .context = context,
                         .answers = answers.dump()});
        }
      }
    }
  } catch (const Json::exception& e) {
    throw FormatError(path + ": " + e.what());
  }
  return out;
}

std::vector<GoldAnswer> gold_answers(std::string_view cell) {
  const size_t first = cell.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  if (cell[first] != '[') return {{std::string(cell), -1}};
  const Json all = Json::parse(cell, nullptr, false);
  if (all.is_discarded()) return {{std::string(cell), -1}};  // a text that begins so
  std::vector<GoldAnswer> out;
  for (const Json& one : all) out.push_back(answer_of(one));
  return out;
}

}  // namespace lookback::data
