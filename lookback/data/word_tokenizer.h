// The kinds that list whole words or characters: word and char. Both live in a tokenizer.json that the
// Hugging Face tokenizers library reads too, and cuts in the same way.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lookback/data/tokenizer.h"

namespace lookback::data {

// A tokenizer of kind word with more words behind those it has: of `words` the ones that it does not know and does not
// cut. Throws ConfigError for another kind.
std::unique_ptr<Tokenizer> with_words(const Tokenizer& tokenizer, std::span<const std::string> words);

// As train_tokenizer and parse_tokenizer.
std::unique_ptr<Tokenizer> train_word_or_char(const TokenizerOptions& options, LineSource lines);
std::unique_ptr<Tokenizer> parse_word_or_char(std::string_view json, const std::string& where);

}  // namespace lookback::data
