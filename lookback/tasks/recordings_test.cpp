#include "lookback/tasks/recordings.h"

#include <zlib.h>

#include <filesystem>

#include "lookback/base/testing.h"
#include "lookback/tasks/testing.h"

namespace lookback::tasks {
namespace {

std::string gzipped(const std::string& text, const std::string& path) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  return path;
}

// "text|name=value|name=value", or "no" for a name that the pattern does not fit.
std::string matched(const std::string& pattern, const std::string& name) {
  Recording r;
  if (!NamePattern(pattern).match(name, r)) return "no";
  std::string out = r.text;
  for (const auto& [key, value] : r.fields) out += "|" + key + "=" + value;
  return out;
}

TEST(NamePattern, TakesNamesApart) {
  EXPECT_EQ(matched("{text}_{speaker}_{index}.wav", "7_theo_12.wav"), "7|speaker=theo|index=12");
  EXPECT_EQ(matched("{text}_{speaker}_{index}.wav", "go_up_now_theo_12.wav"), "go up now|speaker=theo|index=12");
  EXPECT_EQ(matched("{speaker}_{index}_{text}.wav", "theo_12_go_up.wav"), "go up|speaker=theo|index=12");
  EXPECT_EQ(matched("x{speaker}-{text}-{index}y", "xtheo-go_up-1y"), "go up|speaker=theo|index=1");
  EXPECT_EQ(matched("{text}.wav", "a.b.wav"), "a.b");
  EXPECT_EQ(matched("{text}", "größe_ß"), "größe ß");
  for (const char* name :
       {"7_theo_12.flac", "7_theo.wav", "_theo_12.wav", "7__12.wav", "7_theo_.wav", ".wav", "wav", ""})
    EXPECT_EQ(matched("{text}_{speaker}_{index}.wav", name), "no") << name;
  EXPECT_EQ(matched("aa{text}aa", "aaa"), "no") << "both ends may not share a letter";
}

TEST(NamePattern, RefusesWhatCannotBeTakenApart) {
  const auto refused = [](const char* pattern) { return message_of<ConfigError>([&] { NamePattern{pattern}; }); };
  const auto says = [&](const char* pattern, const char* what) {
    const std::string message = refused(pattern);
    EXPECT_NE(message.find("data.pattern = '" + std::string(pattern)), std::string::npos) << message;
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  for (const char* none : {"", "x.wav", "{speaker}.wav"}) says(none, "needs one {text}");
  says("{text}_{text}.wav", "has {text} twice");
  says("{text}_{a}_{a}.wav", "has {a} twice");
  says("{text}{speaker}.wav", "nothing between {text} and {speaker}");
  says("{text}_{}.wav", "{ needs a name and }");
  says("{text}_{speaker.wav", "{ needs a name and }");
  says("{speaker}/{text}.wav", "without folders");
}

TEST(Conditions, ValuesRangesAndTexts) {
  const Recording r{.path = "", .text = "go up", .fields = {{"speaker", "theo"}, {"index", "07"}, {"x", "-3"}}};
  const auto hold = [&](const StringList& conditions) { return holds(conditions, r, "key"); };
  EXPECT_TRUE(hold({}));
  for (const char* yes : {"speaker=theo", "speaker=max|theo", "index=07", "index=0-7", "index=7-7", "index=1-2|5-9",
                          "text=go up", "index=08|07"})
    EXPECT_TRUE(hold({yes})) << yes;
  for (const char* no : {"speaker=the", "speaker=theo ", "index=7", "index=8-9", "index=0-6", "text=go", "speaker=0-9",
                         "x=0-9", "index=a-b"})
    EXPECT_FALSE(hold({no})) << no;
  EXPECT_TRUE(hold({"speaker=theo", "index=0-9"}));
  EXPECT_FALSE(hold({"speaker=theo", "index=8-9"}));
  const auto refused = [&](const char* text) { return message_of<ConfigError>([&] { hold({text}); }); };
  for (const char* text : {"speaker", "=theo", "speaker=", ""})
    EXPECT_EQ(refused(text), "key: '" + std::string(text) + "' is no condition like speaker=theo or index=10-49");
  EXPECT_EQ(refused("age=3"), "key: 'age=3': names of recordings have no {age}");
  EXPECT_EQ(refused("index=9-1"), "key: 'index=9-1': there is no number from 9-1");
  EXPECT_EQ(refused("speaker=a|"), "key: 'speaker=a|' has nothing on one side of |");
}

class RecordingsTest : public ::testing::Test {
 protected:
  std::vector<Recording> read(const RecordingData& data, Split split = Split::train) {
    report_ = {};
    return data.recordings(split, folder_.path(), report_);
  }
  // Paths within the folder, and texts.
  StringList read_all(const RecordingData& data, Split split = Split::train) {
    StringList out;
    for (const Recording& r : read(data, split))
      out.push_back(std::filesystem::path(r.path).lexically_relative(folder_.path()).string() + ":" + r.text);
    return out;
  }
  StringList names(const RecordingData& data, Split split) {
    StringList out;
    for (const Recording& r : read(data, split)) out.push_back(std::filesystem::path(r.path).filename().string());
    return out;
  }
  static std::string refused(const RecordingData& data) {
    return message_of<ConfigError>([&] { data.validate(); });
  }
  // digit_speaker_index.wav
  void write_digits() {
    std::filesystem::create_directory(folder_ / "r");
    for (const char* digit : {"0", "1"})
      for (const char* speaker : {"ann", "bob"})
        for (const char* index : {"0", "1", "2"})
          folder_.file(str_cat("r/", digit, "_", speaker, "_", index, ".wav"), "");
    folder_.file("r/README.wav", "");
  }
  static RecordingData digits() { return {.train = {"r/*.wav"}, .pattern = "{text}_{speaker}_{index}.wav"}; }

  io::TempFolder folder_;
  data::TableReport report_;
};

TEST_F(RecordingsTest, ListsOfAnyShape) {
  std::filesystem::create_directory(folder_ / "sub");
  const StringList both{"sub/a.wav:one two", "sub/b.wav:three"};
  folder_.file("sub/l.tsv", "a.wav\tone two\nb.wav\tthree\n");
  folder_.file("sub/l.txt", "a.wav\tone two\textra\nb.wav\tthree\textra\n");
  folder_.file("sub/l.csv", "text,audio\n\"one two\",a.wav\nthree,b.wav\n");
  folder_.file("sub/l.jsonl", R"({"audio": "a.wav", "text": "one two"})"
                              "\n"
                              R"({"text": "three", "more": 1, "audio": "b.wav"})"
                              "\n");
  for (const char* ending : {"tsv", "txt", "csv", "jsonl"}) {
    const std::string name = str_cat("sub/l.", ending);
    EXPECT_EQ(read_all({.train = {name}}), both) << name;
    gzipped(io::slurp(folder_ / name), folder_ / (name + ".gz"));
    EXPECT_EQ(read_all({.train = {name + ".gz"}}), both) << name << ".gz";
    EXPECT_EQ(report_.read, 2);
    EXPECT_TRUE(report_.left_out.empty());
  }
  EXPECT_EQ(read({.train = {"sub/l.csv"}})[1].where, folder_ / "sub/l.csv:3");
  // Several, of several shapes; each is read by its own name.
  StringList four = both;
  four.insert(four.end(), both.begin(), both.end());
  EXPECT_EQ(read_all({.train = {"sub/l.txt", "sub/l.csv"}}), four);
  EXPECT_EQ(read_all({.train = {"sub/l.jsonl", "sub/l.tsv"}}), four);
  EXPECT_EQ(read_all({.train = {"sub/l.t*t"}}), both);
}

TEST_F(RecordingsTest, ColumnsByNumberAndName) {
  folder_.file("l.tsv", "n\tsentence\tpath\n1\tone\ta.wav\n");
  EXPECT_EQ(read_all({.train = {"l.tsv"}, .columns = {"path", "sentence"}}), (StringList{"a.wav:one"}));
  EXPECT_EQ(read_all({.train = {"l.tsv"}, .columns = {"3", "2"}}), (StringList{"path:sentence", "a.wav:one"}));
  EXPECT_NE(message_of<FormatError>([&] {
              read({.train = {"l.tsv"}, .columns = {"path", "txt"}});
            }).find("'txt'"),
            std::string::npos);
  EXPECT_NE(message_of<ConfigError>([&] { read({.train = {"l.tsv"}, .columns = {"path"}}); }).find("audio and text"),
            std::string::npos);
}

TEST_F(RecordingsTest, PathsAreRelativeToTheListOrWhole) {
  std::filesystem::create_directory(folder_ / "sub");
  folder_.file("sub/l.tsv", "/x/a.wav\ta\n../b.wav\tb\nd/c.wav\tc\n");
  const auto found = read({.train = {"sub/l.tsv"}});
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].path, "/x/a.wav");
  EXPECT_EQ(found[1].path, folder_ / "sub/../b.wav");
  EXPECT_EQ(found[2].path, folder_ / "sub/d/c.wav");
}

TEST_F(RecordingsTest, LinesThatAreNoRowAreCountedOrStop) {
  folder_.file("l.tsv", "a.wav\ta\nragged\nb.wav\tb\n\tno path\n");
  EXPECT_EQ(read_all({.train = {"l.tsv"}}), (StringList{"a.wav:a", "b.wav:b"}));
  EXPECT_EQ(report_.read, 4);
  EXPECT_EQ(report_.left_out_for("a column is missing"), 1);
  EXPECT_EQ(report_.left_out_for("the path of the recording is empty"), 1);
  EXPECT_EQ(report_.examples[0], folder_ / "l.tsv:2: a column is missing");
  EXPECT_NE(message_of<FormatError>([&] { read({.train = {"l.tsv"}, .bad_lines = "stop"}); }).find("l.tsv:2"),
            std::string::npos);
  folder_.file("e.tsv", "\tno path\n");
  EXPECT_NE(message_of<FormatError>([&] { read({.train = {"e.tsv"}, .bad_lines = "stop"}); }).find("e.tsv:1"),
            std::string::npos);
  EXPECT_NE(message_of<IoError>([&] { read({.train = {"none.tsv"}}); }).find("none.tsv"), std::string::npos);
  EXPECT_NE(message_of<IoError>([&] { read({.train = {"n*.tsv"}}); }).find("no file like"), std::string::npos);
}

TEST_F(RecordingsTest, NamesSayWhatIsInThem) {
  write_digits();
  RecordingData data = digits();
  EXPECT_EQ(read(data).size(), 12U);
  EXPECT_EQ(report_.read, 13);
  EXPECT_EQ(report_.left_out_for("the name is not like data.pattern"), 1);
  data.train_where = {"index=1-2", "speaker=ann"};
  data.valid_where = {"index=0"}, data.test_where = {"speaker=bob", "text=1"};
  data.validate();
  EXPECT_EQ(names(data, Split::train), (StringList{"0_ann_1.wav", "0_ann_2.wav", "1_ann_1.wav", "1_ann_2.wav"}));
  EXPECT_EQ(names(data, Split::valid), (StringList{"0_ann_0.wav", "0_bob_0.wav", "1_ann_0.wav"}))
      << "1_bob_0 is in the test part";
  EXPECT_EQ(names(data, Split::test), (StringList{"1_bob_0.wav", "1_bob_1.wav", "1_bob_2.wav"}));
  EXPECT_TRUE(data.has_test());
}

TEST_F(RecordingsTest, NoPartHasWhatAnotherHas) {
  write_digits();
  RecordingData data = digits();
  data.valid_where = {"index=0-1"}, data.test_where = {"index=1-2", "speaker=bob"};
  std::set<std::string> all;
  size_t count = 0;
  for (const Split split : {Split::train, Split::valid, Split::test})
    for (const std::string& name : names(data, split)) all.insert(name), ++count;
  EXPECT_EQ(all.size(), count);
  EXPECT_EQ(count, 12U);
}

TEST_F(RecordingsTest, HeldOutRecordingsAreTheTestPartAlone) {
  write_digits();
  RecordingData data = digits();
  data.train_where = {"index=1-2"}, data.valid_where = {"index=0"}, data.test_where = {"index=0"};
  data.hold_out = "speaker=bob";
  data.validate();
  for (const Split split : {Split::train, Split::valid, Split::test}) {
    const auto found = names(data, split);
    EXPECT_EQ(found.size(), split == Split::train ? 4U : split == Split::valid ? 2U : 6U);
    for (const std::string& name : found)
      EXPECT_EQ(name.find("bob") != std::string::npos, split == Split::test) << name;
  }
  EXPECT_TRUE(data.has_test());
  data.valid_where = {}, data.valid = {"50 %"}, data.train_where = {};
  for (const std::string& name : names(data, Split::valid)) EXPECT_EQ(name.find("bob"), std::string::npos);
}

TEST_F(RecordingsTest, SharesAreDisjointAndStable) {
  std::string lines;
  for (int k = 0; k < 1000; ++k) lines += str_cat(k, ".wav\ttext ", k % 7, "\n");
  folder_.file("l.tsv", lines);
  const RecordingData data{.train = {"l.tsv"}, .valid = {"10 %"}, .test = {"20 %"}};
  data.validate();
  EXPECT_TRUE(data.has_test());
  std::map<Split, StringList> parts;
  std::set<std::string> all;
  for (const Split split : {Split::train, Split::valid, Split::test}) {
    parts[split] = read_all(data, split);
    EXPECT_EQ(report_.read, std::ssize(parts[split]));
    all.insert(parts[split].begin(), parts[split].end());
  }
  EXPECT_EQ(all.size(), 1000U);
  EXPECT_EQ(parts[Split::train].size() + parts[Split::valid].size() + parts[Split::test].size(), 1000U);
  EXPECT_NEAR(static_cast<double>(parts[Split::valid].size()), 100, 30);
  EXPECT_NEAR(static_cast<double>(parts[Split::test].size()), 200, 40);
  // A recording stays where it is when others come and go, in lists that lie elsewhere, and without a test part.
  std::filesystem::create_directory(folder_ / "sub");
  folder_.file("sub/l.tsv", lines.substr(lines.find("500.wav")));
  StringList second;
  for (const std::string& one : parts[Split::valid])
    if (std::stoi(one) >= 500) second.push_back("sub/" + one);
  EXPECT_EQ(read_all({.train = {"sub/l.tsv"}, .valid = {"10 %"}}, Split::valid), second);
}

TEST_F(RecordingsTest, AShareIsOfTheTrainingRecordings) {
  write_digits();
  RecordingData data = digits();
  data.train_where = {"index=1-2"}, data.test_where = {"index=0"}, data.valid = {"50 %"};
  std::set<std::string> all;
  for (const Split split : {Split::train, Split::valid})
    for (const std::string& name : names(data, split)) {
      EXPECT_EQ(name.find("_0.wav"), std::string::npos) << name;
      all.insert(name);
    }
  EXPECT_EQ(all.size(), 8U);
  EXPECT_EQ(names(data, Split::test).size(), 4U);
}

TEST_F(RecordingsTest, FilesOfTheirOwn) {
  for (const char* name : {"train", "valid", "test"}) folder_.file(str_cat(name, ".tsv"), str_cat(name, ".wav\tx\n"));
  const RecordingData data{.train = {"train.tsv"}, .valid = {"valid.tsv"}, .test = {"test.tsv"}};
  data.validate();
  EXPECT_EQ(read_all(data, Split::train), (StringList{"train.wav:x"}));
  EXPECT_EQ(read_all(data, Split::valid), (StringList{"valid.wav:x"}));
  EXPECT_EQ(read_all(data, Split::test), (StringList{"test.wav:x"}));
  EXPECT_FALSE((RecordingData{.train = {"train.tsv"}, .valid = {"valid.tsv"}}.has_test()));
}

TEST_F(RecordingsTest, WhatCannotBeIsNamed) {
  const auto says = [&](const RecordingData& data, const char* what) {
    const std::string message = refused(data);
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  says({}, "data.train must name lists of recordings");
  says({.train = {"10 %"}, .valid = {"v"}}, "data.train must name lists of recordings");
  says({.train = {"l.tsv"}}, "data.valid must say what validation is for");
  for (const char* share : {"0 %", "100 %", "x %", "%", "-1 %"}) {
    says({.train = {"l.tsv"}, .valid = {share}}, "data.valid = ");
    says({.train = {"l.tsv"}, .valid = {"v.tsv"}, .test = {share}}, "is no share");
  }
  says({.train = {"l.tsv"}, .valid = {"60 %"}, .test = {"40 %"}}, "leave nothing to learn from");
  says({.train = {"l.tsv"}, .valid = {"v.tsv"}, .train_where = {"a=1"}}, "data.train_where is about names");
  says({.train = {"l.tsv"}, .valid = {"v.tsv"}, .valid_where = {"a=1"}}, "data.valid_where is about names");
  says({.train = {"l.tsv"}, .valid = {"v.tsv"}, .test_where = {"a=1"}}, "data.test_where is about names");
  says({.train = {"l.tsv"}, .valid = {"v.tsv"}, .hold_out = "a=1"}, "data.hold_out is about names");
  RecordingData data = digits();
  data.valid_where = {"index=0"};
  data.validate();
  const auto with = [&](auto&& change, const char* what) {
    RecordingData changed = data;
    change(changed);
    says(changed, what);
  };
  with([](auto& d) { d.columns = {"1", "2"}; }, "data.columns are of lists");
  with([](auto& d) { d.pattern = "{speaker}.wav"; }, "needs one {text}");
  with([](auto& d) { d.train_where = {"speker=a"}; }, "did you mean 'speaker'?");
  with([](auto& d) { d.valid_where = {"age=1"}; }, "data.valid_where: 'age=1': data.pattern = ");
  with([](auto& d) { d.test_where = {"index"}; }, "data.test_where: 'index' is no condition");
  with([](auto& d) { d.hold_out = "index=3-1"; }, "data.hold_out: 'index=3-1': there is no number");
  with([](auto& d) { d.hold_out = "speaker=bob", d.test = {"10 %"}; }, "data.hold_out says what the test part is");
}

}  // namespace
}  // namespace lookback::tasks
