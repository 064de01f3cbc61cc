#include "lookback/data/spm_tokenizer.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/spm_model.h"
#include "lookback/data/subword_sampling.h"
#include "lookback/data/training_lines.h"
#include "lookback/data/unicode.h"

namespace lookback::data {
namespace {

namespace spm = sentencepiece;

class SpmTokenizer final : public Tokenizer {
 public:
  SpmTokenizer(std::string bytes, const std::string& where) : bytes_(std::move(bytes)) {
    const SpmModel model = parse_spm(bytes_, where);
    kind_ = model.kind;
    lowercase_ = model.lowercase;
    const auto status = processor_.LoadFromSerializedProto(bytes_);
    check<FormatError>(status.ok(), where, ": ", status.message());
    const bool plain = std::none_of(model.pieces.begin(), model.pieces.end(),
                                    [](const SpmPiece& p) { return p.type == SpmPieceType::user_defined; });
    if (kind_ == "bpe" && plain) bpe_.emplace(model);
    if (kind_ == "unigram" && plain) unigram_.emplace(model);
  }

  std::vector<int32_t> encode(std::string_view text) const override {
    check_utf8(text);
    std::vector<int> ids;
    const auto status = lowercase_ ? processor_.Encode(lowercased(text), &ids) : processor_.Encode(text, &ids);
    check<FormatError>(status.ok(), "text cannot be encoded: ", status.message());
    return {ids.begin(), ids.end()};
  }

  std::vector<int32_t> encode_sampled(std::string_view text, Rng& rng) const override {
    if (sampling() == 0 || (!bpe_ && !unigram_)) return encode(text);
    check_utf8(text);
    const std::string normal = normalized(lowercase_ ? lowercased(text) : std::string(text));
    return bpe_ ? bpe_->sample(normal, sampling(), rng) : unigram_->sample(normal, sampling(), rng);
  }

  std::string spelling(std::string_view surface) const override {
    return lowercase_ ? lowercased(surface) : std::string(surface);
  }

  std::vector<std::string> surfaces(std::string_view text) const override {
    check_utf8(text);
    std::vector<std::string> out;
    const auto encoded = processor_.EncodeAsImmutableProto(lowercase_ ? lowercased(text) : std::string(text));
    for (const auto& p : encoded.pieces()) {
      const std::string& s = p.surface();
      const size_t first = s.find_first_not_of(" \t\r\n");
      out.push_back(first == std::string::npos ? "" : s.substr(first, s.find_last_not_of(" \t\r\n") + 1 - first));
    }
    return out;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::vector<int> known;
    for (const int32_t id : ids)
      if (id >= 0 && id < size() && !processor_.IsControl(id)) known.push_back(id);
    std::string out;
    const auto status = processor_.Decode(known, &out);
    check<FormatError>(status.ok(), "ids cannot be decoded: ", status.message());
    return out;
  }

  std::string piece(int32_t id) const override {
    check(id >= 0 && id < size(), "tokenizer: id ", id, " is outside [0, ", size(), ")");
    return processor_.IdToPiece(id);
  }

  int64_t size() const override { return processor_.GetPieceSize(); }
  std::string kind() const override { return kind_; }
  std::string file_name() const override { return "spm.model"; }
  std::string bytes() const override { return bytes_; }

 private:
  // What SentencePiece cuts, put together again from its pieces: it has no call that only normalises.
  std::string normalized(const std::string& text) const {
    std::string out;
    const auto encoded = processor_.EncodeAsImmutableProto(text);
    for (const auto& p : encoded.pieces()) {
      if (processor_.IsByte(static_cast<int>(p.id())))
        out += static_cast<char>(spm_byte(p.piece()).value());
      else
        out += p.piece();
    }
    return out;
  }

  std::string bytes_, kind_;
  bool lowercase_ = false;
  spm::SentencePieceProcessor processor_;
  std::optional<BpeSampler> bpe_;
  std::optional<UnigramSampler> unigram_;
};

// Hands our lines to SentencePiece, each moved out when it is asked for.
class Lines final : public spm::SentenceIterator {
 public:
  explicit Lines(std::vector<std::string> lines) : lines_(std::move(lines)) { Next(); }

  bool done() const override { return next_ > lines_.size(); }
  const std::string& value() const override { return line_; }
  spm::util::Status status() const override { return {}; }
  void Next() override {
    if (next_ < lines_.size()) line_ = std::move(lines_[next_]);
    ++next_;
  }

 private:
  std::vector<std::string> lines_;
  std::string line_;
  size_t next_ = 0;
};

// SentencePiece's message without the line of its source code that it begins with.
std::string reason(const spm::util::Status& status) {
  const std::string all = status.message();
  const size_t end = all.find("] ");
  return end == std::string::npos ? all : all.substr(end + 2);
}

// What of a line is text to the trainer: characters but spaces, and marks, which are tabs and names of special pieces.
struct Content {
  int64_t characters = 0, marks = 0;
};

Content content_of(const std::string& line, const std::string& normalization) {
  constexpr std::string_view kReserved = "\u2585";  // it passes over lines with this
  Content out;
  if (line.find(kReserved) != std::string::npos) return out;
  const std::string normal = normalization == "nmt_nfkc" ? nmt_nfkc(line) : normalization == "nfkc" ? nfkc(line) : line;
  for (std::string_view rest = normal; !rest.empty();) {
    size_t mark = rest[0] == '\t' ? 1 : rest.size() >= 6 && spm_byte(rest.substr(0, 6)) ? 6 : 0;
    for (const std::string_view name : kSpecialNames)
      if (rest.starts_with(name)) mark = name.size();
    if (mark > 0)
      ++out.marks;
    else if (rest[0] != ' ' && (static_cast<uint8_t>(rest[0]) & 0xC0) != 0x80)
      ++out.characters;
    rest.remove_prefix(std::max<size_t>(1, mark));
  }
  return out;
}

// The trainer ends the program if it finds no character, or, of a coverage below 1, if nearly all it finds are marks.
void check_text(const std::vector<std::string>& lines, const TokenizerOptions& options) {
  Content all;
  for (const std::string& line : lines) {
    const Content some = content_of(line, options.normalization);
    all.characters += some.characters, all.marks += some.marks;
    if (options.character_coverage == 1 && all.characters > 0) return;
  }
  check<FormatError>(all.characters > 0, "tokenizer: there is no text to learn from");
  check<ConfigError>(all.characters > all.marks, "tokenizer: character_coverage = ", options.character_coverage,
                     " would leave no character, since most of the text is tabs and names like <unk>; set it to 1");
}

}  // namespace

std::unique_ptr<Tokenizer> train_spm(const TokenizerOptions& options, const LineSource& source, const LogSink& log) {
  check<ConfigError>(options.max_lines == 0 || options.max_lines > 100,
                     "tokenizer: max_lines must be 0 or above 100, not ", options.max_lines);
  // Unigram counts characters of its pieces in 32 bits, and up to 16 of each occurrence.
  constexpr int64_t kMostText = int64_t{1} << 30, kMostForUnigram = int64_t{1} << 26;
  TrainingLines text_of =
      training_lines(source, options.lowercase, options.kind == "unigram" ? kMostForUnigram : kMostText);
  if (const std::string what = describe(text_of); log && !what.empty())
    log(Severity::warning, "training of the tokenizer: " + what);
  check_text(text_of.lines, options);
  const size_t count = text_of.lines.size();
  Lines lines(std::move(text_of.lines));
  const std::unordered_map<std::string, std::string> settings = {
      {"model_type", options.kind},
      {"vocab_size", std::to_string(options.size)},
      {"hard_vocab_limit", "false"},
      {"character_coverage", str_cat(options.character_coverage)},
      {"normalization_rule_name", options.normalization},
      {"byte_fallback", options.byte_fallback ? "true" : "false"},
      {"unk_id", std::to_string(kUnk)},
      {"bos_id", std::to_string(kBos)},
      {"eos_id", std::to_string(kEos)},
      {"pad_id", std::to_string(kPad)},
      {"unk_surface", std::string(kUnkSurface)},
      {"input_sentence_size", std::to_string(options.max_lines)},
      {"shuffle_input_sentence", options.max_lines > 0 ? "true" : "false"},
      {"max_sentence_length", std::to_string(kMaxTrainingLine)},
      // Unigram adds floats per thread: a fixed number of threads keeps the model the same on every machine.
      {"num_threads", "4"},
      {"minloglevel", "3"},
  };
  std::string bytes;
  const auto status = spm::SentencePieceTrainer::Train(settings, &lines, &bytes);
  check<ConfigError>(status.ok(), "tokenizer: kind ", options.kind, " of size ", options.size,
                     " cannot be learned from ", count, " lines: ", reason(status));
  if (options.lowercase) bytes = mark_lowercase(std::move(bytes));
  return std::make_unique<SpmTokenizer>(std::move(bytes), "the new tokenizer");
}

std::unique_ptr<Tokenizer> parse_spm_tokenizer(std::string_view bytes, const std::string& where) {
  return std::make_unique<SpmTokenizer>(std::string(bytes), where);
}

}  // namespace lookback::data
