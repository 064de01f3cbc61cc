#include <filesystem>

#include "lookback/base/error.h"
#include "lookback/cli/inspect.h"
#include "lookback/io/posix_file.h"

namespace lookback::cli {
namespace {

constexpr int64_t kMaxTokenizer = int64_t{256} << 20;  // bytes

// The fields of a protocol buffer message, as far as lengths and whole numbers go.
class Message {
 public:
  Message(std::string_view bytes, const std::string& path) : rest_(bytes), path_(path) {}

  bool next() {
    if (rest_.empty()) return false;
    const uint64_t tag = varint();
    field = tag >> 3, number = 0, bytes = {};
    switch (tag & 7) {
      case 0:
        number = varint();
        break;
      case 1:
        bytes = cut(8);
        break;
      case 2:
        bytes = cut(varint());
        break;
      case 5:
        bytes = cut(4);
        break;
      default:
        damaged();
    }
    return true;
  }

  uint64_t field = 0, number = 0;
  std::string_view bytes;

 private:
  uint64_t varint() {
    uint64_t out = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(cut(1)[0]);
      out |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (!(byte & 0x80)) return out;
    }
    damaged();
  }
  std::string_view cut(uint64_t n) {
    if (n > rest_.size()) damaged();
    const std::string_view out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }
  [[noreturn]] void damaged() const { throw FormatError(path_ + ": not a SentencePiece model, or damaged"); }

  std::string_view rest_;
  const std::string& path_;
};

// sentencepiece_model.proto: 1 pieces, 2 trainer_spec { 3 model_type }.
Json sentencepiece(const std::string& bytes, const std::string& path) {
  constexpr uint64_t kPieces = 1, kTrainer = 2, kModelType = 3;
  constexpr const char* kKinds[] = {"unknown", "unigram", "bpe", "word", "char"};
  int64_t pieces = 0;
  uint64_t kind = 1;
  for (Message model(bytes, path); model.next();) {
    pieces += model.field == kPieces;
    if (model.field != kTrainer) continue;
    for (Message trainer(model.bytes, path); trainer.next();)
      if (trainer.field == kModelType) kind = trainer.number;
  }
  check<FormatError>(pieces > 0, path, ": holds no pieces; not a SentencePiece model");
  return {{"type", std::string("SentencePiece ") + kKinds[kind < std::size(kKinds) ? kind : 0]}, {"entries", pieces}};
}

Json word_list(const std::string& bytes, const std::string& path) {
  const Json all = Json::parse(bytes, nullptr, false);
  check<FormatError>(all.is_object() && all.contains("model") && all["model"].is_object() &&
                         all["model"].contains("vocab") && all["model"]["vocab"].is_object(),
                     path, ": not a tokenizer: no object model.vocab");
  const auto type = all["model"].find("type");
  return {{"type", type != all["model"].end() && type->is_string() ? *type : Json("unknown")},
          {"entries", all["model"]["vocab"].size()}};
}

}  // namespace

Json tokenizer_of(const io::File& file) {
  const std::string& path = file.path();
  const std::string bytes = io::read_file(file, kMaxTokenizer);
  Json out = path.ends_with(".json") ? word_list(bytes, path) : sentencepiece(bytes, path);
  out["bytes"] = bytes.size();
  return out;
}

}  // namespace lookback::cli
