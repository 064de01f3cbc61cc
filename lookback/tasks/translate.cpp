#include "lookback/tasks/translate.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "lookback/base/elementary.h"
#include "lookback/data/prefetcher.h"
#include "lookback/ops/loss.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/translate_folder.h"
#include "lookback/train/parameters.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

namespace fs = std::filesystem;

void check_files(const char* key, const StringList& files, const StringList& columns) {
  const size_t wanted = columns.empty() ? 2 : 1;
  check<ConfigError>(files.size() == wanted, key, " must name ",
                     wanted == 2 ? "a source and a target file" : "one TSV file", ", got ", files.size(),
                     wanted == 2 ? "; one TSV file needs data.columns" : "");
}

void check_scored(const TranslateRecipe& recipe, const std::string& score) {
  std::vector<std::string> known = {"loss", "ppl", "accuracy_token"};
  if (recipe.valid.metric != "none") known.push_back(recipe.valid.metric);
  check<ConfigError>(std::find(known.begin(), known.end(), score) != known.end(), "train.keep = '", score,
                     "' is not scored in validation; known: loss, ppl, accuracy_token, and valid.metric = ",
                     recipe.valid.metric, nearest_match(score, known));
}

// A translation model while it is trained.
class Trained final : public TrainedModel {
 public:
  Trained(const TranslateRecipe& recipe, Tokenizers tokenizers, const std::string& data_root)
      : recipe_(recipe),
        tokenizers_(std::move(tokenizers)),
        train_(located(recipe.data.train, data_root), *tokenizers_.source, *tokenizers_.target, recipe.data.corpus),
        valid_(located(recipe.data.valid, data_root), *tokenizers_.source, *tokenizers_.target, recipe.data.corpus,
               data::Keep::tokens_and_text),
        model_(recipe.model, tokenizers_.vocabularies(), static_cast<uint64_t>(recipe.train.options.seed)),
        batches_(train_, recipe.train.batches, static_cast<uint64_t>(recipe.train.options.seed)) {
    check<FormatError>(valid_.size() > 0, "data.valid: no sentence pair is left after filtering");
    if (recipe.shortlist.per_token > 0)
      shortlist_.emplace(train_, tokenizers_.vocabularies(), recipe.shortlist, tokenizers_.joint());
  }

  std::vector<NamedVar> parameters() override { return params_of(model_); }
  int64_t batches(int64_t epoch) override { return batches_.batches_in(epoch); }
  int64_t target_tokens(int64_t epoch, int64_t batch) override {
    const data::Batch& b = batches_.peek({epoch, batch});
    return b.target_tokens + static_cast<int64_t>(b.target.size());
  }
  train::BatchResult run(int64_t epoch, int64_t batch, double scale, Noise& noise) override;
  train::Validation validate() override;
  bool larger_is_better(const std::string& score) const override;
  StringList save_model_files(const std::string& folder) override;

  StringList data_reports() const override {
    return {data::describe(train_.report()), data::describe(valid_.report())};
  }
  StringList example(int64_t k) const override;

 private:
  void score_translations(train::Validation& out);

  const TranslateRecipe& recipe_;
  Tokenizers tokenizers_;
  data::Corpus train_, valid_;
  Seq2Seq model_;
  data::Prefetcher batches_;
  std::optional<Shortlist> shortlist_;
};

train::BatchResult Trained::run(int64_t epoch, int64_t batch, double scale, Noise& noise) {
  data::Batch b = batches_.take({epoch, batch});
  const auto loss = model_.loss({std::move(b.source), std::move(b.target)}, recipe_.loss, scale, &noise);
  backward(loss.loss);
  return {.loss = loss.loss_sum,
          .nll = loss.nll_sum,
          .correct = loss.correct,
          .tokens = loss.tokens,
          .source_tokens = b.source_tokens,
          .examples = static_cast<int64_t>(b.index.size())};
}

train::Validation Trained::validate() {
  const NoGrad off;
  train::Validation out;
  std::vector<int64_t> order(static_cast<size_t>(valid_.size()));
  for (size_t k = 0; k < order.size(); ++k) order[k] = static_cast<int64_t>(k);
  const auto lengths = valid_.target_lengths();
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return lengths[static_cast<size_t>(a)] > lengths[static_cast<size_t>(b)];
  });
  double loss = 0, nll = 0;
  int64_t tokens = 0, correct = 0;
  for (size_t first = 0; first < order.size(); first += static_cast<size_t>(recipe_.valid.batch)) {
    const size_t last = std::min(order.size(), first + static_cast<size_t>(recipe_.valid.batch));
    data::Batch b =
        valid_.batch({order.begin() + static_cast<ptrdiff_t>(first), order.begin() + static_cast<ptrdiff_t>(last)});
    const auto l = model_.loss({std::move(b.source), std::move(b.target)}, recipe_.loss, 1, nullptr);
    loss += l.loss_sum, nll += l.nll_sum, tokens += l.tokens, correct += l.correct;
  }
  const double n = static_cast<double>(tokens);
  out.scores = {
      {"loss", loss / n}, {"ppl", elementary::exp(nll / n)}, {"accuracy_token", static_cast<double>(correct) / n}};
  if (recipe_.valid.metric != "none") score_translations(out);
  return out;
}

void Trained::score_translations(train::Validation& out) {
  const int64_t lines = recipe_.valid.lines ? std::min(recipe_.valid.lines, valid_.size()) : valid_.size();
  TranslateOptions options;
  options.search = recipe_.decode, options.batch = recipe_.valid.batch;
  options.search.beam = recipe_.valid.beam;
  options.search.n_best = 1;
  options.search.sample = false;
  std::vector<Job> jobs;
  for (int64_t k = 0; k < lines; ++k) jobs.push_back({.source = valid_.pair(k).source});
  const auto found = translate({&model_}, jobs, options);
  metrics::Lines hypotheses, references;
  for (int64_t k = 0; k < lines; ++k) {
    hypotheses.push_back(tokenizers_.target->decode(found[static_cast<size_t>(k)][0].tokens));
    references.emplace_back(valid_.target_text(k));
  }
  const auto metric = metrics::make_metric(recipe_.valid.metric);
  out.scores[recipe_.valid.metric] = metrics::corpus_score(*metric, hypotheses, {references}).value;
  for (int64_t k = 0; k < std::min(lines, recipe_.train.options.samples); ++k) {
    const auto n = static_cast<size_t>(k);
    train::Sample sample{std::string(valid_.source_text(k)), references[n], hypotheses[n], ""};
    if (viz::can_draw_png() && !found[n][0].alignment.empty()) {
      Prediction p{.line = k + 1, .outputs = {{.alignment = found[n][0].alignment}}};
      for (const int32_t id : jobs[n].source) p.source.push_back(tokenizers_.source->piece(id));
      for (const int32_t id : found[n][0].tokens) p.outputs[0].tokens.push_back(tokenizers_.target->piece(id));
      sample.image_png = viz::to_png(attention_map(p), {.pixels = 1.0});
    }
    out.samples.push_back(std::move(sample));
  }
}

StringList Trained::example(int64_t k) const {
  if (k >= train_.size()) return {};
  const auto shown = [](const char* side, const std::vector<int32_t>& ids, const data::Tokenizer& tokenizer) {
    std::string out = side;
    for (const int32_t id : ids) out += " " + viz::one_line(tokenizer.piece(id));
    return out;
  };
  const data::Pair pair = train_.pair(k, static_cast<uint64_t>(recipe_.train.options.seed), 0);
  return {shown("  source:", pair.source, *tokenizers_.source), shown("  target:", pair.target, *tokenizers_.target)};
}

bool Trained::larger_is_better(const std::string& score) const {
  check_scored(recipe_, score);
  if (score == "loss" || score == "ppl") return false;
  return score == "accuracy_token" || metrics::make_metric(score)->higher_is_better();
}

StringList Trained::save_model_files(const std::string& folder) {
  TranslateConfig config{.joint = tokenizers_.joint(),
                         .source_vocabulary = tokenizers_.source->size(),
                         .target_vocabulary = tokenizers_.target->size(),
                         .model = recipe_.model};
  StringList names = tasks::save_model_files(folder, config, recipe_.decode, tokenizers_);
  if (!shortlist_) return names;
  shortlist_->save(folder + "/" + kShortlistFile);
  names.emplace_back(kShortlistFile);
  return names;
}

class TranslateTask final : public RecipeTask {
 public:
  std::vector<Field> fields() override { return fields_of(recipe_); }
  void validate() override;
  std::vector<BaselineScores> baselines(const TrainRun& run, const StringList& test) override;
  std::unique_ptr<PredictOptions> predict_options() const override { return std::make_unique<TranslateOptions>(); }

 protected:
  const char* name() const override { return "translate"; }
  const train::TrainOptions& train_options() const override { return recipe_.train.options; }
  std::unique_ptr<TrainedModel> prepare(const TrainRun& run) const override {
    return std::make_unique<Trained>(recipe_, tokenizers(run), run.data_root);
  }
  StringList free_options() const override {
    return {"data.train", "data.valid", "data.memory_mb", "data.max_bad", "valid.batch", "model.encoder.checkpoint"};
  }
  StringList data_digests(const TrainRun& run) const override;

 private:
  Tokenizers tokenizers(const TrainRun& run) const;

  TranslateRecipe recipe_;
};

void TranslateTask::validate() {
  check_files("data.train", recipe_.data.train, recipe_.data.corpus.columns);
  check_files("data.valid", recipe_.data.valid, recipe_.data.corpus.columns);
  train::resolved(recipe_.train.options);
  recipe_.decode.validate();
  check<ConfigError>(recipe_.model.tie != "all" || recipe_.tokenizer.joint,
                     "model.tie = 'all' needs one vocabulary for both languages; set tokenizer.joint = true");
  check_scored(recipe_, recipe_.train.options.keep);
  recipe_.loss.check_with(recipe_.model);
  // Built small and thrown away: names the options that do not go together before any data is read.
  Seq2Seq small(recipe_.model, {data::kSpecials, data::kSpecials}, Seq2Seq::kNoInit);
  train::freeze(params_of(small), recipe_.train.options.freeze);
}

// Learnt from the training text, or taken from the folder of the run that goes on, or of the one it starts from.
Tokenizers TranslateTask::tokenizers(const TrainRun& run) const {
  const std::string& folder = run.context.folder;
  Tokenizers out;
  if (run.context.mode == train::FolderMode::resume && fs::exists(folder + "/config.json")) {
    out = Tokenizers::load(io::ModelFolder(folder), recipe_.tokenizer.joint);
  } else if (!run.from.empty()) {
    const io::ModelFolder from(run.from);
    out = Tokenizers::load(from, read_config(from).joint);
    check<ConfigError>(out.joint() == recipe_.tokenizer.joint, "--from ", run.from, ": that model has ",
                       out.joint() ? "one vocabulary" : "two vocabularies",
                       " and this recipe has tokenizer.joint = ", recipe_.tokenizer.joint ? "true" : "false",
                       "; its tokenizers go with its weights");
    run.log(Severity::info, "tokenizer: that of " + run.from);
  } else {
    out =
        Tokenizers::learn(recipe_.tokenizer, located(recipe_.data.train, run.data_root), recipe_.data.corpus, run.log);
    run.log(Severity::info,
            str_cat("tokenizer: ", recipe_.tokenizer.kind, out.joint() ? ", joint, " : ", ", out.source->size(),
                    out.joint() ? "" : str_cat(" and ", out.target->size()), " entries"));
  }
  out.source->set_sampling(recipe_.tokenizer.sampling);
  out.target->set_sampling(recipe_.tokenizer.sampling);
  return out;
}

StringList TranslateTask::data_digests(const TrainRun& run) const {
  StringList out;
  for (const auto& [name, files] : {std::pair("data.train", recipe_.data.train), {"data.valid", recipe_.data.valid}})
    out.push_back(
        str_cat(name, "'s SHA-256 = ", data::lines_sha256(located(files, run.data_root), recipe_.data.corpus)));
  return out;
}

std::vector<BaselineScores> TranslateTask::baselines(const TrainRun& run, const StringList& test) {
  std::vector<std::vector<std::string>> sets{located(recipe_.data.valid, run.data_root)};
  if (!test.empty()) {
    check_files("baseline: --test", test, recipe_.data.corpus.columns);
    sets.push_back(test);
  }
  return translate_baselines(located(recipe_.data.train, run.data_root), sets, recipe_.data.corpus, run.log);
}

}  // namespace

std::unique_ptr<Task> make_translate() { return std::make_unique<TranslateTask>(); }

}  // namespace lookback::tasks
