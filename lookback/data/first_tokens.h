// The beginnings of texts.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "lookback/data/tokenizer.h"

namespace lookback::data {

// The first `limit` tokens of a tokenizer's texts.
class FirstTokens final : public CellEncoder {
 public:
  FirstTokens(std::shared_ptr<const Tokenizer> texts, int64_t limit) : texts_(std::move(texts)), limit_(limit) {}

  std::vector<int32_t> encode(std::string_view text) const override { return cut(texts_->encode(text)); }
  std::vector<int32_t> encode_sampled(std::string_view text, Rng& rng) const override {
    return cut(texts_->encode_sampled(text, rng));
  }
  double sampling() const override { return texts_->sampling(); }
  int64_t size() const override { return texts_->size(); }
  int64_t limit() const { return limit_; }

 private:
  std::vector<int32_t> cut(std::vector<int32_t> ids) const {
    if (std::ssize(ids) > limit_) ids.resize(static_cast<size_t>(limit_));
    return ids;
  }

  std::shared_ptr<const Tokenizer> texts_;
  int64_t limit_;
};

}  // namespace lookback::data
