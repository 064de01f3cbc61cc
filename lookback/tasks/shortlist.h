// Private to tasks: a vocabulary shortlist: for each source token the target tokens it is likely to become.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/data/table.h"
#include "lookback/io/safetensors.h"
#include "lookback/models/seq2seq.h"

namespace lookback::tasks {

// Of a model folder; only where the recipe asked for it.
constexpr const char* kShortlistFile = "shortlist.safetensors";

struct ShortlistOptions {
  int64_t per_token = 0;
  int64_t frequent = 200;

  void fields(FieldVisitor& v) {
    v("per_token", per_token,
      "learn the so many likeliest target tokens of each source token (IBM model 1), for predict --shortlist; 0: none")
        .range(0, 1000);
    v("frequent", frequent, "the so many most frequent target tokens belong to every shortlist").range(0, 1e6);
  }
};

class Shortlist {
 public:
  // Learns from pairs of the table, evenly spread if there are very many; three rounds of expectation and
  // maximisation (Brown et al. 1993, model 1). With one vocabulary for both sides a token's own list starts with
  // itself.
  Shortlist(const data::Table& table, Seq2Seq::Vocabularies sizes, const ShortlistOptions& options, bool joint);
  // Throws FormatError, naming the file and what is wrong with it, and IoError.
  Shortlist(const io::SafetensorsFile& file, Seq2Seq::Vocabularies sizes);
  void save(const std::string& path) const;

  // The target token that this one most likely becomes; -1 if it was never seen.
  int32_t likeliest(int32_t source) const { return likeliest_.data<int32_t>()[source * per_token()]; }
  int64_t per_token() const { return likeliest_.dim(1); }
  // What an output for `source` may hold, ascending: the n likeliest tokens of each source token, the frequent ones,
  // the specials, and `prefix`.
  std::vector<int32_t> candidates(const std::vector<int32_t>& source, const std::vector<int32_t>& prefix,
                                  int64_t n) const;

 private:
  Tensor likeliest_;  // i32 [source vocabulary, per_token] best first; -1 where there are no more
  Tensor frequent_;   // i32 [frequent]
};

}  // namespace lookback::tasks
