// Text without what a regular expression matches.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/data/tokenizer.h"

namespace lookback::data {

// ECMAScript's regular expressions over code points, without back-references: every match is taken out, in time and
// memory linear in the text. An empty pattern takes nothing out.
class Removal {
 public:
  // Throws ConfigError "key = 'PATTERN' is no regular expression: ...".
  Removal(const std::string& pattern, const std::string& key);

  // Throws FormatError for text that is not UTF-8.
  std::string operator()(std::string_view text) const;
  const std::string& pattern() const { return pattern_; }

 private:
  struct Regex;
  std::string pattern_;
  std::shared_ptr<const Regex> regex_;
};

// A tokenizer of what is left of a text.
class RemovingTokenizer final : public Tokenizer {
 public:
  RemovingTokenizer(std::shared_ptr<const Tokenizer> texts, Removal removal)
      : texts_(std::move(texts)), removal_(std::move(removal)) {}

  std::vector<int32_t> encode(std::string_view text) const override { return texts_->encode(removal_(text)); }
  std::vector<std::string> surfaces(std::string_view text) const override { return texts_->surfaces(removal_(text)); }
  std::string spelling(std::string_view surface) const override { return texts_->spelling(surface); }
  std::string decode(std::span<const int32_t> ids) const override { return texts_->decode(ids); }
  std::string piece(int32_t id) const override { return texts_->piece(id); }
  int64_t size() const override { return texts_->size(); }
  std::string kind() const override { return texts_->kind(); }
  std::string file_name() const override { return texts_->file_name(); }
  std::string bytes() const override { return texts_->bytes(); }

 private:
  std::shared_ptr<const Tokenizer> texts_;
  Removal removal_;
};

}  // namespace lookback::data
