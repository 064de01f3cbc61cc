// How the word tokenizer cuts, and how it puts words together again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lookback::data {

// Cuts at Unicode white space.
std::vector<std::string_view> split_spaces(std::string_view text);

// Cuts at white space, and each punctuation mark (is_punctuation) is a word of its own:
// "It's 3.5 km." is It ' s 3 . 5 km .
std::vector<std::string_view> split_punctuation(std::string_view text);

// The words with one space between them, but for punctuation, where the space follows the rules of European
// scripts: none before . , ! ? ; : ) ] } %, none after ( [ { and opening quotes, none around ' - / @ _ and
// inside numbers such as 3.5 or 12:30; the quote " opens and closes by turns. A guess where text does otherwise.
std::string join_punctuation(const std::vector<std::string_view>& words);

}  // namespace lookback::data
