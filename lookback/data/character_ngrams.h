// Parts of words as fastText has them (Bojanowski et al. 2017, arXiv:1607.04606).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace lookback::data {

// The hashes of all n-grams of "<word>" with `least` to `most` characters, in the order of fastText: by where they
// begin, then by length; "<" and ">" alone are none. FNV-1a of 32 bits over the bytes, but those from 0x80 on extended
// with their sign, as fastText does. "</s>" has none.
std::vector<uint32_t> character_ngrams(std::string_view word, int64_t least, int64_t most);

}  // namespace lookback::data
