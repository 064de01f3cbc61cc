#include "lookback/tasks/shortlist.h"

#include <algorithm>
#include <numeric>

#include "lookback/data/vocab.h"
#include "lookback/io/safetensors.h"

namespace lookback::tasks {
namespace {

constexpr int kRounds = 3;
constexpr int64_t kMostTokenPairs = int64_t{1} << 25;  // looked at in one round, and eight bytes each at first

// Of every source token, the target tokens seen with it and how likely it becomes each.
struct Lexicon {
  std::vector<size_t> begin;    // [source vocabulary + 1]
  std::vector<int32_t> target;  // ascending for each source token
  std::vector<double> chance;

  size_t find(int32_t s, int32_t t) const {
    const auto at = static_cast<size_t>(s);
    const auto first = target.begin() + static_cast<ptrdiff_t>(begin[at]);
    const auto last = target.begin() + static_cast<ptrdiff_t>(begin[at + 1]);
    return static_cast<size_t>(std::lower_bound(first, last, t) - target.begin());
  }
};

struct Pair {
  data::Ids source, target;
};

std::vector<Pair> some_pairs(const data::Table& table) {
  int64_t all = 0;
  const auto source = table.lengths(0), target = table.lengths(1);
  for (size_t k = 0; k < source.size(); ++k) all += int64_t{source[k]} * target[k];
  std::vector<Pair> out;
  for (int64_t k = 0, step = 1 + all / kMostTokenPairs; k < table.size(); k += step)
    out.push_back({table.ids(0, k), table.ids(1, k)});
  return out;
}

Lexicon seen_together(const std::vector<Pair>& pairs, int64_t source_vocabulary) {
  std::vector<uint64_t> seen;
  for (const Pair& p : pairs)
    for (const int32_t s : p.source)
      for (const int32_t t : p.target)
        seen.push_back(uint64_t{static_cast<uint32_t>(s)} << 32 | static_cast<uint32_t>(t));
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  Lexicon out;
  out.begin.resize(static_cast<size_t>(source_vocabulary) + 1);
  for (const uint64_t key : seen)
    ++out.begin[static_cast<size_t>(key >> 32) + 1], out.target.push_back(static_cast<int32_t>(key));
  std::partial_sum(out.begin.begin(), out.begin.end(), out.begin.begin());
  out.chance.assign(seen.size(), 1.0);
  return out;
}

// Each target token is shared out among the source tokens that may have become it.
void improve(const std::vector<Pair>& pairs, Lexicon& lexicon) {
  std::vector<double> counts(lexicon.chance.size());
  std::vector<size_t> places;
  for (const Pair& p : pairs)
    for (const int32_t t : p.target) {
      places.clear();
      double sum = 0;
      for (const int32_t s : p.source) places.push_back(lexicon.find(s, t)), sum += lexicon.chance[places.back()];
      for (const size_t at : places) counts[at] += lexicon.chance[at] / sum;
    }
  for (size_t s = 0; s + 1 < lexicon.begin.size(); ++s) {
    double total = 0;
    for (size_t k = lexicon.begin[s]; k < lexicon.begin[s + 1]; ++k) total += counts[k];
    for (size_t k = lexicon.begin[s]; k < lexicon.begin[s + 1]; ++k) lexicon.chance[k] = counts[k] / total;
  }
}

// The first of `order` by `score`, largest first, of equals the smaller token.
template <class Score>
void keep_best(std::vector<int32_t>& order, int64_t count, Score score) {
  const auto end = order.begin() + std::min<ptrdiff_t>(count, std::ssize(order));
  std::partial_sort(order.begin(), end, order.end(),
                    [&](int32_t a, int32_t b) { return score(a) != score(b) ? score(a) > score(b) : a < b; });
  order.erase(end, order.end());
}

// A token must be one of the vocabulary, or -1 with nothing but -1 after it in its row.
void check_tokens(const Tensor& ids, int64_t row_size, int64_t vocabulary, const std::string& where) {
  const auto all = ids.span<int32_t>();
  for (size_t k = 0; k < all.size(); ++k) {
    const bool ended = all[k] == -1, was = static_cast<int64_t>(k) % row_size != 0 && all[k - 1] == -1;
    check<FormatError>(ended || (0 <= all[k] && all[k] < vocabulary && !was), where, " holds ", all[k], " at ", k,
                       ", which is no token of ", vocabulary, was ? " or comes after -1" : "");
  }
}

Tensor load_ids(const io::SafetensorsFile& file, const char* name, int rank) {
  const Tensor out = file.load(name);
  check<FormatError>(out.dtype() == Dtype::i32 && out.shape().rank() == rank, file.path(), ": ", name, " is ",
                     name_of(out.dtype()), out.shape(), ", expected i32 of ", rank, " dimensions");
  return out;
}

}  // namespace

Shortlist::Shortlist(const data::Table& table, Seq2Seq::Vocabularies sizes, const ShortlistOptions& options,
                     bool joint) {
  const auto pairs = some_pairs(table);
  Lexicon lexicon = seen_together(pairs, sizes.source);
  for (int round = 0; round < kRounds; ++round) improve(pairs, lexicon);
  likeliest_ = Tensor({sizes.source, options.per_token}, Dtype::i32);
  std::ranges::fill(likeliest_.span<int32_t>(), -1);
  for (int32_t s = 0; s < sizes.source; ++s) {
    const auto at = static_cast<size_t>(s);
    std::vector<int32_t> best(lexicon.target.begin() + static_cast<ptrdiff_t>(lexicon.begin[at]),
                              lexicon.target.begin() + static_cast<ptrdiff_t>(lexicon.begin[at + 1]));
    if (joint) std::erase(best, s);
    keep_best(best, options.per_token - (joint ? 1 : 0), [&](int32_t t) { return lexicon.chance[lexicon.find(s, t)]; });
    if (joint) best.insert(best.begin(), s);
    std::copy(best.begin(), best.end(), likeliest_.data<int32_t>() + s * options.per_token);
  }
  std::vector<int64_t> count(static_cast<size_t>(sizes.target));
  for (const Pair& p : pairs)
    for (const int32_t t : p.target) ++count[static_cast<size_t>(t)];
  std::vector<int32_t> all(count.size());
  std::iota(all.begin(), all.end(), 0);
  keep_best(all, options.frequent, [&](int32_t t) { return count[static_cast<size_t>(t)]; });
  frequent_ = Tensor::of({std::ssize(all)}, all);
}

Shortlist::Shortlist(const io::SafetensorsFile& file, Seq2Seq::Vocabularies sizes) {
  const std::string& path = file.path();
  likeliest_ = load_ids(file, "likeliest", 2), frequent_ = load_ids(file, "frequent", 1);
  check<FormatError>(likeliest_.dim(0) == sizes.source && likeliest_.dim(1) > 0, path, ": likeliest is ",
                     likeliest_.shape(), ", the source vocabulary has ", sizes.source, " tokens");
  check_tokens(likeliest_, likeliest_.dim(1), sizes.target, path + ": likeliest");
  check_tokens(frequent_, 1, sizes.target, path + ": frequent");
}

void Shortlist::save(const std::string& path) const {
  io::write_safetensors(path, std::vector<io::NamedTensor>{{"likeliest", likeliest_}, {"frequent", frequent_}});
}

std::vector<int32_t> Shortlist::candidates(const std::vector<int32_t>& source, const std::vector<int32_t>& prefix,
                                           int64_t n) const {
  std::vector<int32_t> out(frequent_.span<int32_t>().begin(), frequent_.span<int32_t>().end());
  for (int32_t t = 0; t < data::kSpecials; ++t) out.push_back(t);
  out.insert(out.end(), prefix.begin(), prefix.end());
  for (const int32_t s : source) {
    const int32_t* best = likeliest_.data<int32_t>() + s * per_token();
    out.insert(out.end(), best, best + std::min(n, per_token()));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.front() < 0) out.erase(out.begin());
  return out;
}

}  // namespace lookback::tasks
