#include "lookback/data/extended_vocabulary.h"

#include <algorithm>
#include <unordered_map>

#include "lookback/base/error.h"

namespace lookback::data {

// Tokens that the vocabulary lacks, by the spelling it would have them in.
struct ExtendedVocabulary::Own {
  StringList words;
  std::unordered_map<std::string, int32_t> ids;
};

ExtendedVocabulary::ExtendedVocabulary(std::shared_ptr<const Tokenizer> source, std::shared_ptr<const Tokenizer> target,
                                       int64_t limit, bool lines)
    : source_(std::move(source)), target_(std::move(target)), limit_(limit), lines_(lines) {
  for (const Tokenizer* t : {source_.get(), target_.get()})
    check<ConfigError>(source_ == target_ || t->kind() == "word" || t->kind() == "char",
                       "model.copy = true: pieces of '", t->kind(),
                       "' are copied within one vocabulary; set tokenizer.joint = true");
  for (int32_t id = kSpecials; id < vocabulary() && target_->kind() == "char"; ++id)
    if (target_->piece(id) == kSpaceMark) space_ = id;
}

std::vector<int32_t> ExtendedVocabulary::read(std::string_view source, Own& own) const {
  std::vector<int32_t> out;
  while (lines_ && source.find('\n') != std::string_view::npos) {
    read_line(source.substr(0, source.find('\n')), own, out);
    source.remove_prefix(source.find('\n') + 1);
  }
  read_line(source, own, out);
  return out;
}

void ExtendedVocabulary::read_line(std::string_view line, Own& own, std::vector<int32_t>& all) const {
  std::vector<int32_t> out = source_->encode(line);
  const std::vector<std::string> surfaces = source_->surfaces(line);
  check(surfaces.size() == out.size(), "extended vocabulary: ", surfaces.size(), " surfaces of ", out.size(),
        " tokens");
  if (limit_ > 0 && std::ssize(out) > limit_) out.resize(static_cast<size_t>(limit_));
  for (size_t k = 0; k < out.size(); ++k) {
    if (source_ != target_) {
      const std::vector<int32_t> known = target_->encode(surfaces[k]);
      out[k] = surfaces[k].empty() ? space_ : known.empty() ? kPad : known.size() == 1 ? known[0] : kUnk;
    }
    if (out[k] != kUnk) continue;
    const auto [at, is_new] =
        own.ids.emplace(target_->spelling(surfaces[k]), static_cast<int32_t>(vocabulary() + std::ssize(own.words)));
    if (is_new) own.words.push_back(surfaces[k]);
    out[k] = at->second;
  }
  all.insert(all.end(), out.begin(), out.end());
}

ExtendedVocabulary::Source ExtendedVocabulary::read(std::string_view source) const {
  Own own;
  std::vector<int32_t> ids = read(source, own);
  return {std::move(ids), std::move(own.words)};
}

std::vector<int32_t> ExtendedVocabulary::encode_beside(std::string_view target, std::string_view source) const {
  std::vector<int32_t> out = target_->encode(target);
  if (std::ranges::find(out, kUnk) == out.end()) return out;
  Own own;
  read(source, own);
  const std::vector<std::string> surfaces = target_->surfaces(target);
  for (size_t k = 0; k < out.size(); ++k)
    if (const auto at = own.ids.find(target_->spelling(surfaces[k])); out[k] == kUnk && at != own.ids.end())
      out[k] = at->second;
  return out;
}

}  // namespace lookback::data
