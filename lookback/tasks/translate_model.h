// Private to tasks: what a translation model folder holds, and search with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lookback/data/tokenizer.h"
#include "lookback/decode/search.h"
#include "lookback/io/model_folder.h"
#include "lookback/metrics/corpus_metric.h"
#include "lookback/models/seq2seq.h"
#include "lookback/tasks/shortlist.h"
#include "lookback/tasks/task.h"

namespace lookback::tasks {

// The tokenizers of both sides; one object when they share a vocabulary.
struct Tokenizers {
  std::shared_ptr<data::Tokenizer> source, target;

  bool joint() const { return source == target; }
  Seq2Seq::Vocabularies vocabularies() const { return {source->size(), target->size()}; }
  // spm.model or tokenizer.json in the folder; in source/ and target/ below it when they differ. Returns their names.
  StringList save(const std::string& folder) const;
  // Learnt from the training files of a corpus, one for each side or, with options.joint, one for both.
  static Tokenizers learn(const data::TokenizerOptions& options, const std::vector<std::string>& files,
                          const data::CorpusOptions& corpus, const LogSink& log);
  // Throws FormatError, also if the folder has both kinds of file, and IoError.
  static Tokenizers load(const io::ModelFolder& folder, bool joint);
};

// config.json of a model folder.
struct TranslateConfig {
  std::string model_type = "lookback-seq2seq";
  std::string task = "translate";
  int64_t format = 1;
  bool joint = true;
  int64_t source_vocabulary = 0, target_vocabulary = 0;
  Seq2SeqOptions model;

  void fields(FieldVisitor& v) {
    v("model_type", model_type, "").choices({"lookback-seq2seq"});
    v("task", task, "").choices({"translate"});
    v("format", format, "").range(1, 1);
    v("joint", joint, "");
    v("source_vocabulary", source_vocabulary, "").range(1, 1e9);
    v("target_vocabulary", target_vocabulary, "").range(1, 1e9);
    v("model", model);
  }
};

// What predict may be told.
struct TranslateOptions final : PredictOptions {
  decode::SearchOptions search;
  int64_t batch = 64;
  bool replace_unk = false;
  std::string ensemble = "probability";
  std::string precision = "f32";
  int64_t shortlist = 0;

  std::vector<Field> fields() override { return fields_of(*this); }
  void fields(FieldVisitor& v) {
    search.fields(v);
    v("batch", batch, "sentences translated at once; changes no output").range(1, 100000);
    v("replace_unk", replace_unk, "write the source word that an unknown word looked at in its place");
    v("ensemble", ensemble, "how several models are averaged: mean of probabilities, or of log-probabilities")
        .choices({"probability", "log_probability"});
    v("precision", precision,
      "what the factors of matrix products are rounded to: f32; bf16; auto: bf16 where the processor is faster at it, "
      "else f32; int8, with a scale for each row of the weights and of what they meet")
        .choices({"f32", "bf16", "int8", "auto"});
    v("shortlist", shortlist,
      "outputs hold only the so many likeliest target tokens of each source token and the most frequent ones: faster, "
      "and now and then another output; needs a model trained with shortlist.per_token; 0: the whole vocabulary")
        .range(0, 1000);
  }
};

// One translation job for search: ids, and perhaps how the output must begin or what it is.
struct Job {
  std::vector<int32_t> source, prefix;
  std::optional<std::vector<int32_t>> target = {};
  uint64_t key = 0;
};

// Of a model folder; only where the recipe asked for it.
constexpr const char* kShortlistFile = "shortlist.safetensors";

// The best hypotheses of every job, in their order. `batch` of them are searched at once, long ones first. Either
// all jobs have a target or none has. Empty sources give one empty hypothesis.
// The shortlist is that of options.shortlist; given targets are scored without one.
std::vector<std::vector<decode::Hypothesis>> translate(const std::vector<const Seq2Seq*>& models,
                                                       const std::vector<Job>& jobs, const TranslateOptions& options,
                                                       const Shortlist* shortlist = nullptr);

// BLEU, chrF and TER, as evaluate prints them.
std::vector<EvaluationLine> text_scores(const metrics::Lines& hypotheses, const metrics::Lines& references);

// Copying the source, and translating word by word with IBM model 1 learnt from `train`, on each of the sets.
std::vector<BaselineScores> translate_baselines(const std::vector<std::string>& train,
                                                const std::vector<std::vector<std::string>>& sets,
                                                const data::CorpusOptions& options, const LogSink& log);

// Sets fields from what a JSON file of a model folder says. Throws FormatError for what does not fit.
void read_fields(const io::File& file, std::vector<Field> fields);

}  // namespace lookback::tasks
