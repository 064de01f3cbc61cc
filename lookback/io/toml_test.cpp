#include "lookback/io/toml.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/io/temp_folder.h"

namespace lookback::io {
namespace {

using namespace std::string_literals;

std::string refused(const std::string& toml) {
  return message_of<ConfigError>([&] { parse_toml(toml, "recipe.toml"); });
}

TEST(Toml, FlattensInOrderWithLines) {
  const auto f = parse_toml(R"(task = "translate"

[train]
max_minutes = 30                      # also max_steps
optimizer = { kind = "adam", lr = 1e-3, clip = 1.0 }

[data]
train = ["raw/train.de.gz",
         'raw\train.en.gz']
joint = true
none = []
model.hidden = -1_000
)",
                            "recipe.toml");
  ASSERT_EQ(f.size(), 9u);
  const auto expect = [&](size_t k, const char* path, const FieldValue& value, int line) {
    EXPECT_EQ(f[k].path, path);
    EXPECT_EQ(f[k].value, value) << path;
    EXPECT_EQ(f[k].line, line) << path;
  };
  expect(0, "task", "translate"s, 1);
  expect(1, "train.max_minutes", int64_t{30}, 4);
  expect(2, "train.optimizer.kind", "adam"s, 5);
  expect(3, "train.optimizer.lr", 1e-3, 5);
  expect(4, "train.optimizer.clip", 1.0, 5);
  expect(5, "data.train", StringList{"raw/train.de.gz", "raw\\train.en.gz"}, 8);
  expect(6, "data.joint", true, 10);
  expect(7, "data.none", StringList{}, 11);
  expect(8, "data.model.hidden", int64_t{-1000}, 12);
}

TEST(Toml, RefusesByNameAndLine) {
  const std::pair<std::string, const char*> bad[] = {
      {"a = \n", "recipe.toml:1: not TOML"},
      {"a = 1\nb = x\n", "recipe.toml:2: not TOML"},
      {"a = 1\n[b\n", "recipe.toml:2: not TOML"},
      {"a = \"x\n", "recipe.toml:1: a string is not closed; \" is missing"},
      {"a = 1 b = 2", "recipe.toml:1: not TOML"},
      {"a = 012", "recipe.toml:1: not TOML"},
      {"a = 1\n\na = 2", "recipe.toml:3: not TOML"},
      {"[t]\na = 1\n[t]\nb = 1", "recipe.toml:3: not TOML"},
      {"a = 1\na.b = 2", "recipe.toml:2: not TOML"},
      {"a = 9223372036854775808", "recipe.toml:1: not TOML"},
      {"\n\nd = 2024-01-01", "recipe.toml:3: 'd' is a date or time"},
      {"d = 12:30:00", "recipe.toml:1: 'd' is a date or time"},
      {"d = 2024-01-01T00:00:00Z", "recipe.toml:1: 'd' is a date or time"},
      {"[m]\nx = [{a = 1}, \"b\"]", "recipe.toml:2: 'm.x' may hold strings, in quotes"},
      {"[m]\nx = [{a = 1}, {\"a.b\" = 1}]", "recipe.toml:2: the key 'a.b' is empty or has a dot"},
      {"x = [1.5, 2]", "recipe.toml:1: 'x' may hold strings, in quotes"},
      {"x = [\n\"a\",\ntrue]", "recipe.toml:3: 'x' may hold strings, in quotes"},
      {"x = [[\"a\"]]", "'x' may hold strings, in quotes"},
      {"\"a.b\" = 1", "recipe.toml:1: the key 'a.b' is empty or has a dot"},
      {"\"\" = 1", "the key '' is empty"},
      {"\"a\\nb\" = 1", "the key 'a?b' is empty or has a dot or control"},
      {"x = 1\ny = \"\xFF\"", "recipe.toml:2: byte 11 is not valid UTF-8"},
      {std::string(300, 'k') + " = 1", "makes a path over 256 bytes"},
      {"x = \"a\0b\""s, "recipe.toml:1: a control character (number 0)"},
      {"# a\x01\n", "recipe.toml:1: a control character (number 1)"},
      {"a = 1\n# b\rb = 2\n", "recipe.toml:2: a control character (number 13)"},
      {"a = 1\nmod\xC3\xA8le = 3", "recipe.toml:2: the letter '\xC3\xA8' must stand in quotes"},
      {"a =\xC2\xA0"
       "1",
       "must stand in quotes"},
      {"a = 1\nb = 'x\nc = 1", "recipe.toml:2: a string is not closed; ' is missing"},
      {"a = 1\nb = \"\"\"x\nc = 1", "recipe.toml:2: a string is not closed; \"\"\" is missing"},
      {"a = \"x\\", "recipe.toml:1: a string is not closed"},
      {"a = \"x\\\n\"", "recipe.toml:1: a string is not closed"},
      {"a = \"\\\xC3\xBC\"", "recipe.toml:1: the backslash before '\xC3\xBC' is no escape"},
      {"a = \"\\q\"", "recipe.toml:1: not TOML"},
  };
  for (const auto& [toml, message] : bad) {
    const std::string got = refused(toml);
    EXPECT_NE(got.find(message), std::string::npos) << toml << ": " << got;
    EXPECT_EQ(got.find('\n'), std::string::npos) << "one line: " << got;
  }
}

TEST(Toml, HostileNesting) {
  const auto dotted = [](int n) {
    std::string s = "a";
    for (int k = 0; k < n; ++k) s += ".a";
    return s;
  };
  EXPECT_EQ(parse_toml(dotted(60) + " = 1", "f").size(), 1u);
  EXPECT_NE(refused("x = 1\n" + dotted(400000) + " = 1").find("recipe.toml:2: more than 64 dots"), std::string::npos);
  EXPECT_NE(refused("[" + dotted(400000) + "]").find("more than 64 dots"), std::string::npos);
  EXPECT_NE(refused("a = " + std::string(500000, '[')).find("not TOML"), std::string::npos);
  std::string braces = "a = ";
  for (int k = 0; k < 100000; ++k) braces += "{a=";
  EXPECT_NE(refused(braces).find("not TOML"), std::string::npos);
  EXPECT_NE(refused(std::string(static_cast<size_t>(kMaxTomlBytes) + 1, '\n')).find("at most"), std::string::npos);
}

TEST(Toml, DotsInStringsAndCommentsAreNoNesting) {
  const std::string dots(200, '.');
  const auto f = parse_toml("# " + dots + "\na = \"\\\"" + dots + "\" # " + dots + "\nb = '" + dots + "'\nc = \"\"\"" +
                                dots + "\n\"" + dots + "\"\"\"\nd = '''" + dots + "\n'" + dots + "'''\n",
                            "f");
  ASSERT_EQ(f.size(), 4u);
  EXPECT_EQ(f[1].value, FieldValue(dots));
  EXPECT_EQ(f[2].value, FieldValue(dots + "\n\"" + dots));
  EXPECT_EQ(f[3].value, FieldValue(dots + "\n'" + dots));
  EXPECT_NE(refused("a = '''\n\n'''\nb" + dots + " = 1").find("recipe.toml:4: more than 64 dots"), std::string::npos);
}

TEST(Toml, StringsOfEveryKind) {
  const auto value = [](const std::string& s) {
    return std::get<std::string>(parse_toml("x = " + s + " # \xC3\xBC '\"\n", "f").at(0).value);
  };
  EXPECT_EQ(value("\"\""), "");
  EXPECT_EQ(value("''"), "");
  EXPECT_EQ(value("\"\"\"\"\"\""), "");
  EXPECT_EQ(value("\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\\t\\\\\\\"#\""), "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\t\\\"#");
  EXPECT_EQ(value("'C:\\t\\\"\xE4\xBD\xA0#\t'"), "C:\\t\\\"\xE4\xBD\xA0#\t");
  EXPECT_EQ(value("\"\"\"\n  a\\\n   \xC3\xBC\"\"b\n\"\"\"\"\""), "  a\xC3\xBC\"\"b\n\"\"");
  EXPECT_EQ(value("'''\n\\a\n''\"\"\"b'''''"), "\\a\n''\"\"\"b''");
  EXPECT_EQ(parse_toml("x = \"\"\"a\r\nb\"\"\"\r\ny = 1\r\n", "f").at(1).line, 3);
  EXPECT_EQ(parse_toml("\xEF\xBB\xBF'\xC3\xBC' = 1", "f").at(0).path, "\xC3\xBC");
}

TEST(Toml, Files) {
  const TempFolder folder;
  EXPECT_EQ(read_toml(folder.file("r.toml", "a = 1\r\nb = 2\r\n")).size(), 2u);
  EXPECT_EQ(message_of<IoError>([&] { read_toml(folder / "absent.toml"); }),
            folder / "absent.toml" + ": cannot open: No such file or directory");
  const std::string bad = folder.file("bad.toml", "a = 1\nb = ");
  EXPECT_EQ(message_of<ConfigError>([&] { read_toml(bad); }).find(bad + ":2: "), 0u);
  EXPECT_THROW(read_toml(folder.file("big.toml", std::string(static_cast<size_t>(kMaxTomlBytes) + 1, '\n'))),
               ConfigError);
}

struct Inner {
  int64_t hidden = 256;
  double dropout = 0.3;
  void fields(FieldVisitor& v) {
    v("hidden", hidden, "");
    v("dropout", dropout, "");
  }
};
struct Model {
  std::string score = "general";
  Inner encoder;
  bool tied = false;
  void fields(FieldVisitor& v) {
    v("score", score, "");
    v("encoder", encoder);
    v("tied", tied, "");
  }
};
struct Recipe {
  Model model;
  std::string task = "a \"b\"\\\n\t\x01\x7F\xC3\xBC";
  StringList train = {"a.de", "b \"c\""}, none;
  double big = 1e20, tiny = -1e-5, infinite = -std::numeric_limits<double>::infinity();
  void fields(FieldVisitor& v) {
    v("model", model);
    v("task", task, "");
    v("train", train, "");
    v("none", none, "");
    v("big", big, "");
    v("tiny", tiny, "");
    v("infinite", infinite, "");
  }
};

TEST(Toml, WritesWhatItReads) {
  Recipe recipe;
  auto fields = fields_of(recipe);
  const std::string toml = write_toml(fields);
  EXPECT_EQ(toml,
            "task = \"a \\\"b\\\"\\\\\\n\\t\\u0001\\u007F\xC3\xBC\"\n"
            "train = [\"a.de\", \"b \\\"c\\\"\"]\nnone = []\nbig = 1e+20\ntiny = -1e-05\ninfinite = -inf\n\n"
            "[model]\nscore = \"general\"\ntied = false\n\n"
            "[model.encoder]\nhidden = 256\ndropout = 0.3\n");
  const auto back = parse_toml(toml, "f");
  ASSERT_EQ(back.size(), fields.size());
  for (const KeyValue& kv : back) EXPECT_EQ(kv.value, field_value(find_field(fields, kv.path, "test"))) << kv.path;
  EXPECT_EQ(write_toml({}), "");
  recipe.train = {"\xFF"};
  EXPECT_THROW(write_toml(fields), ConfigError);
}

TEST(Toml, KeysThatNeedQuotes) {
  int64_t x = 1;
  const std::vector<Field> fields{{.path = "a b.c/d", .value = &x}, {.path = "x-1", .value = &x}};
  EXPECT_EQ(write_toml(fields), "x-1 = 1\n\n[\"a b\"]\n\"c/d\" = 1\n");
  EXPECT_EQ(parse_toml(write_toml(fields), "f").at(1).path, "a b.c/d");
}

TEST(Toml, ListsOfTablesAreGroupsOfTheirNumbers) {
  const auto keys =
      parse_toml("[m]\nblocks = [{ kind = \"a\" },\n  { kind = \"b\", heads = 2 }]\n[[m.more]]\nx = 1\n", "r");
  ASSERT_EQ(keys.size(), 4U);
  EXPECT_EQ(keys[0].path, "m.blocks.0.kind");
  EXPECT_EQ(keys[2].path, "m.blocks.1.heads");
  EXPECT_EQ(keys[2].line, 3);
  EXPECT_EQ(keys[3].path, "m.more.0.x");
}

}  // namespace
}  // namespace lookback::io
