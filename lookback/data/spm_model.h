// What a SentencePiece model file says, read without SentencePiece, and what makes one safe to hand to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lookback::data {

// The numbers of sentencepiece_model.proto.
enum class SpmPieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct SpmPiece {
  std::string text;
  float score = 0;
  SpmPieceType type = SpmPieceType::normal;
};

struct SpmModel {
  std::string kind = "unigram";  // unigram, bpe, word, char
  std::vector<SpmPiece> pieces;
  bool byte_fallback = false;
  bool space_is_suffix = false;  // "word_" instead of "_word"
  bool lowercase = false;        // our own extension, see mark_lowercase
};

// Reads a model. SentencePiece itself trusts parts of the file (it follows the offsets of the normalisation table
// unchecked), so everything it would trust is checked here. Throws FormatError, with `where`, for a file that is
// cut, damaged, has more than one reading, or whose ids 0 to 3 are not <unk>, <s>, </s>, <pad>.
SpmModel parse_spm(std::string_view bytes, const std::string& where);

// The byte that a piece named "<0xE4>" stands for; nothing for any other name.
std::optional<uint8_t> spm_byte(std::string_view piece);

// The model with a note that text is to be lower-cased first: field 200, the first number that the
// format leaves to others. SentencePiece's own tools ignore it.
std::string mark_lowercase(std::string bytes);

}  // namespace lookback::data
