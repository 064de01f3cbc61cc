#include "lookback/data/labels.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

using Ids = std::vector<int32_t>;

LineSource from(StringList lines) {
  return [lines = std::move(lines), k = size_t{0}](std::string& line) mutable {
    return k < lines.size() ? (line = lines[k++], true) : false;
  };
}

TEST(Labels, OneForEachExample) {
  const Labels labels = Labels::learn(from({"b", " a ", "", "b", "a c"}), {}, "data.train");
  EXPECT_EQ(labels.names(), (StringList{"a", "a c", "b"}));
  EXPECT_EQ(labels.size(), 3);
  EXPECT_FALSE(labels.encodes_blank());
  EXPECT_EQ(labels.encode(" b\t"), (Ids{2}));
  EXPECT_EQ(labels.encode("a,b"), Ids());
  EXPECT_EQ(labels.why_none("label", "x"), "a label that training has not");
  EXPECT_EQ(labels.why_none("answer", "x"), "an answer that training has not");
  EXPECT_EQ(labels.why_none("label", " "), "the label is empty");
  EXPECT_EQ(labels.as_output(" b "), "b");
  EXPECT_EQ(labels.as_output("x"), "x");
}

TEST(Labels, Names) {
  const Labels labels({"0", "1"}, {.names = {"1=positive", "0=negative one"}}, "data.train");
  EXPECT_EQ(labels.labels(), (StringList{"0", "1"}));
  EXPECT_EQ(labels.names(), (StringList{"negative one", "positive"}));
  EXPECT_EQ(labels.encode("1"), (Ids{1}));
  EXPECT_EQ(labels.encode("positive"), (Ids{1}));
  EXPECT_EQ(labels.as_output("0"), "negative one");
  const auto said = [](const StringList& names) {
    return message_of<ConfigError>([&] { Labels({"0", "1"}, {.names = names}, "data.train"); });
  };
  EXPECT_EQ(said({"2=x"}), "label.names: data.train has no label '2'; did you mean '0'?");
  EXPECT_EQ(said({"0"}), "label.names: '0' is not LABEL=NAME");
  EXPECT_EQ(said({"0=1"}), "label.names: the name '1' is there twice");
}

TEST(Labels, Several) {
  const LabelOptions several{.several = true, .names = {"a=A"}};
  const Labels labels = Labels::learn(from({"b,a", "", " c , a,", "b"}), several, "data.train");
  EXPECT_EQ(labels.count(), 3);
  EXPECT_EQ(labels.size(), 4);
  EXPECT_TRUE(labels.encodes_blank());
  EXPECT_EQ(labels.encode("c, a, c"), (Ids{0, 2, 3}));
  EXPECT_EQ(labels.encode(""), (Ids{3})) << "none is an answer, too";
  EXPECT_EQ(labels.encode("a,x"), Ids());
  EXPECT_EQ(labels.text(Ids{0, 2}), "A,c");
  EXPECT_EQ(labels.as_output("c,a,x"), "A,c,x");
  EXPECT_EQ(Labels({"one"}, {.several = true}, "x").count(), 1);
  EXPECT_EQ(message_of<ConfigError>([] {
              Labels({"a", "b"}, {.several = true, .names = {"a=x,y"}}, "x");
            }),
            "label.names: 'x,y' has the separator ',' in it");
  EXPECT_THROW(Labels({"a", "b"}, {.several = true, .separator = ""}, "x"), ConfigError);
}

TEST(Labels, WhatCannotBeToldApart) {
  EXPECT_EQ(message_of<FormatError>([] {
              Labels::learn(from({"a", "a"}), {}, "data.train");
            }),
            "data.train: 1 label, 'a': there is nothing to tell apart");
  EXPECT_THROW(Labels({}, {.several = true}, "x"), FormatError);
  EXPECT_THROW(Labels({"a", "a"}, {}, "x"), FormatError);
  EXPECT_THROW(Labels({"", "a"}, {}, "x"), FormatError);
}

}  // namespace
}  // namespace lookback::data
