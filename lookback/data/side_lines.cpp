#include <memory>
#include <optional>

#include "lookback/base/line_reader.h"
#include "lookback/base/sha256.h"
#include "lookback/data/corpus.h"
#include "lookback/data/encoding_guess.h"
#include "lookback/data/pair_reader.h"

namespace lookback::data {
namespace {

// Lines of whole files, one file after the other.
class FileLines {
 public:
  FileLines(std::vector<std::string> files, const CorpusOptions& options)
      : files_(std::move(files)), stop_(options.bad_lines == "stop"), max_bad_(options.max_bad) {}

  bool operator()(std::string& line) {
    for (;;) {
      if (reader_ && reader_->next(line)) {
        if (is_taken(line)) return true;
        continue;
      }
      if (tally_) tally_->check_share(max_bad_);
      if (next_ == files_.size()) return false;
      tally_.emplace(files_[next_]);
      reader_.emplace(files_[next_++]);
    }
  }

 private:
  bool is_taken(const std::string& line) {
    const int64_t number = reader_->number();
    const bool is_text = is_utf8_text(line);
    if (stop_ && !is_text) throw bad_line(files_[next_ - 1] + ":" + std::to_string(number), why_not_utf8(line));
    tally_->add(line, number, is_text);
    return is_text;
  }

  std::vector<std::string> files_;
  bool stop_;
  double max_bad_;
  size_t next_ = 0;  // the file to be opened next
  std::optional<LineReader> reader_;
  std::optional<LineTally> tally_;
};

// Columns of one file, one after the other.
class ColumnLines {
 public:
  ColumnLines(std::string file, const CorpusOptions& options, Side side) : file_(std::move(file)), options_(options) {
    if (side != Side::source) todo_.push_back(1);
    if (side != Side::target) todo_.push_back(0);
  }

  bool operator()(std::string& line) {
    while (!todo_.empty()) {
      if (!reader_) {
        reader_.emplace(std::vector{file_}, options_.columns);
        tally_.emplace(file_);
      }
      const PairReader::Row row = reader_->next(text_[0], text_[1]);
      if (row == PairReader::Row::missing_column) {
        tally_->add("", reader_->line(0), true);
      } else if (row == PairReader::Row::end) {
        tally_->check_share(options_.max_bad);
        reader_.reset();
        todo_.pop_back();
      } else if (is_taken()) {
        line = text_[todo_.back()];
        return true;
      }
    }
    return false;
  }

 private:
  bool is_taken() {
    const int64_t number = reader_->line(0);
    const bool valid = is_utf8_text(text_[0]);
    const std::string& which = text_[valid ? 1 : 0];
    const bool is_text = valid && is_utf8_text(which);
    if (options_.bad_lines == "stop" && !is_text) throw bad_line(reader_->where(0, number), why_not_utf8(which));
    tally_->add(which, number, is_text);
    return is_utf8_text(text_[todo_.back()]);
  }

  std::string file_;
  CorpusOptions options_;
  std::vector<int> todo_;  // the columns, the last one first
  std::optional<PairReader> reader_;
  std::optional<LineTally> tally_;
  std::string text_[2];
};

// A function that can be copied, as std::function wants.
template <class Lines>
LineSource shared(std::shared_ptr<Lines> lines) {
  return [lines](std::string& line) { return (*lines)(line); };
}

}  // namespace

LineSource side_lines(const std::vector<std::string>& files, const CorpusOptions& options, Side side) {
  if (files.size() != 2) return shared(std::make_shared<ColumnLines>(files.at(0), options, side));
  if (side == Side::both) return shared(std::make_shared<FileLines>(files, options));
  return shared(std::make_shared<FileLines>(std::vector{files[side == Side::source ? 0 : 1]}, options));
}

std::string lines_sha256(const std::vector<std::string>& files, const CorpusOptions& options) {
  PairReader reader(files, options.columns);
  Sha256 sum;
  std::string source, target;
  for (PairReader::Row row; (row = reader.next(source, target)) != PairReader::Row::end;) {
    if (row == PairReader::Row::missing_column) source.clear(), target.clear();
    sum.update(source), sum.update("\n"), sum.update(target), sum.update("\n");
  }
  return sum.hex();
}

}  // namespace lookback::data
