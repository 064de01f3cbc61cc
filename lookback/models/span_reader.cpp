#include "lookback/models/span_reader.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <numeric>
#include <unordered_set>

#include "lookback/data/vocab.h"
#include "lookback/models/spellings.h"
#include "lookback/models/word_dropout.h"
#include "lookback/ops/pointer.h"

namespace lookback {
namespace {

// 1 for each token that the other text of its pair has, [N, 1] by sequence.
Var matches(const Sentences& texts, const Sentences& others, const Ragged& shape) {
  Tensor out({shape.rows(), 1});
  float* to = out.data<float>();
  for (const int32_t s : shape.sequence_of_rank()) {
    const auto& other = others[static_cast<size_t>(s)];
    const std::unordered_set<int32_t> known(other.begin(), other.end());
    for (const int32_t token : texts[static_cast<size_t>(s)]) *to++ = token != data::kUnk && known.contains(token);
  }
  return Var(out);
}

ops::RowIds each_once(int64_t n) {
  std::vector<int32_t> out(static_cast<size_t>(n));
  std::iota(out.begin(), out.end(), 0);
  return ops::row_ids(std::move(out));
}

// Each row of x times the one row of factors.
Var mul_columns(const Var& x, const Var& factors) {
  return ops::mul(x, ops::gather_rows(factors, ops::row_ids(std::vector<int32_t>(static_cast<size_t>(x.dim(0))))));
}

// The beginnings of some rows.
Tensor part(const Tensor& all, int64_t row, int64_t rows, int64_t columns) {
  Tensor some({rows, columns});
  for (int64_t k = 0; k < rows; ++k)
    std::copy_n(all.data<float>() + (row + k) * all.dim(1), columns, some.data<float>() + k * columns);
  return some;
}

}  // namespace

SpanReader::SpanReader(const SpanReaderOptions& options, int64_t vocabulary, uint64_t seed)
    : options_(options), vocabulary_(vocabulary), front_(options.front, vocabulary, 1, "model") {
  check<ConfigError>(!options.front.spelling.any(),
                     "model.characters and model.capitals: a reader of spans reads whole words");
  const int64_t E = front_.width(), match = options.exact_match ? 1 : 0;
  if (options.aligned) aligned_ = Linear(E, E, Linear::Bias::yes);
  passage_ = Encoder(options.passage, E * (options.aligned ? 2 : 1) + match, "model.passage");
  question_ = Encoder(options.question, E + match, "model.question");
  pooling_ = Pooling(options.pooling, question_, "model.pooling");
  int64_t width = passage_.width();
  if (options.flow) {
    check<ConfigError>(width == question_.width(),
                       "model.flow = true compares passage and question, whose encoders are ", width, " and ",
                       question_.width(), " wide; give both the same width");
    flow_passage_ = Linear(width, 1, Linear::Bias::no), flow_question_ = Linear(width, 1, Linear::Bias::no);
    flow_both_ = Var::parameter(Tensor::zeros({1, width}));
    flow_encoder_ = Encoder(options.flow_encoder, 4 * width, "model.flow_encoder");
    width = flow_encoder_.width();
  } else {
    for (const auto& [option, value] : changed_options(options.flow_encoder))
      throw ConfigError(
          str_cat("model.flow_encoder.", option, " = ", value, " has no meaning without model.flow = true"));
  }
  for (const auto& [encoder, where] : {std::pair(&passage_, "model.passage"), {&flow_encoder_, "model.flow_encoder"}})
    check<ConfigError>((encoder == &flow_encoder_ && !options.flow) || encoder->shortening() == 1, where,
                       ": answers are pointed at token by token; take no block that shortens");
  first_ = Linear(pooling_.width(), width, Linear::Bias::no);
  last_ = Linear(pooling_.width(), width, Linear::Bias::no);
  if (seed != kNoInit) initialise(params_of(*this), options.init, seed);
}

void SpanReader::params(ParamVisitor& v) {
  front_.params(v);
  v("aligned", aligned_);
  v("passage", passage_), v("question", question_), v("pooling", pooling_);
  if (options_.flow) {
    v("flow.passage", flow_passage_), v("flow.question", flow_question_),
        v("flow.both", flow_both_, Role::score_filter);
    v("flow.encoder", flow_encoder_);
  }
  v("first", first_), v("last", last_);
}

void SpanReader::check_texts(const SpanReaderTexts& texts) const {
  check(texts.questions.size() == texts.passages.size() && texts.size() > 0, "as many questions as passages, got ",
        texts.questions.size(), " and ", texts.passages.size());
  for (size_t k = 0; k < texts.passages.size(); ++k) {
    // A word of the question may be one of the passage's in another window.
    const int64_t all = extended_size(texts.questions[k], extended_size(texts.passages[k], vocabulary_));
    check_ids({texts.passages[k]}, all, "passage"), check_ids({texts.questions[k]}, all, "question");
    check(!texts.questions[k].empty(), "question ", k, " is empty");
    check(options_.no_answer || !texts.passages[k].empty(), "passage ", k, " is empty");
  }
}

Sequence SpanReader::embed(const Sentences& texts, Noise* noise) const {
  const Ragged shape(lengths_of(texts));
  std::vector<int32_t> ids = flattened(texts, shape.sequence_of_rank());
  for (int32_t& id : ids)
    if (id >= vocabulary_) id = data::kUnk;
  drop_words(ids, options_.dropout.words, noise);
  return in_order(front_(std::move(ids), {}, shape, RowOrder::by_sequence), RowOrder::by_sequence);
}

// What was read of some texts; passages are in the order of their ranks.
struct SpanReader::Read {
  Ragged passages, questions;
  Var first, last;  // [B, T] energies
  // [passage rows, question tokens], [B, passage tokens], [B, question tokens]; those that there are not are empty.
  Tensor alignment, view, question;
  std::vector<int32_t> question_of_rank;  // the rank of its question
};

struct SpanReader::Flow {
  Var rows;
  Tensor alignment, view;  // as Read has them
};

// [h; u; h * u; h * c] of each passage row: u is what it attends to of its question, c the question's view of the
// passage. (Seo et al. 2017, section 2.4)
SpanReader::Flow SpanReader::attention_flow(const Sequence& passages, const Sequence& questions,
                                            const ops::Visible& question_of_row) const {
  const Var &h = passages.x, &u = questions.x;
  const auto ones = [](int64_t n) { return Var(Tensor::full({n, 1}, 1)); };
  // S[i,j] = w1 . h[i] + w2 . u[j] + w3 . (h[i] * u[j])
  const Var energies =
      ops::score_dot(ops::concat_columns({mul_columns(h, flow_both_), flow_passage_(h), ones(h.dim(0))}),
                     ops::concat_columns({u, ones(u.dim(0)), flow_question_(u)}), question_of_row);
  const auto attended = ops::attend(energies, u, question_of_row);
  const MemoryLayout& memory = passages.shape.memory();
  const ops::Visible passage{memory, each_once(memory.sentences())};
  const Var of_passage = ops::score_dot(ones(memory.sentences()), ops::span_max(energies, question_of_row), passage);
  const auto view = ops::attend(of_passage, h, passage);
  const Var seen = ops::gather_rows(view.context, ops::row_ids(memory.sentence_of_rows()));
  return {ops::concat_columns({h, attended.context, ops::mul(h, attended.context), ops::mul(h, seen)}),
          attended.weights.value(), view.weights.value()};
}

SpanReader::Read SpanReader::read(const SpanReaderTexts& texts, Noise* noise) const {
  Sentences passages = texts.passages;
  if (options_.no_answer)
    for (auto& passage : passages) passage.push_back(data::kEos);
  const Sequence p = embed(passages, noise), q = embed(texts.questions, noise);
  Read out{.passages = p.shape, .questions = q.shape};
  const std::vector<int32_t> rank = q.shape.rank_of_sequence();
  for (const int32_t s : p.shape.sequence_of_rank()) out.question_of_rank.push_back(rank[static_cast<size_t>(s)]);
  std::vector<int32_t> question_of_row = p.shape.memory().sentence_of_rows();
  for (int32_t& row : question_of_row) row = out.question_of_rank[static_cast<size_t>(row)];
  const ops::Visible sees{q.shape.memory(), ops::row_ids(std::move(question_of_row))};

  std::vector<Var> parts{p.x};
  if (options_.aligned) {
    const auto aligned =
        ops::attend(ops::score_dot(ops::relu(aligned_(p.x)), ops::relu(aligned_(q.x)), sees), q.x, sees);
    out.alignment = aligned.weights.value();
    parts.push_back(aligned.context);
  }
  Var question = q.x;
  if (options_.exact_match) {
    parts.push_back(matches(passages, texts.questions, p.shape));
    question = ops::concat_columns({question, matches(texts.questions, passages, q.shape)});
  }
  const Var passage = parts.size() == 1 ? parts[0] : ops::concat_columns(parts);
  const Encoded read_q = question_({question, q.shape, RowOrder::by_sequence}, options_.dropout, noise);
  Sequence pointed = in_order(passage_({passage, p.shape, RowOrder::by_sequence}, options_.dropout, noise).memory,
                              RowOrder::by_sequence);
  if (options_.flow) {
    const Flow flow = attention_flow(pointed, in_order(read_q.memory, RowOrder::by_sequence), sees);
    if (!options_.aligned) out.alignment = flow.alignment;
    out.view = flow.view;
    pointed = in_order(flow_encoder_({flow.rows, p.shape, RowOrder::by_sequence}, options_.dropout, noise).memory,
                       RowOrder::by_sequence);
  }
  const Pooled pooled = pooling_(read_q);
  if (pooled.weights) out.question = pooled.weights.value();
  const Var asked = ops::gather_rows(pooled.x, ops::row_ids(out.question_of_rank));
  const ops::Visible whole{p.shape.memory(), each_once(texts.size())};
  out.first = ops::score_dot(first_(asked), pointed.x, whole);
  out.last = ops::score_dot(last_(asked), pointed.x, whole);
  return out;
}

SpanReaderLoss SpanReader::loss(const SpanReaderBatch& batch, double scale, Noise* noise) const {
  check_texts(batch.texts);
  check(std::ssize(batch.answers) == batch.texts.size(), batch.answers.size(), " answers to ", batch.texts.size(),
        " questions");
  const Read got = read(batch.texts, noise);
  std::vector<int32_t> first, last;
  for (const int32_t s : got.passages.sequence_of_rank()) {
    const Span& answer = batch.answers[static_cast<size_t>(s)];
    check(answer.first <= answer.last, "an answer begins at ", answer.first, " and ends at ", answer.last);
    first.push_back(answer.first), last.push_back(answer.last);
  }
  const ops::Visible whole{got.passages.memory(), each_once(batch.texts.size())};
  const auto a = ops::pointer_xent(got.first, whole, first, scale), b = ops::pointer_xent(got.last, whole, last, scale);
  SpanReaderLoss out{.loss = ops::add(a.loss, b.loss), .nll_sum = a.nll_sum + b.nll_sum};
  for (size_t k = 0; k < first.size(); ++k) out.correct += a.is_correct[k] && b.is_correct[k];
  return out;
}

std::vector<SpanReader::Scores> SpanReader::score(const SpanReaderTexts& texts) const {
  const NoGrad off;
  check_texts(texts);
  const Read got = read(texts, nullptr);
  std::vector<Scores> out(static_cast<size_t>(texts.size()));
  for (int64_t rank = 0; rank < texts.size(); ++rank) {
    const auto s = static_cast<size_t>(got.passages.sequence_of_rank()[static_cast<size_t>(rank)]);
    const int64_t T = got.passages.memory().length(rank), question = got.question_of_rank[static_cast<size_t>(rank)];
    const int64_t words = got.questions.memory().length(question), tokens = std::ssize(texts.passages[s]);
    const auto energies = [&](const Var& all) {
      const float* const row = all.value().data<float>() + rank * all.dim(1);
      return std::vector<float>(row, row + T);
    };
    out[s].first = energies(got.first), out[s].last = energies(got.last);
    if (!got.question.empty()) out[s].question = part(got.question, question, 1, words).reshape({words});
    if (!got.view.empty()) out[s].view = part(got.view, rank, 1, tokens).reshape({tokens});
    if (!got.alignment.empty())
      out[s].alignment = part(got.alignment, got.passages.memory().begin(rank), tokens, words);
  }
  return out;
}

BestSpan best_span(const SpanReader::Scores& scores, int64_t passage_tokens, int64_t longest) {
  check(passage_tokens > 0 && passage_tokens <= std::ssize(scores.first) && longest > 0, "best_span: ", passage_tokens,
        " tokens of ", scores.first.size(), ", at most ", longest);
  BestSpan best{{0, 0}, -std::numeric_limits<double>::infinity()};
  // Places to begin from which the last `longest` tokens could be reached, the best one in front.
  std::deque<int32_t> begins;
  for (int32_t j = 0; j < passage_tokens; ++j) {
    const auto energy = [&](int32_t t) { return scores.first[static_cast<size_t>(t)]; };
    while (!begins.empty() && energy(begins.back()) < energy(j)) begins.pop_back();
    begins.push_back(j);
    if (begins.front() + longest <= j) begins.pop_front();
    const double score =
        static_cast<double>(energy(begins.front())) + static_cast<double>(scores.last[static_cast<size_t>(j)]);
    if (score > best.score) best = {{begins.front(), j}, score};
  }
  return best;
}

}  // namespace lookback
