#include "lookback/cli/converse.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "lookback/base/error.h"

namespace lookback::cli {
namespace {

struct FakeOptions final : tasks::PredictOptions {
  Fields fields() override { return {}; }
};

// Says back what it got: "number|history|knowledge", with '/' between lines.
struct Parrot final : tasks::TaskModel {
  bool explains = true;
  mutable std::vector<tasks::Input> explained;

  static std::string slashed(const std::string* text) {
    std::string out = text ? *text : "-";
    for (char& c : out)
      if (c == '\n') c = '/';
    return out;
  }
  static std::string reply(const tasks::Input& input) {
    const std::string* const history = input.find("history");
    if (history->ends_with("break")) return "two\nlines";
    if (history->ends_with("bell")) return "\a";
    return std::to_string(input.line) + "|" + slashed(history) + "|" + slashed(input.find("knowledge"));
  }

  std::string task() const override { return "chat"; }
  std::vector<tasks::InputField> input_fields() const override {
    return {{"history", "turns"}, {"knowledge", "rows", false}};
  }
  std::string output_name() const override { return "reply"; }
  std::unique_ptr<tasks::PredictOptions> options() const override { return std::make_unique<FakeOptions>(); }
  void validate(const tasks::PredictOptions&, const LogSink&) const override {}
  std::vector<tasks::Prediction> predict(std::span<const tasks::Input> inputs, const tasks::PredictOptions&,
                                         Detail) const override {
    std::vector<tasks::Prediction> out;
    for (const tasks::Input& input : inputs) {
      out.push_back({.line = input.line, .outputs = {{.text = reply(input)}}});
      if (input.find("history")->ends_with("long")) out.back().warnings.push_back({"history", "is long"});
    }
    return out;
  }
  viz::Figure explain(const tasks::Input& input, const tasks::PredictOptions&) const override {
    check<ConfigError>(explains, "this model has no attention");
    explained.push_back(input);
    return viz::HeatMap{.columns = {"history", {*input.find("history")}},
                        .rows = {"reply", {"r"}},
                        .weights = Tensor::full({1, 1}, 1.0f),
                        .title = "a map"};
  }

  // What a conversation has no use for.
  std::string predict_table(const std::string&, std::string_view, const tasks::PredictOptions&) const override {
    return "";
  }
  std::unique_ptr<tasks::TextStream> stream(const tasks::PredictOptions&) const override { return nullptr; }
  viz::Figure explain_table(const std::string&, const std::string&, const tasks::PredictOptions&) const override {
    return {};
  }
  std::string steps(const tasks::Input&, const tasks::PredictOptions&) const override { return ""; }
  tasks::EvaluationReport evaluate(const Evaluation&, const tasks::PredictOptions&) const override { return {}; }
  BacktestReport backtest(const Backtest&, const tasks::PredictOptions&) const override { return {}; }
};

struct Held {
  std::string out;
  StringList warnings, hints, rows;
};

Held hold(const Parrot& model, const std::string& lines, bool terminal = false,
          Conversation conversation = Conversation()) {
  Held held;
  std::istringstream in(lines);
  std::ostringstream out;
  const auto note = [&](Severity severity, std::string_view words) {
    (severity == Severity::info ? held.hints : held.warnings).emplace_back(words);
  };
  converse(model, FakeOptions(), std::move(conversation),
           {.next = [&](std::string& line) { return static_cast<bool>(std::getline(in, line)); },
            .write = [&](std::string_view words) { out << words; },
            .log = note,
            .keep = [&](std::string_view row) { held.rows.emplace_back(row); },
            .terminal = terminal});
  held.out = out.str();
  return held;
}
Held hold(const std::string& lines) { return hold(Parrot(), lines); }

TEST(Converse, OneReplyALine) {
  const Held held = hold("a\nb c\n");
  EXPECT_EQ(held.out, "1|a|-\n2|a/1|a|-/b c|-\n");
  EXPECT_EQ(held.warnings, StringList());
  EXPECT_EQ(held.hints, StringList());
  EXPECT_EQ(held.rows, (StringList{"{\"history\": [\"a\"], \"knowledge\": [], \"reply\": \"1|a|-\"}\n",
                                   "{\"history\": [\"a\", \"1|a|-\", \"b c\"], \"knowledge\": [], \"reply\": "
                                   "\"2|a/1|a|-/b c|-\"}\n"}));
  EXPECT_EQ(hold("break\n").out, "two lines\n") << "whatever the model writes";
  EXPECT_EQ(hold("").out, "");
}

TEST(Converse, PromptsAndHintsAreForTerminals) {
  const Parrot parrot;
  EXPECT_EQ(hold(parrot, "a\n", true).out, "> 1|a|-\n> \n");
  EXPECT_EQ(hold(parrot, "a\n/quit\nb\n", true).out, "> 1|a|-\n> ");
  EXPECT_EQ(hold(parrot, "bell\n", true).out, "> \xE2\x90\x87\n> \n") << "a reply cannot steer a terminal";
  EXPECT_EQ(hold(parrot, "bell\n").out, "\a\n");
  const Held empty = hold(parrot, "\n \t\n", true);
  EXPECT_EQ(empty.out, "> > > \n");
  EXPECT_EQ(empty.hints.size(), 2u);
  const Held piped = hold(parrot, "\n \t\n/know k\n/reset\na\n/undo\n");
  EXPECT_EQ(piped.out, "1|a|-\n");
  EXPECT_EQ(piped.hints.size() + piped.warnings.size(), 0u);
}

TEST(Converse, KnowUndoResetAndQuit) {
  EXPECT_EQ(hold("/know k  l \na\n/know m\nb\n").out, "1|a|k  l\n2|a/1|a|k  l/b|k  l/m\n");
  EXPECT_EQ(hold("a\nb\n/undo\nb\n").out, "1|a|-\n2|a/1|a|-/b|-\n3|a/1|a|-/b|-\n") << "drawn anew";
  EXPECT_EQ(hold("/know k\na\n/reset\nb\n").out, "1|a|k\n2|b|-\n");
  EXPECT_EQ(hold(Parrot(), "/know k\na\n/reset\nb\n", false, Conversation({"always"})).out,
            "1|a|always/k\n2|b|always\n");
  EXPECT_EQ(hold("a\n/quit\nb\n").out, "1|a|-\n");
}

TEST(Converse, ATurnMayBeginWithASlash) {
  EXPECT_EQ(hold("//reset\n").out, "1|/reset|-\n");
  EXPECT_EQ(hold("//\n").out, "1|/|-\n");
}

TEST(Converse, LinesThatCannotBeFollowedLoseNothing) {
  for (const auto& [line, says] : {std::pair("/rest", "unknown command '/rest'; did you mean '/reset'?"),
                                   {"/xyzzyxyzzy", "unknown command '/xyzzyxyzzy'; /help lists them"},
                                   {"/", "unknown command '/'"},
                                   {"/know", "/know: TEXT is missing"},
                                   {"/know  ", "/know: TEXT is missing"},
                                   {"/undo 2", "/undo: takes nothing, got '2'"},
                                   {"/quit now", "/quit: takes nothing, got 'now'"},
                                   {"/why map.gif", "/why map.gif: the ending says what to draw"},
                                   {"/why nowhere/at/all.svg", "nowhere/at"},
                                   {"b\xFF", "line 2: byte 2 is not UTF-8"},
                                   {"/know \xC3", "line 2: byte 7 is not UTF-8"}}) {
    const Held held = hold(std::string("a\n") + line + "\nc\n");
    EXPECT_EQ(held.out, "1|a|-\n2|a/1|a|-/c|-\n") << line;
    ASSERT_EQ(held.warnings.size(), 1u) << line;
    EXPECT_TRUE(held.warnings[0].find(says) != std::string::npos) << held.warnings[0];
    EXPECT_EQ(held.warnings[0].find('\n'), std::string::npos);
  }
  EXPECT_EQ(hold("/undo\n").warnings, StringList{"/undo: there is nothing to take back"});
  EXPECT_EQ(hold("/why\n").warnings, StringList{"/why: there is no reply yet"});
}

TEST(Converse, WhyDrawsTheLastReply) {
  const Parrot parrot;
  const Held held = hold(parrot, "/know k\na\n/know l\n/why\n");
  EXPECT_TRUE(held.out.starts_with("1|a|k\n")) << held.out;
  EXPECT_NE(held.out.find("a map"), std::string::npos) << held.out;
  ASSERT_EQ(parrot.explained.size(), 1u);
  EXPECT_EQ(parrot.reply(parrot.explained[0]), "1|a|k") << "what it got, not what is known since";
  hold(parrot, "a\nb\n/undo\n/why\n");
  EXPECT_EQ(parrot.reply(parrot.explained.at(1)), "1|a|-");

  const std::string file = ::testing::TempDir() + "converse test.svg";
  std::filesystem::remove(file);
  EXPECT_EQ(hold(parrot, "a\n/why " + file + "\n").out, "1|a|-\n");
  EXPECT_TRUE(std::filesystem::exists(file));
  std::filesystem::remove(file);

  Parrot blind;
  blind.explains = false;
  const Held unseen = hold(blind, "a\n/why\nb\n");
  EXPECT_EQ(unseen.warnings, StringList{"this model has no attention"});
  EXPECT_EQ(unseen.out, "1|a|-\n2|a/1|a|-/b|-\n");
}

TEST(Converse, HelpListsEveryCommand) {
  const std::string out = hold("/help\n").out;
  for (const char* name : {"/why [FILE]", "/know TEXT", "/undo", "/reset", "/help", "/quit", "//TEXT"})
    EXPECT_NE(out.find("  " + std::string(name) + "  "), std::string::npos) << name << "\n" << out;
}

TEST(Converse, WarningsOfTheModelAreSaidAFewTimes) {
  EXPECT_EQ(hold("long\n/reset\nlong\n").warnings,
            (StringList{"turn 1: history: is long", "turn 2: history: is long"}));
  EXPECT_EQ(hold("long\nlong\nlong\nlong\nlong\n").warnings.at(3), "2 more warning(s) like these");
}

}  // namespace
}  // namespace lookback::cli
