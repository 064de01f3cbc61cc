// What a model reads of a dialogue: rows of knowledge, then turns.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/data/cell_encoder.h"
#include "lookback/data/extended_vocabulary.h"
#include "lookback/data/tokenizer.h"

namespace lookback::data {

struct DialogueOptions {
  int64_t turns = 0;
  bool delexicalise = false;

  void fields(auto& v) {
    v("turns", turns, "the last so many turns of a dialogue are read, in training and in use; 0: all").range(0, 1e9);
    v("delexicalise", delexicalise,
      "values of knowledge rows, `subject relation object`, stand as placeholders in what the model reads and writes, "
      "and as themselves in its replies (Henderson et al. 2014)");
  }
};

// Cells of a dialogue hold a turn or a row of knowledge on each line; lines without a token are passed over.
class DialogueSource {
 public:
  // Who says a part of a dialogue: whoever said its last turn, the one who is to answer, or the knowledge.
  enum Role : int32_t { kOther, kOwn, kKnowledge };
  struct Part {
    Role role;
    std::string text;
  };

  DialogueSource(std::shared_ptr<const Tokenizer> tokenizer, const DialogueOptions& options)
      : tokenizer_(std::move(tokenizer)), options_(options) {}

  // The rows of knowledge, then the turns that are read.
  std::vector<Part> parts(std::string_view knowledge, std::string_view history) const;
  // Their texts, a line each.
  std::string text(std::string_view knowledge, std::string_view history) const;
  // A reply as the model writes it, and what it wrote as a text: the same unless values are delexicalised.
  std::string reply_in(std::string_view knowledge, std::string_view reply) const;
  std::string reply_out(std::string_view knowledge, std::string_view written) const;
  // The tokens of all parts. Throws FormatError for text that is not UTF-8.
  std::vector<int32_t> tokens(std::string_view knowledge, std::string_view history) const;
  // Of each part its role and its number of tokens: [2 * parts].
  std::vector<int32_t> segments(std::string_view knowledge, std::string_view history) const;
  const Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  DialogueOptions options_;
};

// The forms that a table keeps of a dialogue's cells. A form reads the cell "history" beside "knowledge", or as it
// says.
class DialogueTokens final : public CellEncoder {
 public:
  explicit DialogueTokens(std::shared_ptr<const DialogueSource> source) : source_(std::move(source)) {}
  std::vector<int32_t> encode(std::string_view history) const override { return source_->tokens("", history); }
  std::vector<int32_t> encode_beside(std::string_view history, Cells knowledge) const override {
    return source_->tokens(knowledge[0], history);
  }
  int64_t size() const override { return source_->tokenizer().size(); }

 private:
  std::shared_ptr<const DialogueSource> source_;
};

// The cell "knowledge" beside "history".
class DialogueSegments final : public CellEncoder {
 public:
  explicit DialogueSegments(std::shared_ptr<const DialogueSource> source) : source_(std::move(source)) {}
  std::vector<int32_t> encode(std::string_view) const override { return {}; }
  std::vector<int32_t> encode_beside(std::string_view knowledge, Cells history) const override {
    return source_->segments(knowledge, history[0]);
  }
  bool encodes_blank() const override { return true; }
  int64_t size() const override { return int64_t{1} << 31; }

 private:
  std::shared_ptr<const DialogueSource> source_;
};

// What the tokens of a dialogue are in an output that may copy them.
class DialogueCopies final : public CellEncoder {
 public:
  DialogueCopies(std::shared_ptr<const DialogueSource> source, std::shared_ptr<const ExtendedVocabulary> extended)
      : source_(std::move(source)), extended_(std::move(extended)) {}
  std::vector<int32_t> encode(std::string_view history) const override {
    return extended_->encode(source_->text("", history));
  }
  std::vector<int32_t> encode_beside(std::string_view history, Cells knowledge) const override {
    return extended_->encode(source_->text(knowledge[0], history));
  }
  int64_t size() const override { return extended_->size(); }

 private:
  std::shared_ptr<const DialogueSource> source_;
  std::shared_ptr<const ExtendedVocabulary> extended_;
};

// The cell "reply" beside "knowledge" and "history". `extended` is null where outputs do not copy.
class DialogueReply final : public CellEncoder {
 public:
  DialogueReply(std::shared_ptr<const DialogueSource> source, std::shared_ptr<const ExtendedVocabulary> extended)
      : source_(std::move(source)), extended_(std::move(extended)) {}
  std::vector<int32_t> encode(std::string_view reply) const override { return source_->tokenizer().encode(reply); }
  std::vector<int32_t> encode_beside(std::string_view reply, Cells others) const override {
    const std::string written = source_->reply_in(others[0], reply);
    return extended_ ? extended_->encode_beside(written, source_->text(others[0], others[1])) : encode(written);
  }
  int64_t size() const override { return extended_ ? extended_->size() : source_->tokenizer().size(); }

 private:
  std::shared_ptr<const DialogueSource> source_;
  std::shared_ptr<const ExtendedVocabulary> extended_;
};

struct DialogueForms {
  DialogueTokens history;
  DialogueSegments segments;
  DialogueReply reply;
  DialogueCopies copies;  // only where outputs copy

  DialogueForms(const std::shared_ptr<const DialogueSource>& source,
                const std::shared_ptr<const ExtendedVocabulary>& extended)
      : history(source), segments(source), reply(source, extended), copies(source, extended) {}
};

}  // namespace lookback::data
