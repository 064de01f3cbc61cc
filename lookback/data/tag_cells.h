// Sequences whose members have a tag each, as cells of a table: tokens of a text, or texts of a sequence (turns of a
// dialogue), and their tags.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/data/cell_encoder.h"
#include "lookback/data/spelling.h"
#include "lookback/data/tag_scheme.h"
#include "lookback/data/tokenizer.h"

namespace lookback::data {

enum class SequenceUnit { token, text };

// The members of a cell: its lines; of one line tokens are what stands between white space, and texts what stands
// before each __eou__, or all of it. White space around a text is passed over. UTF-8; no members for a blank cell.
std::vector<std::string_view> members_of(std::string_view cell, SequenceUnit unit);
// The tags of a cell: its lines, or what stands between white space.
std::vector<std::string_view> tags_of(std::string_view cell);
// Tags as a line, with spaces between; white space inside of a tag becomes an underscore.
std::string tag_line(const std::vector<std::string_view>& tags);

// Cells of members.
class MemberCells : public CellEncoder {
 public:
  std::vector<int32_t> encode(std::string_view cell) const override { return encode_members(members_of(cell, unit())); }
  // The same for members by themselves: the ids of one after those of the other.
  virtual std::vector<int32_t> encode_members(const std::vector<std::string_view>& members) const = 0;
  virtual SequenceUnit unit() const = 0;
};

// Tokens that are cut already, each of which has one id: that of the tokenizer, kUnk if this would cut it.
class TokenCells final : public MemberCells {
 public:
  explicit TokenCells(std::shared_ptr<const Tokenizer> tokenizer) : tokenizer_(std::move(tokenizer)) {}
  std::vector<int32_t> encode_members(const std::vector<std::string_view>& members) const override;
  SequenceUnit unit() const override { return SequenceUnit::token; }
  int64_t size() const override { return tokenizer_->size(); }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
};

// How these are written, as Spelling says it: a case and characters for each token.
class TokenSpellingCells final : public MemberCells {
 public:
  explicit TokenSpellingCells(std::shared_ptr<const Spelling> spelling) : spelling_(std::move(spelling)) {}
  std::vector<int32_t> encode_members(const std::vector<std::string_view>& members) const override;
  SequenceUnit unit() const override { return SequenceUnit::token; }
  int64_t size() const override { return spelling_->size(); }

 private:
  std::shared_ptr<const Spelling> spelling_;
};

// Texts: the tokens of each, and kEos behind each.
class TextCells final : public MemberCells {
 public:
  explicit TextCells(std::shared_ptr<const Tokenizer> tokenizer) : tokenizer_(std::move(tokenizer)) {}
  std::vector<int32_t> encode_members(const std::vector<std::string_view>& members) const override;
  std::vector<int32_t> encode_sampled(std::string_view cell, Rng& rng) const override;
  double sampling() const override { return tokenizer_->sampling(); }
  SequenceUnit unit() const override { return SequenceUnit::text; }
  int64_t size() const override { return tokenizer_->size(); }
  // The tokens of each text.
  static std::vector<std::vector<int32_t>> texts(const std::vector<int32_t>& ids);

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
};

// How the tokens of all texts are written.
class TextSpellingCells final : public MemberCells {
 public:
  explicit TextSpellingCells(std::shared_ptr<const Spelling> spelling) : spelling_(std::move(spelling)) {}
  std::vector<int32_t> encode_members(const std::vector<std::string_view>& members) const override;
  SequenceUnit unit() const override { return SequenceUnit::text; }
  int64_t size() const override { return spelling_->size(); }

 private:
  std::shared_ptr<const Spelling> spelling_;
};

// The tags of a task, in ascending order.
class TagSet {
 public:
  // Throws FormatError for fewer than two, for one that is empty or has white space, and for one given twice.
  TagSet(StringList tags, const std::string& origin);
  // All that cells hold; cells that are not UTF-8 are passed over.
  static TagSet learn(const LineSource& cells, const std::string& origin);

  int32_t id(std::string_view tag) const;  // -1 for one that there is not
  int64_t count() const { return static_cast<int64_t>(tags_.size()); }
  const std::string& tag(int32_t id) const { return tags_.at(static_cast<size_t>(id)); }
  const StringList& tags() const { return tags_; }

 private:
  StringList tags_;
  std::unordered_map<std::string, int32_t> ids_;
};

// Cells of tags. One with a tag that there is not, with tags that the scheme forbids, or with other than one for each
// member of the cell beside it is no example.
class TagCells final : public CellEncoder {
 public:
  TagCells(std::shared_ptr<const TagSet> tags, TagScheme scheme, SequenceUnit unit)
      : tags_(std::move(tags)), scheme_(scheme), unit_(unit) {}
  std::vector<int32_t> encode(std::string_view cell) const override;
  std::vector<int32_t> encode_beside(std::string_view cell, Cells others) const override;
  int64_t size() const override { return tags_->count(); }
  std::string why_none(const std::string& column, std::string_view cell) const override;

 private:
  std::shared_ptr<const TagSet> tags_;
  TagScheme scheme_;
  SequenceUnit unit_;
};

}  // namespace lookback::data
