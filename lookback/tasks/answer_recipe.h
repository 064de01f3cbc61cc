// Private to tasks: what a recipe of task "answer" may say, whatever it is that answers: a stretch of a passage, or one
// of the answers that training has, to a question about a story.
#pragma once

#include "lookback/data/tokenizer.h"
#include "lookback/models/span_reader.h"
#include "lookback/models/story_reader.h"
#include "lookback/tasks/data_options.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/vectors.h"

namespace lookback::tasks {

struct AnswerModel {
  std::string kind = "span";
  FrontOptions front;
  SpanReaderParts span;
  StoryReaderParts story;
  PoolingOptions pooling = {.kind = "dot"};
  DropoutOptions dropout;
  InitOptions init;

  void fields(FieldVisitor& v) {
    v("kind", kind,
      "span: the answer is a stretch of the passage (aligned, exact_match, passage, question, flow, no_answer); story: "
      "it is one of the answers that training has, looked for in a memory of the story's sentences (sentence, "
      "told_in_order, story, ages, hops)")
        .choices({"span", "story"});
    front.fields(v);
    span.fields(v), story.fields(v);
    v("pooling", pooling);
    dropout.fields(v);
    v("init", init);
  }

  SpanReaderOptions for_span() const { return {span, front, pooling, dropout, init}; }
  StoryReaderOptions for_story() const { return {story, front, pooling, dropout, init}; }
};

// How many answers, and of which spans.
struct AnswerSearch {
  int64_t longest = 30;
  int64_t n_best = 1;
  double null_threshold = 0;

  void fields(FieldVisitor& v) {
    v("longest", longest, "most tokens of an answer that is a stretch of its passage").range(1, 1e6);
    v("n_best", n_best, "answers given for each question, best first; no two of them overlap").range(1, 1000);
    v("null_threshold", null_threshold,
      "model.no_answer: the log-odds of there being no answer, above which none is given")
        .range(-1e3, 1e3);
  }
};

// How a passage is cut where it is long.
struct PassageWindows {
  int64_t size = 400;
  int64_t stride = 200;

  void fields(FieldVisitor& v) {
    v("size", size, "longer passages are read in windows of so many tokens, in training and in use; 0: whole")
        .range(0, 1e9);
    v("stride", stride, "tokens from the beginning of one window to that of the next").range(1, 1e9);
  }
};

struct AnswerRecipe {
  DataOptions data;
  data::TokenizerOptions tokenizer = {
      .kind = "word", .size = 50'000, .min_count = 2, .lowercase = true, .normalization = "identity"};
  VectorOptions vectors;
  AnswerModel model;
  PassageWindows windows;
  TrainGroup train;
  ValidGroup valid;
  AnswerSearch decode;

  AnswerRecipe() { data.table.max_length = 0, train.batches.batch = 32, valid.metric = "f1"; }
  void fields(FieldVisitor& v) {
    v("data", data), v("tokenizer", tokenizer), v("vectors", vectors), v("model", model), v("windows", windows);
    v("train", train), v("valid", valid), v("decode", decode);
  }
  bool is_story() const { return model.kind == "story"; }
};

// Throws ConfigError for a changed option that has no meaning with this kind of model.
template <class Group>
void check_unused(const Group& group, const std::string& place, const AnswerRecipe& recipe) {
  for (const auto& [option, value] : changed_options(group))
    throw ConfigError(
        str_cat(place, ".", option, " = ", value, " has no meaning with model.kind = '", recipe.model.kind, "'"));
}

}  // namespace lookback::tasks
