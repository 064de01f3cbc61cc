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

// Hands our lines to SentencePiece. What a line source throws waits here until the trainer has
// returned: its code was not written with exceptions in mind.
class Lines final : public spm::SentenceIterator {
 public:
  Lines(LineSource source, bool lowercase) : source_(std::move(source)), lowercase_(lowercase) { Next(); }

  bool done() const override { return done_; }
  const std::string& value() const override { return line_; }
  spm::util::Status status() const override {
    return error_ ? spm::util::Status(spm::util::StatusCode::kDataLoss, "unreadable") : spm::util::Status();
  }
  void Next() override {
    try {
      do {
        done_ = !source_(line_);
      } while (!done_ && (!valid_utf8(line_) || line_.find_first_not_of(" \t") == std::string::npos));
      // A zero byte ends a string in parts of the trainer.
      std::replace(line_.begin(), line_.end(), '\0', ' ');
      if (!done_ && lowercase_) line_ = lowercased(line_);
      count_ += !done_;
    } catch (...) {
      error_ = std::current_exception();
      done_ = true;
    }
  }

  int64_t count() const { return count_; }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  LineSource source_;
  bool lowercase_;
  std::string line_;
  bool done_ = false;
  int64_t count_ = 0;
  std::exception_ptr error_;
};

// SentencePiece's message without the line of its source code that it begins with.
std::string reason(const spm::util::Status& status) {
  const std::string all = status.message();
  const size_t end = all.find("] ");
  return end == std::string::npos ? all : all.substr(end + 2);
}

}  // namespace

std::unique_ptr<Tokenizer> train_spm(const TokenizerOptions& options, LineSource source) {
  check<ConfigError>(options.max_lines == 0 || options.max_lines > 100,
                     "tokenizer: max_lines must be 0 or above 100, not ", options.max_lines);
  Lines lines(std::move(source), options.lowercase);
  lines.rethrow();
  check<FormatError>(!lines.done(), "tokenizer: there is no text to learn from");
  const std::unordered_map<std::string, std::string> settings = {
      {"model_type", options.kind},
      {"vocab_size", std::to_string(options.size)},
      {"hard_vocab_limit", "false"},
      {"character_coverage", text(options.character_coverage)},
      {"normalization_rule_name", options.normalization},
      {"byte_fallback", options.byte_fallback ? "true" : "false"},
      {"unk_id", std::to_string(kUnk)},
      {"bos_id", std::to_string(kBos)},
      {"eos_id", std::to_string(kEos)},
      {"pad_id", std::to_string(kPad)},
      {"unk_surface", std::string(kUnkSurface)},
      {"input_sentence_size", std::to_string(options.max_lines)},
      {"shuffle_input_sentence", options.max_lines > 0 ? "true" : "false"},
      {"max_sentence_length", "1000000"},
      // Unigram adds floats per thread: a fixed number of threads keeps the model the same on every machine.
      {"num_threads", "4"},
      {"minloglevel", "3"},
  };
  std::string bytes;
  const auto status = spm::SentencePieceTrainer::Train(settings, &lines, &bytes);
  lines.rethrow();
  check<ConfigError>(status.ok(), "tokenizer: kind ", options.kind, " of size ", options.size,
                     " cannot be learned from ", lines.count(), " lines: ", reason(status));
  if (options.lowercase) bytes = mark_lowercase(std::move(bytes));
  return std::make_unique<SpmTokenizer>(std::move(bytes), "the new tokenizer");
}

std::unique_ptr<Tokenizer> parse_spm_tokenizer(std::string_view bytes, const std::string& where) {
  return std::make_unique<SpmTokenizer>(std::string(bytes), where);
}

}  // namespace lookback::data
