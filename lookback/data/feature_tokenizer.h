// A text with features: what is said of it beside its characters, as symbols of their own before them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/data/tokenizer.h"

namespace lookback::data {

// Cells like "pos=V,tense=PST": features with separators between, white space around each passed over.
class FeatureSymbols final : public CellEncoder {
 public:
  // Ids start at `first`, which stands for every feature that is not among `names`. Throws ConfigError for a separator
  // that is empty, FormatError for a name that is empty, not trimmed or there twice, or has a separator in it.
  FeatureSymbols(StringList names, std::string separator, int64_t first, const std::string& origin);
  // All that the lines hold, ascending.
  static StringList learn(const LineSource& lines, const std::string& separator);

  // In the order of the cell. Throws FormatError for text that is not UTF-8.
  std::vector<int32_t> encode(std::string_view cell) const override;
  int64_t size() const override { return first_ + 1 + std::ssize(names_); }
  int64_t first() const { return first_; }
  // The text of an id from first() on.
  std::string piece(int32_t id) const;
  // The features of a cell, and those of them that no id stands for.
  StringList features(std::string_view cell) const;
  StringList unknown(std::string_view cell) const;

  const StringList& names() const { return names_; }
  const std::string& separator() const { return separator_; }

 private:
  StringList names_;
  std::string separator_;
  int64_t first_;
  std::unordered_map<std::string, int32_t> ids_;
};

// A tokenizer of texts, and features, in one vocabulary: first the ids of the texts, then those of the features, so
// that no text can hold one. Files and bytes are those of the texts' tokenizer; names and separator are kept elsewhere.
class FeatureTokenizer final : public Tokenizer {
 public:
  // As FeatureSymbols.
  FeatureTokenizer(std::shared_ptr<const Tokenizer> texts, StringList names, std::string separator,
                   const std::string& origin);

  // The ids of the features, then those of the text; none at all for a text that has none.
  std::vector<int32_t> encode(std::string_view features, std::string_view text) const;
  // What each of them stands for in the text: nothing for a feature.
  std::vector<std::string> surfaces(std::string_view features, std::string_view text) const;
  const Tokenizer& texts() const { return *texts_; }
  const FeatureSymbols& features() const { return features_; }

  // A text without features.
  std::vector<int32_t> encode(std::string_view text) const override { return texts_->encode(text); }
  std::vector<std::string> surfaces(std::string_view text) const override { return texts_->surfaces(text); }
  std::string spelling(std::string_view surface) const override { return texts_->spelling(surface); }
  // Of the text alone.
  std::string decode(std::span<const int32_t> ids) const override;
  std::string piece(int32_t id) const override;
  int64_t size() const override { return features_.size(); }
  std::string kind() const override { return texts_->kind(); }
  std::string file_name() const override { return texts_->file_name(); }
  std::string bytes() const override { return texts_->bytes(); }

 private:
  std::shared_ptr<const Tokenizer> texts_;
  FeatureSymbols features_;
};

}  // namespace lookback::data
