#include "lookback/data/tokenizer.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "lookback/base/error.h"
#include "lookback/base/line_reader.h"
#include "lookback/data/spm_tokenizer.h"
#include "lookback/data/word_tokenizer.h"

namespace lookback::data {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::error_code failed;
  check<IoError>(!fs::is_directory(path, failed), path.string(), ": is a folder, not a tokenizer");
  std::ifstream in(path, std::ios::binary);
  check<IoError>(in.good(), path.string(), ": cannot be opened");
  std::string out{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  check<IoError>(!in.bad(), path.string(), ": cannot be read");
  return out;
}

// The choices that hold also when options were filled in by hand.
void check_options(TokenizerOptions options) {
  for (Field& f : fields_of(options)) set_field(f, field_value(f), "tokenizer");
}

}  // namespace

std::vector<int32_t> Tokenizer::encode_sampled(std::string_view text, Rng&) const { return encode(text); }

std::vector<std::string> Tokenizer::pieces(std::span<const int32_t> ids) const {
  std::vector<std::string> out;
  for (const int32_t id : ids) out.push_back(piece(id));
  return out;
}

void Tokenizer::set_sampling(double strength) {
  check<ConfigError>(strength >= 0 && (kind() != "bpe" || strength < 1), "sampling = ", strength,
                     kind() == "bpe" ? " is outside [0, 1)" : " is below 0", " for kind ", kind());
  sampling_ = strength;
}

LineSource file_lines(std::vector<std::string> files) {
  struct State {
    std::vector<std::string> files;
    size_t next = 0;
    std::unique_ptr<LineReader> reader;
  };
  auto state = std::make_shared<State>();
  state->files = std::move(files);
  return [state](std::string& line) {
    while (!state->reader || !state->reader->next(line)) {
      if (state->next == state->files.size()) return false;
      state->reader = std::make_unique<LineReader>(state->files[state->next++]);
    }
    return true;
  };
}

std::unique_ptr<Tokenizer> train_tokenizer(const TokenizerOptions& options, const LineSource& lines,
                                           const LogSink& log) {
  check_options(options);
  const bool subwords = options.kind == "bpe" || options.kind == "unigram";
  auto out = subwords ? train_spm(options, lines, log) : train_word_or_char(options, lines);
  out->set_sampling(options.sampling);
  return out;
}

std::unique_ptr<Tokenizer> train_tokenizer(const TokenizerOptions& options, const std::vector<std::string>& files) {
  return train_tokenizer(options, file_lines(files));
}

std::unique_ptr<Tokenizer> parse_tokenizer(std::string_view bytes, const std::string& where) {
  // A SentencePiece model starts with its first field, never with what JSON may start with.
  const size_t first = bytes.find_first_not_of(" \t\r\n");
  check<FormatError>(first != std::string_view::npos, where, ": is empty, not a tokenizer");
  return bytes[first] == '{' ? parse_word_or_char(bytes, where) : parse_spm_tokenizer(bytes, where);
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path) { return parse_tokenizer(read_file(path), path); }

}  // namespace lookback::data
