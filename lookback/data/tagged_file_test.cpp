#include "lookback/data/tagged_file.h"

#include "lookback/base/error.h"
#include "lookback/data/row_reader.h"
#include "lookback/data/seen_dialogues.h"
#include "lookback/data/table.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

const StringList kTokens = {"tokens", "tags"}, kTexts = {"texts", "tags"};

class TaggedFileTest : public FolderTest {
 protected:
  // "LINE: members | tags" or "LINE: problem".
  static StringList rows(RowSource source, const std::string& layout, TableOptions options = {},
                         const StringList& names = kTokens, int64_t* passed_over = nullptr) {
    options.layout = layout;
    options.max_bad = 1;
    RowReader reader(std::move(source), names, options);
    StringList out;
    for (RowReader::Row row; reader.next(row);) {
      std::string text = row.problem.empty() ? joined(row.cells, " | ") : row.problem;
      std::ranges::replace(text, '\n', '_');
      out.push_back(std::to_string(row.lines[0]) + ": " + text);
    }
    if (passed_over) *passed_over = reader.dialogues_passed_over();
    return out;
  }
  StringList rows_of(const std::string& bytes, const std::string& layout, const StringList& columns = {}) const {
    return rows({{{gz("d.txt.gz", bytes)}}}, layout, {.columns = columns});
  }
  template <class F>
  std::string message(F&& f) const {
    try {
      f();
    } catch (const Error& e) {
      return local(e.what());
    }
    return "";
  }
};

TEST_F(TaggedFileTest, Conll) {
  const std::string text =
      "-DOCSTART- -X- O O\n\nEU NNP I-NP B-ORG\r\nrejects VBZ I-VP O\n\n\n \nPeter\tNNP\tI-NP\tB-PER\n";
  EXPECT_EQ(rows_of(text, "conll"), (StringList{"3: EU_rejects | B-ORG_O", "8: Peter | B-PER"}));
  EXPECT_EQ(rows_of(text, "conll", {"2", "3"}), (StringList{"3: NNP_VBZ | I-NP_I-VP", "8: NNP | I-NP"}));
  EXPECT_EQ(rows_of(text, "conll", {"1", "5"}),
            (StringList{"3: has 4 columns, without one of the tags", "8: has 4 columns, without one of the tags"}));
  EXPECT_EQ(rows_of("# it\n", "conll"), (StringList{"1: # | it"}));
  EXPECT_EQ(rows_of("", "conll"), StringList());
  EXPECT_EQ(rows_of("\n \n", "conll"), StringList());
}

TEST_F(TaggedFileTest, RaggedColumns) {
  EXPECT_EQ(
      rows_of("a b O\nc d O\ne O\n\nf g O\nalone\n\nh i\n\nalone\n\n\xFF O\n", "conll"),
      (StringList{"3: has 2 columns, and its sentence begins with 3", "6: has 1 column, and its sentence begins with 3",
                  "8: h | i", "10: has 1 column, without one of the tags", "12: invalid UTF-8"}));
  EXPECT_EQ(rows_of("a\tb\t\n", "conll"), (StringList{"1: has an empty column"}));
  EXPECT_EQ(message([&] {
              rows({{{file("d.conll", "a O\n\nb O\nc d O\n")}}}, "conll", {.bad_lines = "stop"});
            }).substr(0, 56),
            "d.conll:4: has 3 columns, and its sentence begins with 2");
}

TEST_F(TaggedFileTest, ConllU) {
  const std::string text =
      "# sent_id = 1\n# text = vámonos al "
      "mar\n1-2\tvámonos\t_\t_\t_\n1\tvamos\tir\tVERB\t_\n2\tnos\tnosotros\tPRON\t_\n"
      "2.1\tx\ty\tVERB\t_\n3\tNew York\tmar\tNOUN\t_\n\n# none\n";
  EXPECT_EQ(rows_of(text, "conllu"), (StringList{"4: vamos_nos_New York | VERB_PRON_NOUN"}));
  EXPECT_EQ(rows_of(text, "conllu", {"3", "1"}), (StringList{"4: ir_nosotros_mar | 1_2_3"}));
}

TEST_F(TaggedFileTest, Tagged) {
  EXPECT_EQ(rows_of("The/DT 1/2/CD dogs/NNS\n\n/x a/b\na/\nno b/c\n", "tagged"),
            (StringList{"1: The_1/2_dogs | DT_CD_NNS", "2: ", "3: '/x' is not word/tag", "4: 'a/' is not word/tag",
                        "5: 'no' is not word/tag"}));
}

TEST_F(TaggedFileTest, PlainText) {
  EXPECT_EQ(rows_of("Yes, I met McDonald .\n\nHi ! __eou__ I am Al. __eou__\n", "restore"),
            (StringList{"1: yes_i_met_mcdonald | Capital,_Capital_lower_miXed.", "2: ", "3: hi | Capital!",
                        "3: i_am_al | Capital_lower_Capital."}));
}

TEST_F(TaggedFileTest, TurnsAndTheirLabels) {
  const std::string turns = file("turns.txt", "Hi . __eou__ You ? __eou__\nOne __eou__\nx y\n");
  const std::string labels = file("labels.txt", "1 2 \n3\n1\n");
  const RowSource source{{{turns, labels}}};
  EXPECT_EQ(rows(source, "turns", {}, kTexts), (StringList{"1: Hi ._You ? | 1_2", "2: One | 3", "3: x y | 1"}));
  EXPECT_EQ(
      message([&] {
        rows({{{turns, file("short.txt", "1 2\n")}}}, "turns", {}, kTexts);
      }),
      "turns.txt has 3 lines, short.txt has 1: each line needs its partner (or set unequal = \"truncate\" to read "
      "the shorter length)");
  // Dialogues that differ in case and marks alone are the same.
  RowSource other{{{file("more.txt", "hi __eou__ YOU! __eou__\nTwo __eou__\n"), file("more.labels", "1 1\n2\n")}}};
  other.without = dialogues_of(source, {.layout = "turns"});
  int64_t passed_over = 0;
  EXPECT_EQ(rows(other, "turns", {}, kTexts, &passed_over), (StringList{"2: Two | 2"}));
  EXPECT_EQ(passed_over, 1);
  RowSource plain{{{file("plain.txt", "hi __eou__ YOU! __eou__\nTwo . __eou__ x __eou__\n")}}};
  plain.without = dialogues_of({{{turns}}}, {.layout = "restore"});
  EXPECT_EQ(rows(plain, "restore"), (StringList{"2: two | Capital.", "2: x | lower"}));
}

TEST_F(TaggedFileTest, SlotsByKnowledge) {
  const std::string dialogues =
      file("d.txt",
           "1 hi\thello\n2 a table in new york for six\tok\n3 x R_price cheap\n4 <SILENCE>\tyes\n"
           "\n1 new york cheap , new\tok\nno number\tok\n");
  const std::string values =
      file("kb.txt", "1 x R_location new york\n1 x R_location\tnew\nx number six\n1 x R_price cheap\n1 broken\n");
  EXPECT_EQ(rows({{{dialogues, values}}}, "slots"),
            (StringList{"1: hi | O", "2: a_table_in_new_york_for_six | O_O_O_B-location_I-location_O_B-number",
                        "6: new_york_cheap_,_new | B-location_I-location_B-price_O_B-location",
                        "7: a line of a dialogue begins with no number and a blank"}));
}

TEST_F(TaggedFileTest, Json) {
  const std::string path =
      file("d.jsonl",
           "{\"tokens\": [\"New York\", \"is\"], \"tags\": [\"B\", \"O\"]}\n{\"tokens\": [], \"tags\": []}\n"
           "{\"tokens\": \"a b\", \"tags\": \"O O\"}\n{\"tokens\": [\"a\"]}\n");
  EXPECT_EQ(rows({{{path}}}, "columns"),
            (StringList{"1: New York_is | B_O", "2: ", "3: a b | O O", "4: a column is missing"}));
}

TEST_F(TaggedFileTest, RefusesWhatDoesNotFit) {
  const std::string path = file("d.conll", "a O\n");
  const auto says = [&](const RowSource& source, const std::string& layout, const StringList& columns,
                        const StringList& names) {
    return message([&] { rows(source, layout, {.columns = columns}, names); });
  };
  EXPECT_EQ(says({{{path}}}, "conll", {"form", "tag"}, kTokens),
            "data.columns = 'form': columns of data.layout = 'conll' are numbers, counted from 1");
  EXPECT_EQ(says({{{path}}}, "tagged", {"1", "2"}, kTokens), "data.layout = 'tagged' goes with no data.columns");
  EXPECT_EQ(says({{{path, path}}}, "conll", {}, kTokens),
            "data.layout = 'conll' is of one file with all columns; got 2 files");
  EXPECT_EQ(says({{{path}}}, "turns", {}, kTexts),
            "data.layout = 'turns' is of two files, of turns and of their labels or values; got 1 files");
  EXPECT_EQ(says({{{path}}}, "conll", {}, {"text", "label"}),
            "data.layout = 'conll' is of tokens or texts with tags (task label)");
}

}  // namespace
}  // namespace lookback::data
