// The kinds that SentencePiece learns and applies: unigram and bpe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lookback/data/tokenizer.h"

namespace lookback::data {

// As train_tokenizer and parse_tokenizer.
std::unique_ptr<Tokenizer> train_spm(const TokenizerOptions& options, const LineSource& lines, const LogSink& log);
std::unique_ptr<Tokenizer> parse_spm_tokenizer(std::string_view bytes, const std::string& where);

}  // namespace lookback::data
