#include "lookback/io/json.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/io/temp_folder.h"

namespace lookback::io {
namespace {

using namespace std::string_literals;

std::string refused(const std::string& json) {
  return message_of<FormatError>([&] { parse_json_fields(json, "config.json"); });
}

TEST(Json, FlattensInOrderWithLines) {
  const auto f = parse_json_fields(
      "{\n  \"model_type\": \"lookback\",\n  \"encoder\": {\n    \"layers\": 2,\n    \"lstm\": {\"dropout\": 0.25}\n  "
      "},\n"
      "  \"empty\": {},\n  \"names\": [\n    \"a\",\n    \"b\"\n  ],\n  \"none\": [], \"flag\": true,\n\"last\": "
      "-7\n}\n",
      "config.json");
  ASSERT_EQ(f.size(), 7u);
  const auto expect = [&](size_t k, const char* path, const FieldValue& value, int line) {
    EXPECT_EQ(f[k].path, path);
    EXPECT_EQ(f[k].value, value) << path;
    EXPECT_EQ(f[k].line, line) << path;
  };
  expect(0, "model_type", "lookback"s, 2);
  expect(1, "encoder.layers", int64_t{2}, 4);
  expect(2, "encoder.lstm.dropout", 0.25, 5);
  expect(3, "names", StringList{"a", "b"}, 8);
  expect(4, "none", StringList{}, 12);
  expect(5, "flag", true, 12);
  expect(6, "last", int64_t{-7}, 13);
}

TEST(Json, Values) {
  const auto value = [](const std::string& json) { return parse_json_fields("{\"x\":" + json + "}", "f").at(0).value; };
  EXPECT_EQ(value("9223372036854775807"), FieldValue(INT64_MAX));
  EXPECT_EQ(value("-9223372036854775808"), FieldValue(INT64_MIN));
  EXPECT_EQ(value("1.0"), FieldValue(1.0));
  EXPECT_EQ(value("1e3"), FieldValue(1000.0));
  EXPECT_EQ(value("\"gr\xC3\xBC\\u00df\\n\\ud83d\\ude00\""), FieldValue("gr\xC3\xBC\xC3\x9F\n\xF0\x9F\x98\x80"s));
  EXPECT_EQ(value("\"a\\u0000b\""), FieldValue("a\0b"s));
  EXPECT_TRUE(parse_json_fields("{}", "f").empty());
  EXPECT_TRUE(parse_json_fields(" \n{ }\n", "f").empty());
}

TEST(Json, RefusesByNameAndLine) {
  const std::pair<std::string, const char*> bad[] = {
      {"", "config.json:1: not JSON"},
      {"{", "config.json:1: not JSON"},
      {"{\n\"a\": 1,\n}", "config.json:3: not JSON"},
      {"{\n\"a\": 1\n\"b\": 2}", "config.json:3: not JSON"},
      {"{\"a\": 1} x", "config.json:1: not JSON"},
      {"{\"a\": 1}{}", "config.json:1: not JSON"},
      {"{\"a\": 01}", "config.json:1: not JSON"},
      {"{\"a\": NaN}", "config.json:1: not JSON"},
      {"{\"a\": 'x'}", "config.json:1: not JSON"},
      {"{\"a\": \"x\ny\"}", "config.json:1: not JSON"},
      {"{\"a\": \"\\ud800\"}", "config.json:1: not JSON"},
      {"{\"a\": 1e999}", "config.json:1: not JSON"},
      {"{// comment\n\"a\": 1}", "config.json:1: not JSON"},
      {"[1]", "config.json:1: the file must hold one object"},
      {"7", "config.json:1: the file must hold one object"},
      {"\"x\"", "config.json:1: the file must hold one object"},
      {"null", "config.json:1: null is not a value"},
      {"{\n\n\"a\": null}", "config.json:3: 'a': null is not a value; leave the key out"},
      {"{\"a\": {\"b\": 1,\n\"b\": 2}}", "config.json:2: the key 'a.b' appears twice"},
      {"{\"a\": {}, \"a\": 1}", "the key 'a' appears twice"},
      {"{\"a.b\": 1}", "the key 'a.b' is empty or has a dot"},
      {"{\"\": 1}", "the key '' is empty"},
      {"{\"a\\nb\": 1}", "the key 'a?b' has a control character"},
      {"{\"a\": [1, 2]}", "'a': a list may hold strings only"},
      {"{\"a\": [\"x\", true]}", "'a': a list may hold strings only"},
      {"{\"a\": [[\"x\"]]}", "'a': a list may hold strings only"},
      {"{\"a\": [{\"b\": 1}, \"x\"]}", "a list may hold strings only, or objects only"},
      {"{\"a\": [\"x\", {\"b\": 1}]}", "a list may hold strings only, or objects only"},
      {"{\"a\": [{\"b\": 1}, 2]}", "a list may hold strings only, or objects only"},
      {"{\"a\": [{\"b\": 1}, [\"x\"]]}", "a list may hold strings only, or objects only"},
      {"{\"a\": [null]}", "'a': null is not a value"},
      {"{\"a\": 9223372036854775808}", "the number 9223372036854775808 does not fit in 64 bits"},
      {"{\"a\": -9223372036854775809}", "the number '-9223372036854775809' does not fit in 64 bits"},
      {"{\"a\": 99999999999999999999999}", "does not fit in 64 bits"},
      {"{\"a\":\n\"x\xC0\x80\"}", "config.json:2: byte 8 is not valid UTF-8"},
      {"{\"a\": 1}\n\0{}"s, "config.json:2: byte 9 is NUL"},
      {"{\"" + std::string(300, 'k') + "\": 1}", "makes a path over 256 bytes"},
  };
  for (const auto& [json, message] : bad) {
    const std::string got = refused(json);
    EXPECT_NE(got.find(message), std::string::npos) << json << ": " << got;
    EXPECT_EQ(got.find('\n'), std::string::npos) << "one line: " << got;
    EXPECT_LT(got.size(), 300u) << got;
  }
}

TEST(Json, DepthAndSize) {
  const auto nested = [](int n) {
    std::string s;
    for (int k = 0; k < n; ++k) s += "{\"k\":";
    return s + "1" + std::string(static_cast<size_t>(n), '}');
  };
  EXPECT_EQ(parse_json_fields(nested(kMaxJsonDepth), "f").size(), 1u);
  EXPECT_NE(refused(nested(kMaxJsonDepth + 1)).find("nested deeper than 32"), std::string::npos);
  EXPECT_NE(refused(nested(1000000)).find("nested deeper than 32"), std::string::npos);
  EXPECT_NE(refused(std::string(1000000, '[')).find("one object"), std::string::npos);
  EXPECT_NE(refused("{}" + std::string(static_cast<size_t>(kMaxJsonBytes), ' ')).find("larger than"),
            std::string::npos);
}

TEST(Json, Files) {
  const TempFolder folder;
  EXPECT_EQ(read_json_fields(File::open_regular(folder.file("a.json", "{\"x\": 1}"))).size(), 1u);
  EXPECT_EQ(message_of<IoError>([&] { read_json_fields(File::open_regular(folder / "absent.json")); }),
            folder / "absent.json" + ": cannot open: No such file or directory");
  EXPECT_THROW(read_json_fields(File::open_regular(folder.path())), IoError);
  const std::string big = folder.file("big.json", std::string(static_cast<size_t>(kMaxJsonBytes) + 1, ' '));
  EXPECT_NE(message_of<FormatError>([&] { read_json_fields(File::open_regular(big)); }).find("larger than"),
            std::string::npos);
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(read_json_fields(File::open_regular(folder / "pipe")), IoError)
      << "a pipe nobody writes to must not hang";
}

struct Inner {
  int64_t hidden = 256;
  double dropout = 0.3;
  void fields(FieldVisitor& v) {
    v("hidden", hidden, "");
    v("dropout", dropout, "");
  }
};
struct Group {
  std::string task = "translate \"x\"\n\xC3\xBC";
  Inner encoder;
  bool joint = true;
  StringList train = {"a.de", "a,en"}, none;
  double one = 1, tiny = 1e-300, third = 1.0 / 3;
  void fields(FieldVisitor& v) {
    v("task", task, "");
    v("encoder", encoder);
    v("joint", joint, "");
    v("train", train, "");
    v("none", none, "");
    v("one", one, "");
    v("tiny", tiny, "");
    v("third", third, "");
  }
};

TEST(Json, WritesWhatItReads) {
  Group group;
  const auto fields = fields_of(group);
  const std::string json = write_json_fields(fields);
  const std::string head =
      "{\n  \"task\": \"translate \\\"x\\\"\\n\xC3\xBC\",\n  \"encoder\": {\n    \"hidden\": 256,\n    \"dropout\": "
      "0.3\n"
      "  },\n  \"joint\": true,\n  \"train\": [";
  EXPECT_EQ(json.substr(0, head.size()), head);
  EXPECT_EQ(json.back(), '\n');
  const auto back = parse_json_fields(json, "f");
  ASSERT_EQ(back.size(), fields.size());
  for (size_t k = 0; k < back.size(); ++k) {
    EXPECT_EQ(back[k].path, fields[k].path);
    EXPECT_EQ(back[k].value, field_value(fields[k])) << back[k].path;
  }
  EXPECT_EQ(write_json_fields({}), "{}\n");
}

TEST(Json, WillNotWriteWhatItCannotRead) {
  Group group;
  group.third = std::numeric_limits<double>::infinity();
  EXPECT_THROW(write_json_fields(fields_of(group)), ConfigError);
  group = {};
  group.third = std::nan("");
  EXPECT_THROW(write_json_fields(fields_of(group)), ConfigError);
  group = {};
  group.task = "\xFF";
  EXPECT_THROW(write_json_fields(fields_of(group)), ConfigError);
  group = {};
  group.train = {"\xC3"};
  EXPECT_THROW(write_json_fields(fields_of(group)), ConfigError);
  int64_t a = 1;
  for (const auto& paths : {std::pair{"a", "a.b"}, std::pair{"a.b", "a"}, std::pair{"a", "a"}}) {
    const std::vector<Field> clash{{.path = paths.first, .value = &a}, {.path = paths.second, .value = &a}};
    EXPECT_THROW(write_json_fields(clash), ConfigError) << paths.first << " " << paths.second;
  }
}

TEST(Json, Quotes) {
  EXPECT_EQ(json_quote("a\"\\\n\x01\x7F/\xC3\xBC"), "\"a\\\"\\\\\\n\\u0001\x7F/\xC3\xBC\"");
  EXPECT_EQ(json_quote("\xFF"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(json_quote(""), "\"\"");
}

TEST(Json, ObjectsOnALine) {
  EXPECT_EQ(json_number(0.1), "0.1");
  EXPECT_EQ(json_number(0.1f), "0.1");
  EXPECT_EQ(json_number(std::nan("")), "null");
  const JsonObject none, inner = JsonObject().add("b", true);
  JsonObject all = JsonObject().add("a", "x\"").append(inner).append(none);
  EXPECT_EQ(all.raw("c", json_list(std::vector<int>{1, 2}, [](int x) { return std::to_string(x); })).text(),
            R"({"a": "x\"", "b": true, "c": [1, 2]})");
  EXPECT_EQ(none.text(), "{}");
  EXPECT_EQ(JsonObject().append(inner).text(), R"({"b": true})");
}

TEST(Json, ListsOfObjectsAreGroupsOfTheirNumbers) {
  const std::string text = R"({"a": [{"x": 1, "b": [{"y": "s"}]}, {"x": 2}], "c": {"d": ["t"]}, "e": 3})";
  const auto fields = parse_json_fields(text, "j");
  std::vector<std::string> paths;
  for (const KeyValue& kv : fields) paths.push_back(kv.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"a.0.x", "a.0.b.0.y", "a.1.x", "c.d", "e"}));
  int64_t x = 1, y = 2, z = 3;
  const std::vector<Field> written{
      {.path = "a.0.x", .value = &x}, {.path = "a.1.x", .value = &y}, {.path = "b.1.x", .value = &z}};
  const std::string json = write_json_fields(written);
  EXPECT_NE(json.find("\"a\": [\n"), std::string::npos) << json;
  EXPECT_NE(json.find("\"b\": {\n    \"1\""), std::string::npos) << json;
  const auto back = parse_json_fields(json, "j");
  ASSERT_EQ(back.size(), 3U);
  EXPECT_EQ(back[1].path, "a.1.x");
}

}  // namespace
}  // namespace lookback::io
