#include "lookback/decode/search_options.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"

namespace lookback::decode {
namespace {

double norm_of(const SearchOptions& options, int64_t steps) {
  const double length = static_cast<double>(std::max<int64_t>(1, steps));
  if (options.length_norm == "gnmt") return elementary::pow((5.0 + length) / 6.0, options.length_penalty);
  if (options.length_norm == "average") return elementary::pow(length, options.length_penalty);
  return 1.0;
}

}  // namespace

void SearchOptions::validate() const {
  SearchOptions copy = *this;
  for (Field& field : fields_of(copy)) set_field(field, field_value(field), "search");
  check<ConfigError>(top_p > 0, "search: top_p = 0 keeps no token; set it in (0, 1]");
  check<ConfigError>(min_length <= max_length, "search: min_length = ", min_length,
                     " is more than max_length = ", max_length);
  if (sample) {
    check<ConfigError>(beam == 1, "search: sample = true needs beam = 1, got beam = ", beam,
                       "; n_best is the number of draws");
  } else {
    check<ConfigError>(n_best <= beam, "search: n_best = ", n_best,
                       " needs a beam at least as large, got beam = ", beam);
    check<ConfigError>(temperature == 1 && top_k == 0 && top_p == 1 && min_p == 0,
                       "search: temperature, top_k, top_p and min_p need sample = true");
  }
  check<ConfigError>(specials.bos >= 0, "search: specials.bos = ", specials.bos, " cannot be fed to the first step");
}

int64_t length_limit(const SearchOptions& options, const SourceInfo& source) {
  int64_t limit = options.max_length;
  if (options.max_length_factor > 0 && source.source_length >= 0) {
    // In double: the product may be larger than any integer.
    const double scaled = std::floor(options.max_length_factor * static_cast<double>(source.source_length)) +
                          static_cast<double>(options.max_length_offset);
    if (scaled < static_cast<double>(limit)) limit = static_cast<int64_t>(scaled);
  }
  return std::max({limit, options.min_length, static_cast<int64_t>(source.prefix.size())});
}

Scorer::Scorer(const SearchOptions& options, int64_t max_steps) : coverage_penalty_(options.coverage_penalty) {
  norms_.reserve(static_cast<size_t>(max_steps) + 1);
  for (int64_t n = 0; n <= max_steps; ++n)
    norms_.push_back(std::max(norms_.empty() ? 0.0 : norms_.back(), norm_of(options, n)));
}

double Scorer::score(double log_prob, int64_t steps, double log_coverage) const {
  const double normed = log_prob / norms_[static_cast<size_t>(steps)];
  return coverage_penalty_ > 0 ? normed + coverage_penalty_ * log_coverage : normed;
}

}  // namespace lookback::decode
