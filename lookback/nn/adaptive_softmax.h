// Adaptive softmax (Grave et al. 2017, "Efficient softmax approximation for GPUs"): an output layer for large
// vocabularies whose cost goes by how frequent a token is.
#pragma once

#include <cstdint>
#include <vector>

#include "lookback/nn/linear.h"
#include "lookback/ops/loss.h"

namespace lookback {

// Tokens below cutoffs[0] have an output each in the head, which has one more for every cluster: cluster k holds the
// tokens from cutoffs[k] to cutoffs[k + 1], the last one those up to the vocabulary's end, behind a layer of
// width / div_value^(k + 1) units:
//   p(token) = softmax(head x)[token], or softmax(head x)[cutoffs[0] + k] * softmax(W_k1 W_k0 x)[token - cutoffs[k]]
// The function and the names of torch.nn.AdaptiveLogSoftmaxWithLoss. Or every token's output is that of a layer given,
// as wide as x, and W_k0 is none: with embeddings for its weight they are tied (after Baevski and Auli 2019, with one
// width). It pays where ids are sorted by frequency, as those of word and char tokenizers are.
class AdaptiveSoftmax {
 public:
  AdaptiveSoftmax() = default;
  // Throws ConfigError "where: ..." for cutoffs that do not rise within the vocabulary.
  AdaptiveSoftmax(int64_t width, int64_t vocabulary, std::vector<int64_t> cutoffs, double div_value,
                  const std::string& where);
  // Its tokens' outputs are those of `tokens`, weight [vocabulary, width], bias [vocabulary], which are the caller's;
  // its own are the clusters' outputs in the head.
  AdaptiveSoftmax(const Linear& tokens, std::vector<int64_t> cutoffs, const std::string& where);

  // hidden [N, width], targets [N]. `correct`: those that the likeliest output of the head, and of its cluster, leads
  // to. Of the options only `scale` counts.
  ops::XentOut loss(const Var& hidden, const std::vector<int32_t>& targets, const ops::XentOptions& options) const;
  // [N, vocabulary] log-probabilities of all tokens; no gradients.
  Tensor log_probs(const Var& hidden) const;
  // Beside a layer given, whose biases are the logarithms of these shares [vocabulary]: those of the clusters are, too.
  void start_from_shares(const std::vector<double>& shares);
  // head.weight, tail.0.0.weight, tail.0.1.weight, ...; beside a layer given clusters.weight, clusters.bias
  void params(ParamVisitor& v);

 private:
  struct Cluster {
    Linear in, out;  // in: absent beside a layer given
    Var operator()(const Var& x) const { return in.weight ? in(x) : x; }
    void params(ParamVisitor& v) { v("0", in), v("1", out); }
  };
  size_t clusters() const { return cutoffs_.size() - 1; }
  int64_t begin(size_t cluster) const { return cutoffs_[cluster]; }
  int64_t end(size_t cluster) const { return cutoffs_[cluster + 1]; }
  bool tied() const { return static_cast<bool>(tokens_.weight); }
  // As `loss` needs them: weights of a layer given are rows of it.
  Linear head() const;
  Cluster tail(size_t cluster) const;

  std::vector<int64_t> cutoffs_;  // and the vocabulary at the end
  Linear head_;                   // beside a layer given the outputs of the clusters alone
  std::vector<Cluster> tail_;
  Linear tokens_;  // or absent
};

}  // namespace lookback
