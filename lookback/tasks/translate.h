// Private to tasks: translation: parallel text, an encoder-decoder with attention, BLEU.
#pragma once

#include <string>

#include "lookback/data/batcher.h"
#include "lookback/data/corpus.h"
#include "lookback/data/tokenizer.h"
#include "lookback/decode/search_options.h"
#include "lookback/metrics/registry.h"
#include "lookback/models/seq2seq.h"
#include "lookback/tasks/shortlist.h"
#include "lookback/tasks/task.h"
#include "lookback/train/train_options.h"

namespace lookback::tasks {

// Everything a recipe of task = "translate" may say.
struct TranslateRecipe {
  struct Data {
    StringList train, valid;
    data::CorpusOptions corpus;

    void fields(FieldVisitor& v) {
      v("train", train, "source and target file, or one TSV file with `columns`; plain or .gz");
      v("valid", valid, "the same for validation");
      corpus.fields(v);
    }
  };
  struct Train {
    train::TrainOptions options;
    data::BatchOptions batches;

    void fields(FieldVisitor& v) {
      options.fields(v);
      batches.fields(v);
    }
  };
  struct Valid {
    int64_t beam = 1;
    int64_t lines = 0;
    std::string metric = "bleu";
    int64_t batch = 64;

    void fields(FieldVisitor& v) {
      v("beam", beam, "search width when validation translates").range(1, 1000);
      v("lines", lines, "translate only the first so many validation pairs; 0: all").range(0, 1e9);
      v("metric", metric, "scored beside the loss, in `keep` too: a name, or none to translate nothing")
          .choices({"bleu", "chrf", "chrf++", "ter", "wer", "cer", "accuracy", "none"});
      v("batch", batch, "sentences validated at once").range(1, 1e6);
    }
  };

  Data data;
  data::TokenizerOptions tokenizer;
  Seq2SeqOptions model;
  ObjectiveOptions loss;
  Train train;
  Valid valid;
  decode::SearchOptions decode;
  ShortlistOptions shortlist;

  void fields(FieldVisitor& v) {
    v("data", data);
    v("tokenizer", tokenizer);
    v("model", model);
    v("loss", loss);
    v("train", train);
    v("valid", valid);
    v("decode", decode);
    v("shortlist", shortlist);
  }
};

std::unique_ptr<Task> make_translate();
std::unique_ptr<TaskModel> load_translate(const std::vector<std::string>& folders);
void export_translate(const std::string& model, const std::string& folder, const ExportOptions& options);

}  // namespace lookback::tasks
