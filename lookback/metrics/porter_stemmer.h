// Porter's stemmer (Porter 1980, "An algorithm for suffix stripping"), as NLTK has it.
#pragma once

#include <string>
#include <string_view>

namespace lookback::metrics {

// The stem of a word in lower-case ASCII; whatever is no letter counts as a consonant. Equal to NLTK's PorterStemmer
// in its usual mode, which departs from Porter in this: irregular words by list (skies -> sky); dies and died keep
// their e; y becomes i behind a consonant that is not the first letter; bli for abli, and fulli and logi; alli comes
// before bli and step 2 is done again; a stem of a vowel and a consonant ends like a short syllable; words of one or
// two letters stay as they are.
std::string porter_stem(std::string_view word);

}  // namespace lookback::metrics
