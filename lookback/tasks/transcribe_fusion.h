// Private to tasks: a language model beside a transcriber, whose scores are added while it searches (shallow fusion,
// Gulcehre et al. 2015, "On using monolingual corpora in neural machine translation").
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lookback/data/tokenizer.h"
#include "lookback/decode/log_linear.h"

namespace lookback::tasks {

// A language model that reads the tokens of another tokenizer.
class FusedModel {
 public:
  // Each token is the one that is written alike, and its unknown word where there is none; a text ends where a line
  // does. Throws ConfigError for a folder of another task, for a tokenizer that cuts text in another way, and for one
  // that has none of the tokens; FormatError and IoError.
  FusedModel(const std::string& folder, const data::Tokenizer& tokenizer);
  ~FusedModel();

  // For search: sentence after sentence from a line's beginning. It looks at this, which has to outlive it. The
  // continuous cache of the model's folder is not used: a sentence is too short for it.
  decode::Term term(int64_t sentences, double weight) const;
  // Tokens of the other tokenizer that it does not have, without the specials.
  const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  struct Model;
  std::unique_ptr<const Model> model_;
  std::vector<int32_t> token_of_;
  std::vector<std::string> unknown_;
};

// Those that a transcriber was asked to search with, each read once. May be used from several threads at once.
class FusedModels {
 public:
  // Throws as FusedModel does. It stays as long as this.
  const FusedModel& of(const std::string& folder, const data::Tokenizer& tokenizer);

 private:
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<const FusedModel>> models_;
};

}  // namespace lookback::tasks
