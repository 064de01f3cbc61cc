#include "lookback/models/word_vectors.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"
#include "lookback/models/subword_rows.h"
#include "lookback/models/window_sampler.h"
#include "lookback/ops/skip_gram.h"

namespace lookback {
namespace {

constexpr int64_t kRound = 16;                 // pieces whose windows are drawn at a time
constexpr int64_t kMostWindows = 256;          // of a block
constexpr double kLeastRate = 1e-4;            // of the first, as in word2vec
constexpr double kLeastRight = 1e-7;           // what floats can tell from 0, beside 1
constexpr uint64_t kStartValues = 1ULL << 63;  // streams of random numbers beside those of the pieces

int64_t padded(int64_t dim) { return (dim + 15) / 16 * 16; }

// [rows, dim padded with zeros], uniform in [-bound, bound).
Tensor random_rows(int64_t rows, int64_t dim, float bound, uint64_t seed) {
  const Tensor out = Tensor::zeros({rows, padded(dim)});
  parallel_for(rows, 64, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      Rng rng(seed, kStartValues | static_cast<uint64_t>(r));
      float* const row = out.data<float>() + r * out.dim(1);
      for (int64_t d = 0; d < dim; ++d) row[d] = (2 * rng.uniform() - 1) * bound;
    }
  });
  return out;
}

// The first `dim` columns.
Tensor narrowed(const Tensor& rows, int64_t dim) {
  const Tensor out({rows.dim(0), dim});
  for (int64_t r = 0; r < rows.dim(0); ++r)
    std::copy_n(rows.data<float>() + r * rows.dim(1), dim, out.data<float>() + r * dim);
  return out;
}

void check_options(const SkipGramOptions& o) {
  check<ConfigError>(o.window * 2 <= ops::kMostSkipGramInputs && o.negatives < ops::kMostSkipGramOutputs,
                     "window is at most ", ops::kMostSkipGramInputs / 2, " and negatives ",
                     ops::kMostSkipGramOutputs - 1);
  check<ConfigError>(!o.subwords || o.min_n <= o.max_n, "min_n = ", o.min_n, " is more than max_n = ", o.max_n,
                     ": no n-gram has so many characters and so few");
}

void check_text(const data::WordCorpus& text) {
  check<FormatError>(text.words.size() > 1,
                     "the text has one word that is frequent enough, and learning needs others to tell it from; take "
                     "more text, or a smaller min_count");
  bool any = false;
  for (size_t s = 0; s + 1 < text.sentences.size() && !any; ++s) any = text.sentences[s + 1] - text.sentences[s] > 1;
  check<FormatError>(any,
                     "no line of the text has two words that are frequent enough, so none is near another; take "
                     "more text, or a smaller min_count");
}

class SkipGram {
 public:
  SkipGram(const data::WordCorpus& text, const SkipGramOptions& options)
      : o_(options),
        sampler_(text, {.window = o_.window, .negatives = o_.negatives, .sample = o_.sample}),
        all_tokens_(o_.epochs * std::ssize(text.tokens)),
        V_(std::ssize(text.words)) {
    if (o_.subwords) subwords_.emplace(text.words, o_.min_n, o_.max_n, o_.buckets);
    const auto seed = static_cast<uint64_t>(o_.seed);
    const auto dim = static_cast<float>(o_.dim);
    // As word2vec and fastText begin.
    in_ = random_rows(subwords_ ? subwords_->rows() : V_, o_.dim, (subwords_ ? 1.0f : 0.5f) / dim, seed);
    out_ = Tensor::zeros({V_, padded(o_.dim)});
    windows_ = block_size();
    if (subwords_) {
      const int64_t most = windows_ * 2 * o_.window;
      composed_ = Tensor({most, in_.dim(1)}), changed_ = Tensor({most, in_.dim(1)});
    }
    errors_ = Tensor({windows_ * 2 * o_.window * (1 + o_.negatives)});
  }

  bool train(const std::function<bool(const SkipGramProgress&)>& go_on) {
    const int64_t pieces = sampler_.pieces();
    std::vector<Windows> round(static_cast<size_t>(kRound));
    int64_t done = 0;
    for (int64_t epoch = 0; epoch < o_.epochs; ++epoch)
      for (int64_t first = 0; first < pieces; first += kRound) {
        const int64_t count = std::min(kRound, pieces - first);
        parallel_for(count, 1, [&](int64_t k, int64_t) {
          Rng rng(static_cast<uint64_t>(o_.seed), static_cast<uint64_t>(epoch * pieces + first + k));
          sampler_.draw(first + k, rng, round[static_cast<size_t>(k)]);
          if (subwords_) round[static_cast<size_t>(k)].number_inputs(windows_);
        });
        loss_ = 0, pairs_ = 0;
        for (int64_t k = 0; k < count; ++k) {
          run_piece(round[static_cast<size_t>(k)], done);
          done += round[static_cast<size_t>(k)].tokens;
        }
        check<NumericError>(std::isfinite(loss_), "the vectors have grown beyond all bounds; a smaller lr than ", o_.lr,
                            " is needed");
        const SkipGramProgress progress{
            .tokens = done,
            .all_tokens = all_tokens_,
            .epochs = static_cast<double>(done) / static_cast<double>(all_tokens_ / o_.epochs),
            .loss = pairs_ ? loss_ / static_cast<double>(pairs_) : 0,
            .lr = rate_at(done)};
        if (go_on && !go_on(progress)) return false;
      }
    return true;
  }

  SkipGramVectors vectors() const {
    Tensor words = in_;
    if (subwords_) {
      words = Tensor({V_, in_.dim(1)});
      parallel_for(V_, 16, [&](int64_t begin, int64_t end) {
        for (int64_t w = begin; w < end; ++w)
          subwords_->compose(static_cast<int32_t>(w), in_, words.data<float>() + w * words.dim(1));
      });
    }
    SkipGramVectors out{narrowed(words, o_.dim), narrowed(out_, o_.dim)};
    for (const Tensor& t : {out.words, out.contexts})
      check<NumericError>(std::ranges::all_of(t.span<float>(), [](float x) { return std::isfinite(x); }),
                          "the vectors have grown beyond all bounds; a smaller lr than ", o_.lr, " is needed");
    return out;
  }

 private:
  double rate_at(int64_t done) const {
    return o_.lr * std::max(kLeastRate, 1 - static_cast<double>(done) / static_cast<double>(all_tokens_));
  }

  // As many windows as may be one step; see the header.
  int64_t block_size() const {
    const double inputs = static_cast<double>(o_.window) + 1, outputs = 1 + static_cast<double>(o_.negatives);
    std::vector<double> in(static_cast<size_t>(in_.dim(0)));
    double most = 0;  // pairs of a window that meet one vector, on average
    for (int32_t w = 0; w < V_; ++w) {
      const double share = sampler_.share(w);
      const auto add = [&](int64_t row) { in[static_cast<size_t>(row)] += share * inputs * outputs; };
      if (subwords_)
        std::ranges::for_each(subwords_->of(w), add);
      else
        add(w);
      most = std::max(most, (share + static_cast<double>(o_.negatives) * sampler_.negative_share(w)) * inputs);
    }
    most = std::max(most, std::ranges::max(in));
    return std::clamp<int64_t>(static_cast<int64_t>(1 / (o_.lr * most)), 1, kMostWindows);
  }

  void run_piece(const Windows& piece, int64_t done) {
    const int64_t N = piece.size(), T = 1 + o_.negatives;
    for (int64_t n = 0; n < N; n += windows_) {
      const int64_t count = std::min(windows_, N - n);
      const double rate = rate_at(done + piece.tokens * n / N);
      const std::span<const int64_t> begin(piece.begin.data() + n, static_cast<size_t>(count + 1));
      const std::span<const int32_t> outputs(piece.outputs.data() + n * T, static_cast<size_t>(count * T));
      if (subwords_)
        step_of_subwords(piece, n / windows_, {begin, piece.inputs, outputs}, rate);
      else
        ops::skip_gram_step({begin, piece.inputs, outputs}, rate, in_, out_, errors_);
      if (n == 0) add_loss(begin.back() - begin.front(), rate);
    }
  }

  // The step changes composed vectors; what each has gained is then added to the rows that it was made of.
  void step_of_subwords(const Windows& piece, int64_t block, const ops::SkipGramWindows& windows, double rate) {
    const std::span<const int32_t> words = piece.words_of_block(block);
    const int64_t W = in_.dim(1);
    float *const before = composed_.data<float>(), *const after = changed_.data<float>();
    parallel_for(std::ssize(words), 8, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        subwords_->compose(words[static_cast<size_t>(k)], in_, before + k * W);
        std::copy_n(before + k * W, W, after + k * W);
      }
    });
    ops::skip_gram_step(windows, rate, changed_, out_, errors_);
    parallel_for(W, std::max<int64_t>(16, W / thread_count() / 16 * 16), [&](int64_t begin, int64_t end) {
      for (size_t k = 0; k < words.size(); ++k) {
        float *const was = before + static_cast<int64_t>(k) * W, *const is = after + static_cast<int64_t>(k) * W;
        for (int64_t w = begin; w < end; ++w) is[w] -= was[w];
        subwords_->add(words[k], is, begin, end, in_);
      }
    });
  }

  // From the errors of the last step, one that had so many inputs: rate (1 - sigmoid) or -rate sigmoid.
  void add_loss(int64_t inputs, double rate) {
    const int64_t T = 1 + o_.negatives;
    const float* const error = errors_.data<float>();
    for (int64_t k = 0; k < inputs * T; ++k) {
      const double right = 1 - std::abs(error[k]) / rate;
      loss_ -= elementary::log(right < kLeastRight ? kLeastRight : right);  // NaN stays
    }
    pairs_ += inputs;
  }

  SkipGramOptions o_;
  WindowSampler sampler_;
  int64_t all_tokens_, V_;
  std::optional<SubwordRows> subwords_;
  int64_t windows_ = 1;        // of a block
  Tensor in_, out_;            // [words, or rows of subwords, W], [words, W]
  Tensor composed_, changed_;  // [words of a block, W], with subwords
  Tensor errors_;              // [pairs of a block]
  double loss_ = 0;
  int64_t pairs_ = 0;
};

}  // namespace

std::optional<SkipGramVectors> train_skip_gram(const data::WordCorpus& text, const SkipGramOptions& options,
                                               const std::function<bool(const SkipGramProgress&)>& go_on) {
  check_options(options);
  check_text(text);
  SkipGram model(text, options);
  if (!model.train(go_on)) return {};
  return model.vectors();
}

}  // namespace lookback
