#include "lookback/tasks/answer.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/io/atomic_file.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/folder_parts.h"
#include "lookback/tasks/input.h"
#include "lookback/train/parameters.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

using data::Ids;
using data::TextSpan;

constexpr int64_t kTokensAtOnce = 65'536;  // in prediction, unless one passage alone has more

// Where windows of a passage of that many tokens begin; the last one ends with it.
std::vector<int64_t> window_begins(const PassageWindows& windows, int64_t tokens) {
  if (windows.size == 0 || tokens <= windows.size) return {0};
  std::vector<int64_t> out;
  for (int64_t begin = 0; begin + windows.size < tokens; begin += windows.stride) out.push_back(begin);
  out.push_back(tokens - windows.size);
  return out;
}

int64_t window_end(const PassageWindows& windows, int64_t begin, int64_t tokens) {
  return windows.size == 0 ? tokens : std::min(tokens, begin + windows.size);
}

// The window whose middle is nearest to that of the answer; without an answer the first one.
int64_t window_of(const PassageWindows& windows, int64_t tokens, const Span& answer) {
  int64_t best = 0, least = -1;
  for (const int64_t begin : window_begins(windows, tokens)) {
    if (answer.first >= tokens) return begin;
    const int64_t end = window_end(windows, begin, tokens);
    if (answer.first < begin || answer.last >= end) continue;
    const int64_t off = std::abs(begin + end - answer.first - answer.last);
    if (least < 0 || off < least) best = begin, least = off;
  }
  return best;
}

// One question and its passage as read.
struct Job {
  std::string context;
  Ids question, passage;
  std::vector<TextSpan> tokens;
};

Job job_of(const Answer::Network& network, const Input& input) {
  Job out{.context = required_text(input, "context")};
  out.passage = network.words->encode(out.context);
  out.question = network.words->encode_beside(required_text(input, "question"), out.context);
  out.tokens = data::token_spans(*network.tokenizer, out.context);
  return out;
}

// What the networks say of a question: log-probabilities over all windows of its passage, each token by the window
// where it stands furthest from an edge.
struct Said {
  std::vector<double> first, last;  // [tokens], and of no answer behind them
  Tensor alignment, view;           // [tokens, question], [tokens], the mean over networks; empty without
};

// The tokens of a window that it speaks for: those that no other window has nearer to its middle.
struct Window {
  size_t job;
  int64_t begin, end, own_begin, own_end;
};

std::vector<Window> windows_of(const PassageWindows& options, const std::vector<Job>& jobs) {
  std::vector<Window> out;
  for (size_t k = 0; k < jobs.size(); ++k) {
    const int64_t tokens = std::ssize(jobs[k].passage);
    if (jobs[k].question.empty() || tokens == 0) continue;
    const std::vector<int64_t> begins = window_begins(options, tokens);
    for (size_t w = 0; w < begins.size(); ++w) {
      const int64_t begin = begins[w], end = window_end(options, begin, tokens);
      const int64_t from = w == 0 ? 0 : (begin + window_end(options, begins[w - 1], tokens)) / 2;
      const int64_t to = w + 1 == begins.size() ? tokens : (begins[w + 1] + end) / 2;
      out.push_back({k, begin, end, from, to});
    }
  }
  return out;
}

// Adds the rows of a window that it speaks for, [tokens of the window, columns], to those of all, [tokens, columns].
void add_rows(const Window& w, const Tensor& rows, int64_t tokens, int64_t columns, size_t networks, Tensor& sum) {
  if (rows.empty()) return;
  if (sum.empty()) sum = Tensor::zeros(rows.shape().rank() == 1 ? Shape{tokens} : Shape{tokens, columns});
  const float* from = rows.data<float>() + (w.own_begin - w.begin) * columns;
  float* to = sum.data<float>() + w.own_begin * columns;
  for (int64_t k = 0; k < (w.own_end - w.own_begin) * columns; ++k) to[k] += from[k] / static_cast<float>(networks);
}

void add_window(const Window& w, const SpanReader::Scores& scores, const Job& job, bool no_answer, size_t networks,
                std::vector<float>& first, std::vector<float>& last, Said& said) {
  for (int64_t t = w.own_begin; t < w.own_end; ++t) {
    first[static_cast<size_t>(t)] = scores.first[static_cast<size_t>(t - w.begin)];
    last[static_cast<size_t>(t)] = scores.last[static_cast<size_t>(t - w.begin)];
  }
  // There is no answer only if no window has one.
  if (no_answer)
    first.back() = std::min(first.back(), scores.first.back()), last.back() = std::min(last.back(), scores.last.back());
  add_rows(w, scores.alignment, std::ssize(job.passage), std::ssize(job.question), networks, said.alignment);
  add_rows(w, scores.view, std::ssize(job.passage), 1, networks, said.view);
}

std::vector<Said> ask(Answer::Networks networks, const std::vector<Job>& jobs, const Answer::Options& options) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  const Answer::Config& config = networks[0]->config;
  const bool none = config.model.no_answer;
  const std::vector<Window> windows = windows_of(config.windows, jobs);
  std::vector<int32_t> costs;
  for (const Window& w : windows) costs.push_back(static_cast<int32_t>(w.end - w.begin));
  std::vector<Said> out(jobs.size());
  for (const Answer::Network* const network : networks) {
    std::vector<std::vector<float>> first(jobs.size()), last(jobs.size());
    for (size_t k = 0; k < jobs.size(); ++k)
      first[k].resize(jobs[k].passage.size() + none, std::numeric_limits<float>::infinity()), last[k] = first[k];
    for (const auto& batch : data::costliest_first(costs, options.batch, kTokensAtOnce)) {
      SpanReaderTexts texts;
      for (const int64_t n : batch) {
        const Window& w = windows[static_cast<size_t>(n)];
        const Job& job = jobs[w.job];
        texts.questions.push_back(job.question);
        texts.passages.emplace_back(job.passage.begin() + w.begin, job.passage.begin() + w.end);
      }
      const auto scores = network->model->score(texts);
      for (size_t n = 0; n < batch.size(); ++n) {
        const Window& w = windows[static_cast<size_t>(batch[n])];
        add_window(w, scores[n], jobs[w.job], none, networks.size(), first[w.job], last[w.job], out[w.job]);
      }
    }
    for (size_t k = 0; k < jobs.size(); ++k) {
      if (jobs[k].question.empty() || jobs[k].passage.empty()) continue;
      for (auto [energies, sum] : {std::pair(&first[k], &out[k].first), {&last[k], &out[k].last}}) {
        elementary::log_softmax(*energies);
        sum->resize(energies->size());
        for (size_t t = 0; t < sum->size(); ++t)
          (*sum)[t] += elementary::exp(static_cast<double>((*energies)[t])) / static_cast<double>(networks.size());
      }
    }
  }
  for (Said& said : out)
    for (std::vector<double>* p : {&said.first, &said.last})
      for (double& x : *p) x = elementary::log(x);
  return out;
}

struct Found {
  Span span;
  double log_prob;
};

// The likeliest spans, no two of which overlap.
std::vector<Found> best_answers(const Said& said, int64_t tokens, const AnswerSearch& search) {
  SpanReader::Scores scores;
  scores.first.assign(said.first.begin(), said.first.begin() + tokens);
  scores.last.assign(said.last.begin(), said.last.begin() + tokens);
  std::vector<Found> out;
  std::vector<std::pair<int64_t, int64_t>> free{{0, tokens}};
  const auto best_in = [&](std::pair<int64_t, int64_t> part) -> Found {
    const SpanReader::Scores some{{scores.first.begin() + part.first, scores.first.begin() + part.second},
                                  {scores.last.begin() + part.first, scores.last.begin() + part.second}};
    const BestSpan best = best_span(some, part.second - part.first, search.longest);
    const auto at = [&](int32_t t) { return static_cast<int32_t>(t + part.first); };
    return {{at(best.span.first), at(best.span.last)}, best.score};
  };
  while (std::ssize(out) < search.n_best && !free.empty()) {
    std::vector<Found> candidates;
    for (const auto& part : free) candidates.push_back(best_in(part));
    const auto best = std::ranges::max_element(candidates, std::less(), &Found::log_prob);
    const auto part = free.begin() + (best - candidates.begin());
    out.push_back(*best);
    const std::pair<int64_t, int64_t> before{part->first, best->span.first}, behind{best->span.last + 1, part->second};
    free.erase(part);
    for (const auto& rest : {before, behind})
      if (rest.first < rest.second) free.push_back(rest);
  }
  return out;
}

// Of a text the code point that a byte belongs to.
int64_t code_point_at(std::string_view text, int64_t byte) {
  return std::ranges::count_if(text.substr(0, static_cast<size_t>(byte)),
                               [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

Output output_of(const Job& job, const Found& found, bool full) {
  Output out{.score = found.log_prob, .log_prob = found.log_prob};
  if (found.span.first >= std::ssize(job.passage)) {  // there is none
    if (full) out.details.add("start", int64_t{-1}).add("end", int64_t{-1});
    return out;
  }
  const int64_t begin = job.tokens[static_cast<size_t>(found.span.first)].begin,
                end = job.tokens[static_cast<size_t>(found.span.last)].end;
  out.text = job.context.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  if (full) out.details.add("start", code_point_at(job.context, begin)).add("end", code_point_at(job.context, end));
  return out;
}

// The best of them; where there may be none, that is among them: behind the passage's end.
std::vector<Found> answers_of(const Said& said, int64_t tokens, const Answer::Config& config,
                              const AnswerSearch& search) {
  std::vector<Found> out = best_answers(said, tokens, search);
  if (!config.model.no_answer) return out;
  const auto end = static_cast<int32_t>(tokens);
  const Found none{{end, end}, said.first.back() + said.last.back()};
  const bool first = none.log_prob - out[0].log_prob > search.null_threshold;
  out.insert(first ? out.begin() : out.begin() + 1, none);
  if (std::ssize(out) > search.n_best) out.pop_back();
  return out;
}

std::vector<Output> outputs_of(const Job& job, const Said& said, const Answer::Config& config,
                               const AnswerSearch& search, bool full) {
  if (said.first.empty()) return {Output()};
  std::vector<Output> out;
  for (const Found& found : answers_of(said, std::ssize(job.passage), config, search))
    out.push_back(output_of(job, found, full));
  return out;
}

std::vector<Job> jobs_of(const Answer::Network& network, std::span<const Input> inputs) {
  std::vector<Job> out;
  for (const Input& input : inputs) try {
      out.push_back(job_of(network, input));
    } catch (const FormatError& e) {
      throw FormatError(str_cat("input ", input.line, ": ", e.what()));
    }
  return out;
}

// Of each token how likely it is to be in the answer, if there is one: a sum over all spans that have it.
Tensor parts_in_answer(const Said& said, int64_t tokens, int64_t longest) {
  const auto p = [](const std::vector<double>& log_probs, int64_t t) {
    return elementary::exp(log_probs[static_cast<size_t>(t)]);
  };
  std::vector<double> first, last, change(static_cast<size_t>(tokens) + 1);  // from the token before
  for (int64_t t = 0; t < tokens; ++t) first.push_back(p(said.first, t)), last.push_back(p(said.last, t));
  double all = 0;
  for (size_t i = 0; i < first.size(); ++i)
    for (size_t j = i; j < std::min(first.size(), i + static_cast<size_t>(longest)); ++j) {
      const double span = first[i] * last[j];
      change[i] += span, change[j + 1] -= span, all += span;
    }
  Tensor out = Tensor::zeros({tokens});
  double sum = 0;
  for (int64_t t = 0; t < tokens && all > 0; ++t) {
    sum += change[static_cast<size_t>(t)];
    out.data<float>()[t] = static_cast<float>(std::clamp(sum / all, 0.0, 1.0));
  }
  return out;
}

StringList surfaces_of(const Job& job) {
  StringList out;
  for (const TextSpan& t : job.tokens)
    out.push_back(job.context.substr(static_cast<size_t>(t.begin), static_cast<size_t>(t.end - t.begin)));
  return out;
}

}  // namespace

Answer::Network Answer::make(const Recipe& recipe, std::shared_ptr<data::Tokenizer> tokenizer) {
  Network out{.config = {.vocabulary = tokenizer->size(), .windows = recipe.windows, .model = recipe.model.for_span()},
              .tokenizer = tokenizer,
              .words = std::make_shared<data::ExtendedVocabulary>(tokenizer, tokenizer),
              .spans = std::make_shared<data::AnswerSpans>(tokenizer, recipe.model.span.no_answer),
              .search = recipe.decode};
  out.model = std::make_unique<SpanReader>(out.config.model, tokenizer->size(), seed_of(recipe.train));
  return out;
}

void Answer::Network::check_ensemble(const Network& other, const std::string& folder,
                                     const std::string& other_folder) const {
  check<FormatError>(
      tokenizer->bytes() == other.tokenizer->bytes() && config.model.no_answer == other.config.model.no_answer &&
          config.windows.size == other.config.windows.size && config.windows.stride == other.config.windows.stride,
      other_folder, ": its tokenizer, its windows or its no_answer are not those of ", folder,
      "; an ensemble needs the same");
}

StringList Answer::Network::save(const std::string& folder) const {
  return {save_options(folder, "config.json", config), save_options(folder, kGenerationFile, search),
          save_tokenizer(*tokenizer, folder)};
}

Answer::Network Answer::Network::open(const io::ModelFolder& folder) {
  const std::string file = folder.path() + "/config.json";
  Network out;
  read_fields(folder.open("config.json"), fields_of(out.config));
  out.tokenizer = load_tokenizer(folder);
  check_vocabulary(folder, *out.tokenizer, out.config.vocabulary);
  if (folder.has(kGenerationFile)) read_fields(folder.open(kGenerationFile), fields_of(out.search));
  try {
    out.words = std::make_shared<data::ExtendedVocabulary>(out.tokenizer, out.tokenizer);
    out.spans = std::make_shared<data::AnswerSpans>(out.tokenizer, out.config.model.no_answer);
    out.model = std::make_unique<SpanReader>(out.config.model, out.config.vocabulary, SpanReader::kNoInit);
  } catch (const ConfigError& e) {
    throw FormatError(file + ": " + e.what());
  }
  return out;
}

std::vector<data::Column> Answer::columns(const Network& n) {
  return {{"question", n.words.get(), {"context"}}, {"context", n.words.get()}, {"answer", n.spans.get(), {"context"}}};
}

void Answer::validate(const Recipe& recipe) {
  check_unused(recipe.model.story, "model", recipe);
  check<ConfigError>(recipe.tokenizer.joint, "tokenizer.joint = false: questions and passages share their words");
  check<ConfigError>(recipe.tokenizer.kind == "word" || recipe.tokenizer.kind == "char", "tokenizer.kind = '",
                     recipe.tokenizer.kind, "': answers are pointed at by words; take word or char");
  check<ConfigError>(recipe.tokenizer.normalization == "identity", "tokenizer.normalization = '",
                     recipe.tokenizer.normalization,
                     "': answers are pointed at in texts as they are written; take identity");
  check<ConfigError>(recipe.tokenizer.unit == "codepoint", "tokenizer.unit = '", recipe.tokenizer.unit,
                     "': answers are of whole characters; take codepoint");
  check<ConfigError>(recipe.data.table.max_ratio == 0, "data.max_ratio = ", recipe.data.table.max_ratio,
                     " compares two texts; an answer is shorter than its passage");
  check<ConfigError>(recipe.windows.size == 0 || recipe.windows.stride <= recipe.windows.size,
                     "windows.stride = ", recipe.windows.stride, " would leave tokens out between windows of ",
                     recipe.windows.size);
  check_vectors(recipe.vectors, recipe.tokenizer, "vectors");
  // Built small and thrown away: names the options that do not go together before any data is read.
  SpanReader small(recipe.model.for_span(), data::kSpecials, SpanReader::kNoInit);
  train::freeze(params_of(small), recipe.train.options.freeze);
}

Answer::Network Answer::learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root,
                              const LogSink& log) {
  std::shared_ptr<data::Tokenizer> tokenizer =
      data::train_tokenizer(recipe.tokenizer, data::column_lines(rows, columns(), {0, 1}, recipe.data.table), log);
  tokenizer = with_words_of(recipe.vectors, std::move(tokenizer), root);
  log(Severity::info, str_cat("tokenizer: ", recipe.tokenizer.kind, ", ", tokenizer->size(), " entries"));
  Network out = make(recipe, std::move(tokenizer));
  start_from_vectors(recipe.vectors, *out.tokenizer, out.model->embeddings(), "model.embedding", root, log);
  return out;
}

Answer::Network Answer::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log) {
  log(Severity::info, "tokenizer: that of " + folder.path());
  return make(recipe, load_tokenizer(folder));
}

StringList Answer::example(const Network& network, const data::Table& table, int64_t k, uint64_t seed) {
  StringList out;
  const auto piece = [&](int32_t id) {
    return id < network.tokenizer->size() ? viz::one_line(network.tokenizer->piece(id))
                                          : str_cat("<word ", id - network.tokenizer->size() + 1, ">");
  };
  const Ids question = table.ids(0, k, seed, 0), context = table.ids(1, k, seed, 0), span = table.ids(2, k, seed, 0);
  for (const auto& [name, ids] : {std::pair("question", &question), {"context", &context}}) {
    out.push_back(str_cat("  ", name, ":"));
    for (const int32_t id : *ids) out.back() += " " + piece(id);
  }
  out.push_back("  answer:");
  for (int32_t t = span[0]; t <= span[1] && t < std::ssize(context); ++t)
    out.back() += " " + piece(context[static_cast<size_t>(t)]);
  return out;
}

Loss Answer::loss(const Network& network, const Recipe&, data::Batch batch, double scale, Noise* noise) {
  SpanReaderBatch read{.texts = {.questions = std::move(batch.columns[0])}};
  for (size_t k = 0; k < batch.columns[1].size(); ++k) {
    const Ids& passage = batch.columns[1][k];
    const Span answer{batch.columns[2][k][0], batch.columns[2][k][1]};
    const auto tokens = std::ssize(passage);
    const auto begin = static_cast<int32_t>(window_of(network.config.windows, tokens, answer));
    const int64_t end = window_end(network.config.windows, begin, tokens);
    read.texts.passages.emplace_back(passage.begin() + begin, passage.begin() + end);
    const auto inside = [&](int32_t t) {
      return static_cast<int32_t>(std::min<int64_t>(t, end - (t < tokens)) - begin);
    };
    read.answers.push_back({inside(answer.first), inside(answer.last)});
  }
  const auto loss = network.model->loss(read, scale, noise);
  return {loss.loss,
          {.loss = loss.nll_sum,
           .units = std::ssize(read.answers),
           .sums = {{"nll", loss.nll_sum}, {"correct", static_cast<double>(loss.correct)}}}};
}

Answer::Options Answer::options(const Network& network, bool int8) {
  Options out;
  out.search = network.search;
  if (int8) out.precision = "int8";
  return out;
}

Answer::Options Answer::validation_options(const Recipe& recipe) {
  Options out;
  out.search = recipe.decode, out.search.n_best = 1;
  out.batch = recipe.valid.batch, out.precision = recipe.train.options.precision;
  return out;
}

void Answer::check_options(Networks networks, const Options& options, const LogSink& log) {
  for (const Network* const network : networks) {
    const SpanReaderOptions& model = network->config.model;
    check<ConfigError>(options.draw != "question" || model.aligned || model.flow,
                       "explain: --draw question needs a model with model.aligned = true or model.flow = true");
    check<ConfigError>(options.draw != "passage" || model.flow,
                       "explain: --draw passage needs a model with model.flow = true");
  }
  options.check_precision(log);
}

std::vector<Prediction> Answer::predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                        TaskModel::Detail detail) {
  const bool full = detail == TaskModel::Detail::full;
  const std::vector<Job> jobs = jobs_of(*networks[0], inputs);
  const std::vector<Said> said = ask(networks, jobs, options);
  std::vector<Prediction> out(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) {
    out[k].line = inputs[k].line;
    out[k].outputs = outputs_of(jobs[k], said[k], networks[0]->config, options.search, full);
    if (full) out[k].details.raw("tokens", io::json_list(surfaces_of(jobs[k]), io::json_quote));
  }
  return out;
}

viz::Figure Answer::explain(Networks networks, const Input& input, const Options& options) {
  const std::vector<Job> jobs = jobs_of(*networks[0], {&input, 1});
  const Job& job = jobs[0];
  const Said said = ask(networks, jobs, options)[0];
  check<ConfigError>(!said.first.empty(), "explain: needs a question and a passage that are not empty");
  const int64_t tokens = std::ssize(job.passage);
  const Found answer = answers_of(said, tokens, networks[0]->config, options.search)[0];
  const std::string title = required_text(input, "question") + " → " + output_of(job, answer, false).text;
  viz::Axis passage{.name = "passage", .tokens = surfaces_of(job)};
  if (answer.span.last < tokens) passage.mark = {answer.span.first, answer.span.last + 1};
  if (options.draw == "question")
    return viz::HeatMap{.columns = {"question", networks[0]->tokenizer->surfaces(required_text(input, "question"))},
                        .rows = std::move(passage),
                        .weights = said.alignment,
                        .title = title};
  if (options.draw == "passage")
    return viz::Highlight{.words = std::move(passage), .weights = said.view, .title = title};
  return viz::Highlight{.words = std::move(passage),
                        .weights = parts_in_answer(said, tokens, options.search.longest),
                        .title = title,
                        .weight_name = "P(in the answer)"};
}

std::string Answer::shown_reference(const std::string& cell) {
  StringList texts;
  for (const data::GoldAnswer& gold : data::gold_answers(cell))
    if (std::ranges::find(texts, gold.text) == texts.end()) texts.push_back(gold.text);
  return joined(texts, " | ");
}

std::vector<EvaluationLine> Answer::scores(const Network&, const StringList& names, const metrics::Lines& hypotheses,
                                           const metrics::Lines& references, int64_t resamples) {
  metrics::SegmentReferences all;
  for (const std::string& cell : references) {
    metrics::Lines& right = all.lines.emplace_back();
    for (const data::GoldAnswer& gold : data::gold_answers(cell)) right.push_back(gold.text);
    if (right.empty()) right.emplace_back();
  }
  return scored(names, hypotheses, all, resamples);
}

}  // namespace lookback::tasks
