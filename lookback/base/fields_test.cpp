#include "lookback/base/fields.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lookback/base/error.h"

namespace lookback {
namespace {

struct Cell {
  int64_t layers = 1;
  void fields(FieldVisitor& v) { v("layers", layers, "how many").range(1, 8); }
};

struct Model {
  Cell encoder, decoder;
  std::string score = "dot";
  void fields(FieldVisitor& v) {
    v("encoder", encoder);
    v("decoder", decoder);
    v("score", score, "how query and key are compared").choices({"dot", "general", "additive"});
  }
};

struct Block {
  std::string kind = "lstm";
  int64_t width = 1;
  std::deque<Cell> cells;
  void fields(FieldVisitor& v) {
    v("kind", kind, "what it is").choices({"lstm", "gru"});
    v("width", width, "how wide");
    v("cells", cells);
  }
};

struct Stack {
  std::deque<Block> blocks;
  int64_t last = 0;
  void fields(FieldVisitor& v) {
    v("blocks", blocks);
    v("last", last, "behind them");
  }
};

// Lists grow by one when their next group is named, and what was found before stays where it is.
TEST(FieldLists, GrowAsTheyAreSet) {
  Stack stack;
  Fields fields = fields_of(stack);
  EXPECT_EQ(fields.size(), 1U);
  const auto set = [&](std::string_view path, const FieldValue& value) {
    set_field(find_field(fields, path, "here"), value, "here");
  };
  set("blocks.0.width", int64_t{3});
  set("blocks.1.kind", "gru");
  set("blocks.1.cells.0.layers", int64_t{5});
  set("blocks.0.kind", "gru");
  ASSERT_EQ(stack.blocks.size(), 2U);
  EXPECT_EQ(stack.blocks[0].width, 3);
  EXPECT_EQ(stack.blocks[0].kind, "gru");
  EXPECT_EQ(stack.blocks[1].cells.at(0).layers, 5);
  StringList paths;
  for (const Field& f : fields_of(stack)) paths.push_back(f.path);
  EXPECT_EQ(paths, (StringList{"blocks.0.kind", "blocks.0.width", "blocks.1.kind", "blocks.1.width",
                               "blocks.1.cells.0.layers", "last"}));
  EXPECT_EQ(fields.lists[0].example()[1].path, "blocks.N.width");
  const auto said = [&](std::string_view path) -> std::string {
    try {
      find_field(fields, path, "here");
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(said("blocks.3.kind"), "here: blocks.3.kind: blocks has 2 entries; the next one is number 2");
  EXPECT_EQ(said("blocks.1.knd"), "here: unknown key 'blocks.1.knd'; did you mean 'blocks.1.kind'?");
  EXPECT_NE(said("blocks"), "");
  EXPECT_NE(said("blocks.x.kind"), "");
  EXPECT_EQ(stack.blocks.size(), 2U);
}

struct Options {
  Model model;
  int64_t beam = 5;
  double dropout = 0.3;
  bool joint = false;
  std::string name = "run";
  StringList train = {"a.txt"};
  void fields(FieldVisitor& v) {
    v("model", model);
    v("beam", beam, "hypotheses kept").range(1, 1000);
    v("dropout", dropout, "share of units dropped").range(0, 1);
    v("joint", joint, "one vocabulary for both sides");
    v("name", name, "what to call it");
    v("train", train, "files");
  }
};

class FieldsTest : public testing::Test {
 protected:
  Field& field(std::string_view path) { return find_field(fields_, path, "test"); }

  // What set_field complains about; "" if it does not.
  std::string complaint(std::string_view path, const FieldValue& value) {
    return caught([&] { set_field(field(path), value, "recipe.toml:12"); });
  }
  std::string complaint_text(std::string_view path, std::string_view value) {
    return caught([&] { set_field_text(field(path), value, "--set"); });
  }
  template <class F>
  static std::string caught(F&& f) {
    try {
      f();
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "";
  }

  Options options_;
  std::vector<Field> fields_ = fields_of(options_);
};

TEST_F(FieldsTest, ListsEveryLeafInOrderWithDottedPaths) {
  StringList paths;
  for (const Field& f : fields_) paths.push_back(f.path);
  EXPECT_EQ(paths, (StringList{"model.encoder.layers", "model.decoder.layers", "model.score", "beam", "dropout",
                               "joint", "name", "train"}));
  EXPECT_EQ(field("model.score").help, "how query and key are compared");
  EXPECT_EQ(field("beam").origin, "default");
}

TEST_F(FieldsTest, SetsEachTypeAndRemembersWhere) {
  set_field(field("model.decoder.layers"), int64_t{2}, "recipe.toml:3");
  set_field(field("dropout"), 0.5, "recipe.toml:4");
  set_field(field("joint"), true, "recipe.toml:5");
  set_field(field("model.score"), "general", "recipe.toml:6");
  set_field(field("train"), StringList{"x", "y"}, "recipe.toml:7");
  EXPECT_EQ(options_.model.decoder.layers, 2);
  EXPECT_EQ(options_.model.encoder.layers, 1);
  EXPECT_EQ(options_.dropout, 0.5);
  EXPECT_TRUE(options_.joint);
  EXPECT_EQ(options_.model.score, "general");
  EXPECT_EQ(options_.train, (StringList{"x", "y"}));
  EXPECT_EQ(field("train").origin, "recipe.toml:7");
}

TEST_F(FieldsTest, WholeNumbersServeAsNumbersAndOneStringAsAList) {
  set_field(field("dropout"), int64_t{1}, "a");
  EXPECT_EQ(options_.dropout, 1.0);
  set_field(field("train"), "only.txt", "a");
  EXPECT_EQ(options_.train, StringList{"only.txt"});
}

TEST_F(FieldsTest, AListInTextIsWrittenPlainlyOrAsInARecipe) {
  set_field_text(field("train"), "x.de,x y.en", "--set");
  EXPECT_EQ(options_.train, (StringList{"x.de", "x y.en"}));
  set_field_text(field("train"), R"(["a,b", 'c'])", "--set");
  EXPECT_EQ(options_.train, (StringList{"a,b", "c"}));
  set_field_text(field("name"), "[1]", "--set");
  EXPECT_EQ(options_.name, "[1]");
  try {
    set_field_text(field("train"), "[x,y]", "--set");
    ADD_FAILURE() << "nothing was thrown";
  } catch (const ConfigError& e) {
    EXPECT_EQ(std::string(e.what()).find(
                  "--set: train is not a list: a string in quotes or a whole number is missing at x,y]"),
              0u);
  }
  EXPECT_EQ(options_.train, (StringList{"a,b", "c"}));
}

TEST_F(FieldsTest, WrongTypesSayWhatIsWanted) {
  EXPECT_EQ(complaint("joint", int64_t{1}), "recipe.toml:12: joint must be true or false");
  EXPECT_EQ(complaint("beam", 2.0), "recipe.toml:12: beam must be a whole number");
  EXPECT_EQ(complaint("beam", true), "recipe.toml:12: beam must be a whole number");
  EXPECT_EQ(complaint("dropout", "0.1"), "recipe.toml:12: dropout must be a number");
  EXPECT_EQ(complaint("name", int64_t{3}), "recipe.toml:12: name must be a string");
  EXPECT_EQ(complaint("train", int64_t{3}), "recipe.toml:12: train must be a list of strings");
}

TEST_F(FieldsTest, RangesIncludeTheirEnds) {
  EXPECT_EQ(complaint("beam", int64_t{1}), "");
  EXPECT_EQ(complaint("beam", int64_t{1000}), "");
  EXPECT_EQ(complaint("beam", int64_t{0}), "recipe.toml:12: beam = 0 is outside [1, 1000]");
  EXPECT_EQ(complaint("beam", int64_t{1001}), "recipe.toml:12: beam = 1001 is outside [1, 1000]");
  EXPECT_EQ(complaint("dropout", 1.5), "recipe.toml:12: dropout = 1.5 is outside [0, 1]");
  EXPECT_EQ(complaint("dropout", std::nan("")), "recipe.toml:12: dropout is not a number");
  EXPECT_NE(complaint("dropout", INFINITY), "");
  EXPECT_EQ(options_.beam, 1000);
}

TEST_F(FieldsTest, ChoicesNameTheListAndTheNearest) {
  EXPECT_EQ(complaint("model.score", "genral"),
            "recipe.toml:12: model.score = 'genral' is not one of dot, general, additive; did you mean 'general'?");
  EXPECT_EQ(complaint("model.score", "transformer"),
            "recipe.toml:12: model.score = 'transformer' is not one of dot, general, additive");
}

TEST_F(FieldsTest, ARefusedValueChangesNothing) {
  EXPECT_NE(complaint("beam", int64_t{0}), "");
  EXPECT_EQ(options_.beam, 5);
  EXPECT_EQ(field("beam").origin, "default");
}

TEST_F(FieldsTest, TextIsReadByTheFieldsType) {
  set_field_text(field("beam"), "12", "--beam");
  set_field_text(field("dropout"), "1e-1", "--set");
  set_field_text(field("joint"), "true", "--joint");
  set_field_text(field("name"), "12", "--name");
  set_field_text(field("train"), "a.de,a.en", "--train");
  EXPECT_EQ(options_.beam, 12);
  EXPECT_EQ(options_.dropout, 0.1);
  EXPECT_TRUE(options_.joint);
  EXPECT_EQ(options_.name, "12");
  EXPECT_EQ(options_.train, (StringList{"a.de", "a.en"}));
  EXPECT_EQ(field("beam").origin, "--beam");
  set_field_text(field("joint"), "false", "--joint");
  EXPECT_FALSE(options_.joint);
  set_field_text(field("train"), "", "--train");
  EXPECT_EQ(options_.train, StringList{});
}

TEST_F(FieldsTest, BadTextIsQuoted) {
  EXPECT_EQ(complaint_text("beam", "ten"), "--set: beam must be a whole number, got 'ten'");
  EXPECT_EQ(complaint_text("beam", "1.5"), "--set: beam must be a whole number, got '1.5'");
  EXPECT_EQ(complaint_text("beam", ""), "--set: beam must be a whole number, got ''");
  EXPECT_EQ(complaint_text("beam", "99999999999999999999"),
            "--set: beam must be a whole number, got '99999999999999999999'");
  EXPECT_EQ(complaint_text("dropout", "0.1x"), "--set: dropout must be a number, got '0.1x'");
  EXPECT_EQ(complaint_text("joint", "yes"), "--set: joint must be true or false, got 'yes'");
  EXPECT_EQ(complaint_text("beam", "0"), "--set: beam = 0 is outside [1, 1000]");
  EXPECT_NE(complaint_text("dropout", "nan"), "");
}

TEST_F(FieldsTest, UnknownKeysGetTheNearest) {
  EXPECT_EQ(caught([&] { field("beem"); }), "test: unknown key 'beem'; did you mean 'beam'?");
  EXPECT_EQ(caught([&] { field("score"); }), "test: unknown key 'score'; did you mean 'model.score'?");
  EXPECT_EQ(caught([&] { field("model.encoder.layer"); }),
            "test: unknown key 'model.encoder.layer'; did you mean 'model.encoder.layers'?");
  EXPECT_EQ(caught([&] { field("zzzzzzzz"); }), "test: unknown key 'zzzzzzzz'");
}

TEST(NearestMatch, PrefersTheCloserAndKnowsWhenNothingIs) {
  EXPECT_EQ(nearest_match("trian", {"explain", "train", "trim"}), "; did you mean 'train'?");
  EXPECT_EQ(nearest_match("x", {"export", "import"}), "");
  EXPECT_EQ(nearest_match("beam", {}), "");
}

TEST_F(FieldsTest, WritesValuesAsTomlWould) {
  options_.name = "a \"b\" \\ c\n\td";
  options_.train = {"x", "y z"};
  EXPECT_EQ(field_text(field("beam")), "5");
  EXPECT_EQ(field_text(field("dropout")), "0.3");
  options_.dropout = 1;
  EXPECT_EQ(field_text(field("dropout")), "1.0");
  EXPECT_EQ(field_text(field("joint")), "false");
  EXPECT_EQ(field_text(field("name")), R"("a \"b\" \\ c\n\td")");
  EXPECT_EQ(field_text(field("train")), R"(["x", "y z"])");
}

TEST_F(FieldsTest, NumbersSurviveTextBitForBit) {
  for (const double x : {0.1, 1.0 / 3, 1e-300, 0.999999999999999889}) {
    options_.dropout = x;
    const std::string written = field_text(field("dropout"));
    options_.dropout = 0;
    set_field_text(field("dropout"), written, "--set");
    EXPECT_EQ(options_.dropout, x) << written;
  }
}

TEST_F(FieldsTest, ValueReadsBackWhatWasSet) {
  set_field(field("train"), StringList{"p"}, "a");
  EXPECT_EQ(field_value(field("train")), FieldValue(StringList{"p"}));
  EXPECT_EQ(field_value(field("beam")), FieldValue(int64_t{5}));
}

}  // namespace
}  // namespace lookback
