#include "lookback/cli/flags.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lookback/base/format_number.h"

namespace lookback::cli {
namespace {

struct Group {
  int64_t beam = 4, n_best = 1;
  bool allow_unk = true, sample = false;

  void fields(FieldVisitor& v) {
    v("beam", beam, "hypotheses").range(1, 100);
    v("n_best", n_best, "outputs").range(1, 100);
    v("allow_unk", allow_unk, "unknown words");
    v("sample", sample, "draw");
  }
};

struct Everything {
  StringList words, set, files;
  std::string out = "-", format = "text";
  double rate = 0;
  bool quiet = false;
  Group group;
  Flags flags{"try"};

  Everything() {
    flags.words("MODEL...", words, 1, "models");
    flags("out", out, "FILE", "where to");
    flags("format", format, "FORMAT", "how").choices({"text", "json"});
    flags("rate", rate, "X", "how fast");
    flags("quiet", quiet, "", "less talk");
    flags("set", set, "KEY=VALUE", "change");
    flags("data", files, "FILE...", "files");
    flags.add(fields_of(group));
  }

  std::string error(const StringList& words) {
    try {
      flags.parse(words);
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "";
  }
};

TEST(Flags, EveryWayToWriteThem) {
  Everything e;
  e.flags.parse({"a",
                 "--out",
                 "x",
                 "--rate=-1.5",
                 "b",
                 "--quiet",
                 "--n-best",
                 "3",
                 "--no-allow-unk",
                 "--sample=true",
                 "--set",
                 "k=1,2",
                 "--set=l=3",
                 "--data",
                 "f",
                 "g",
                 "--format",
                 "json",
                 "--",
                 "--c"});
  EXPECT_EQ(e.words, (StringList{"a", "b", "--c"}));
  EXPECT_EQ(e.out, "x");
  EXPECT_EQ(e.rate, -1.5);
  EXPECT_TRUE(e.quiet && e.group.sample && !e.group.allow_unk);
  EXPECT_EQ(e.group.n_best, 3);
  EXPECT_EQ(e.set, (StringList{"k=1,2", "l=3"}));
  EXPECT_EQ(e.files, (StringList{"f", "g"}));
  EXPECT_EQ(e.format, "json");
}

TEST(Flags, TheLastOneCountsAndDashIsAWord) {
  Everything e;
  e.flags.parse({"-", "--out", "x", "--out", "-", "--rate", "-2"});
  EXPECT_EQ(e.words, StringList{"-"});
  EXPECT_EQ(e.out, "-");
  EXPECT_EQ(e.rate, -2);
}

TEST(Flags, AddedFieldsKnowWhetherTheyWereGiven) {
  Everything e;
  e.flags.parse({"m", "--beam", "4"});
  const auto added = e.flags.added();
  ASSERT_EQ(added.size(), 4u);
  EXPECT_EQ(added[0].origin, "--beam");
  EXPECT_EQ(added[1].origin, "default");
}

TEST(Flags, MistakesSayWhatToDo) {
  const auto error = [](const StringList& words) { return Everything().error(words); };
  EXPECT_EQ(error({"m", "--n_bset", "2"}), "try: unknown flag '--n_bset'; did you mean '--n-best'?");
  EXPECT_EQ(error({"m", "-q"}), "try: unknown flag '-q'; lookback try --help lists them all");
  EXPECT_EQ(error({"m", "--zzzzzzzzzzzz"}), "try: unknown flag '--zzzzzzzzzzzz'; lookback try --help lists them all");
  EXPECT_EQ(error({"m", "--out"}), "try: --out needs a value: where to");
  EXPECT_EQ(error({"m", "--out", "--quiet"}), "try: --out needs a value: where to");
  EXPECT_EQ(error({}), "try: MODEL... is missing: models; it stands before the flags");
  EXPECT_NE(error({"m", "--beam", "0"}).find("--beam: beam = 0 is outside"), std::string::npos);
  EXPECT_NE(error({"m", "--beam", "x"}).find("--beam: beam must be a whole number"), std::string::npos);
  EXPECT_NE(error({"m", "--format", "jsn"}).find("did you mean 'json'?"), std::string::npos);
  EXPECT_NE(error({"m", "--quiet=maybe"}).find("must be true or false"), std::string::npos);
  EXPECT_EQ(error({"m", "--no-quiet=true"}), "try: --no-quiet=true: takes no value");
}

TEST(Flags, HelpTellsChoicesAndDefaults) {
  const auto sections = Everything().flags.help("more");
  ASSERT_EQ(sections.size(), 3u);
  EXPECT_EQ(sections[1].entries[1].name, "--format FORMAT");
  EXPECT_EQ(sections[1].entries[1].text, "how; one of text, json (default \"text\")");
  EXPECT_EQ(sections[2].title, "more");
  EXPECT_EQ(sections[2].entries[1].name, "--n-best N");
  EXPECT_EQ(sections[2].entries[2].name, "--no-allow-unk");
}

}  // namespace
}  // namespace lookback::cli
