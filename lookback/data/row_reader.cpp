#include "lookback/data/row_reader.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "lookback/base/error.h"
#include "lookback/base/line_reader.h"
#include "lookback/base/parse.h"
#include "lookback/base/sha256.h"
#include "lookback/data/csv.h"
#include "lookback/data/dialogue_file.h"
#include "lookback/data/encoding_guess.h"
#include "lookback/data/json_line.h"
#include "lookback/data/squad_file.h"
#include "lookback/data/stories.h"
#include "lookback/data/tagged_file.h"

namespace lookback::data {
namespace {

enum class Shape { lines, tabs, csv, json, squad, babi, label_first, dialogues, tagged };

Shape shape_of(const StringList& files, size_t columns, const TableOptions& options) {
  if (options.layout == "label_first") return Shape::label_first;
  if (options.layout == "dialogues") return Shape::dialogues;
  if (options.layout == "babi") return Shape::babi;
  if (TaggedFile::is_layout(options.layout)) return Shape::tagged;
  if (files.size() == columns && columns > 1) return Shape::lines;
  if (has_ending(files[0], ".csv")) return Shape::csv;
  if (has_ending(files[0], ".jsonl")) return Shape::json;
  if (has_ending(files[0], ".json")) return Shape::squad;
  return columns == 1 && options.columns.empty() && !has_ending(files[0], ".tsv") ? Shape::lines : Shape::tabs;
}

bool has_dialogues(std::string_view layout) {
  return layout == "dialogues" || layout == "restore" || layout == "turns";
}

bool has_two_files(std::string_view layout) { return layout == "turns" || layout == "slots"; }

// A number in [0, 1) that is the same for equal rows.
double hash_of(const StringList& cells) {
  Sha256 sum;
  for (const std::string& cell : cells) sum.update(cell), sum.update("\n");
  const std::string hex = sum.hex().substr(0, 13);  // 52 bits
  uint64_t bits = 0;
  std::from_chars(hex.data(), hex.data() + hex.size(), bits, 16);
  return static_cast<double>(bits) * 0x1p-52;
}

// The cell of a dialogue's row that a column of this name is; null for another name.
std::string DialogueFile::Row::*cell_of_reply(std::string_view name) {
  return name == "history"     ? &DialogueFile::Row::history
         : name == "knowledge" ? &DialogueFile::Row::knowledge
         : name == "reply"     ? &DialogueFile::Row::reply
                               : nullptr;
}

}  // namespace

bool has_ending(std::string_view file, std::string_view ending) {
  if (file.ends_with(".gz")) file.remove_suffix(3);
  return file.ends_with(ending);
}

// Some files that are read side by side, or one.
struct RowReader::Part {
  const StringList& files;
  const Shape shape;
  std::vector<LineReader> readers;  // one for each file
  std::vector<LineTally> tallies;
  StringList keys;  // JSONL: of each column
  std::vector<bool> one_a_line, may_miss;
  std::vector<size_t> places;  // TSV and CSV: of each column, from 0
  std::string line = {};
  StringList all = {};                     // cells of the line
  std::vector<StringList> questions = {};  // of a file of SQuAD, all rows
  size_t next_question = 0;
  StoryLines story = {};  // of a file of bAbI
  std::vector<std::string StoryLines::Question::*> members = {};
  std::unique_ptr<DialogueFile> dialogues = {};
  std::vector<std::string DialogueFile::Row::*> cells_of_reply = {};  // of each column
  std::unique_ptr<TaggedFile> tagged = {};

  Part(const StringList& names_of_files, const StringList& names, const TableOptions& options,
       const std::shared_ptr<const DialogueHashes>& without)
      : files(names_of_files), shape(shape_of(files, names.size(), options)), tallies(files.begin(), files.end()) {
    const StringList& columns = options.columns;
    for (const std::string& f : files) readers.emplace_back(f);
    const StringList& wanted = columns.empty() ? names : columns;
    if (shape == Shape::json) {
      keys = wanted;
      one_a_line = are_one_a_line(names);
      for (const std::string& name : names) may_miss.push_back(may_be_missing(name));
    }
    if (shape == Shape::dialogues) {
      dialogues = std::make_unique<DialogueFile>(readers[0], tallies[0], files[0], without);
      for (const std::string& w : wanted) cells_of_reply.push_back(cell_of_reply(w));
    }
    if (shape == Shape::tagged)
      tagged = std::make_unique<TaggedFile>(options.layout, readers, tallies, columns, without);
    if (shape == Shape::squad) read_questions(wanted);
    if (shape == Shape::babi) find_members(wanted);
    if (shape == Shape::csv || shape == Shape::tabs) find_places(wanted, shape == Shape::tabs && columns.empty());
  }

  void find_places(const StringList& wanted, bool in_order) {
    for (size_t c = 0; in_order && c < wanted.size(); ++c) places.push_back(c);
    if (in_order) return;
    const bool numbers =
        std::ranges::all_of(wanted, [](const std::string& w) { return parse_number<size_t>(w).has_value(); });
    if (shape == Shape::csv || !numbers) {
      check<FormatError>(readers[0].next(line), files[0], ": is empty, without the names of its columns");
      split();
    }
    EncodingGuess guess;
    guess.add(line, 1);
    const std::string encoding = is_utf8_text(line) ? "" : "; the line is not UTF-8, " + guess.advice();
    for (const std::string& w : wanted) {
      const size_t place = parse_number<size_t>(w).value_or(1);
      check<ConfigError>(place > 0, "columns are counted from 1");
      places.push_back(place - 1);
      if (numbers) continue;
      const auto found = std::ranges::find(all, w);
      check<FormatError>(found != all.end(), files[0], ":1: has no column '", w, "'",
                         encoding.empty() ? nearest_match(w, all) : encoding);
      places.back() = static_cast<size_t>(found - all.begin());
    }
  }

  // Their columns are called as SQuAD does it; "answer" stands for its answers.
  void read_questions(const StringList& wanted) {
    std::string json;
    while (readers[0].next(line)) json += line + "\n";
    check<FormatError>(is_utf8_text(json), files[0], ": ", why_not_utf8(json));
    for (SquadQuestion& q : parse_squad(json, files[0])) {
      StringList& row = questions.emplace_back();
      for (const std::string& name : wanted) {
        const std::string* const cell = name == "id"                            ? &q.id
                                        : name == "question"                    ? &q.question
                                        : name == "context"                     ? &q.context
                                        : name == "answer" || name == "answers" ? &q.answers
                                                                                : nullptr;
        check<FormatError>(cell, files[0], ": has no '", name,
                           "'; a file of SQuAD has id, question, context and answers");
        row.push_back(*cell);
      }
    }
  }

  void find_members(const StringList& wanted) {
    for (const std::string& name : wanted) {
      check<FormatError>(name == "story" || name == "question" || name == "answer", files[0], ": has no '", name,
                         "'; a file of bAbI (data.layout = \"babi\") has story, question and answer");
      members.push_back(name == "story"      ? &StoryLines::Question::story
                        : name == "question" ? &StoryLines::Question::question
                                             : &StoryLines::Question::answer);
    }
  }

  // The next question; false if there is none.
  bool read_story(Row& row) {
    StoryLines::Question question;
    while (readers[0].next(line)) {
      row.lines[0] = readers[0].number();
      if (!count(row, 0, line)) return true;
      const StoryLines::Line kind = story.read(line, question);
      if (kind == StoryLines::Line::sentence) continue;
      if (kind == StoryLines::Line::broken) row.problem = "neither 'NUMBER text' nor 'NUMBER question TAB answer'";
      for (size_t c = 0; c < members.size(); ++c) row.cells[c] = question.*members[c];
      return true;
    }
    return false;
  }

  // The cells of `line`; why there are none, or "".
  std::string split() {
    if (shape == Shape::csv)
      return parse_csv(
          line, [&](std::string& more) { return readers[0].next(more); }, all);
    all = split_tabs(line);
    return "";
  }

  // False as soon as one file has no more lines.
  bool read(Row& row) {
    row.problem.clear(), row.column = 0;
    row.cells.clear();
    row.lines.resize(files.size());
    if (shape == Shape::dialogues) return read_reply(row);
    if (shape == Shape::tagged) return read_tagged(row);
    if (shape == Shape::squad) {
      if (next_question == questions.size()) return false;
      row.cells = questions[next_question++];
      row.lines[0] = static_cast<int64_t>(next_question);
      return true;
    }
    row.cells.resize(shape == Shape::lines ? files.size() : std::max({keys.size(), places.size(), members.size()}));
    if (shape == Shape::babi) return read_story(row);
    for (size_t f = 0; f < files.size(); ++f) {
      std::string& text = shape == Shape::lines ? row.cells[f] : line;
      if (!readers[f].next(text)) return false;
      row.lines[f] = readers[f].number();
    }
    if (shape == Shape::lines) {
      for (size_t f = 0; f < files.size(); ++f) count(row, f, row.cells[f]);
      return true;
    }
    if (shape == Shape::json) {
      if (count(row, 0, line)) read_members(row);
      return true;
    }
    if (shape == Shape::label_first) {
      if (count(row, 0, line)) split_label(row);
      return true;
    }
    row.problem = split();
    if (row.problem.empty()) take_places(row);
    return true;
  }

  bool read_reply(Row& row) {
    DialogueFile::Row found;
    if (!dialogues->next(found)) return false;
    row.lines[0] = found.line, row.dialogue = found.dialogue;
    row.cells.resize(cells_of_reply.size());
    if (found.problem) return row.problem = found.problem, true;
    for (size_t c = 0; c < row.cells.size(); ++c) row.cells[c] = found.*cells_of_reply[c];
    return true;
  }

  bool read_tagged(Row& row) {
    TaggedFile::Row found;
    if (!tagged->next(found)) return false;
    row.lines.assign(files.size(), found.line), row.dialogue = found.dialogue;
    row.problem = std::move(found.problem), row.column = found.file;
    row.cells = {std::move(found.members), std::move(found.tags)};
    return true;
  }

  int64_t passed_over() const { return dialogues ? dialogues->passed_over() : tagged ? tagged->passed_over() : 0; }

  void set_missing(Row& row, size_t column) {
    row.problem = "a column is missing", row.column = column;
    for (std::string& cell : row.cells) cell.clear();
  }

  void read_members(Row& row) {
    try {
      const auto members = json_members(line, keys, one_a_line);
      for (size_t c = 0; c < keys.size() && row.problem.empty(); ++c) {
        if (members[c])
          row.cells[c] = *members[c];
        else if (!may_miss[c])
          set_missing(row, c);
      }
    } catch (const FormatError& e) {
      row.problem = e.what();
    }
  }

  void split_label(Row& row) {
    constexpr std::string_view kMark = "__label__";
    const auto skip_spaces = [](std::string_view s) {
      return s.substr(std::min(s.find_first_not_of(" \t"), s.size()));
    };
    std::string_view rest = skip_spaces(line);
    std::string label;
    bool marked = false;
    do {
      std::string_view word = rest.substr(0, std::min(rest.find_first_of(" \t"), rest.size()));
      rest = skip_spaces(rest.substr(word.size()));
      marked = word.starts_with(kMark);
      if (marked) word.remove_prefix(kMark.size());
      label += (label.empty() ? "" : ",") + std::string(word);
    } while (marked && rest.starts_with(kMark));
    row.cells = {std::string(rest), std::move(label)};
  }

  // Only the columns that are read must be text.
  void take_places(Row& row) {
    for (size_t c = 0; c < places.size(); ++c) {
      if (places[c] >= all.size()) {
        set_missing(row, c);
        tallies[0].add("", row.lines[0], true);
        return;
      }
      row.cells[c] = all[places[c]];
    }
    const auto bad = std::ranges::find_if_not(row.cells, [](const std::string& cell) { return is_utf8_text(cell); });
    count(row, 0, bad == row.cells.end() ? row.cells[0] : *bad);
    if (bad != row.cells.end()) row.column = static_cast<size_t>(bad - row.cells.begin());
  }

  // Whether it is text; the file's tally counts it.
  bool count(Row& row, size_t f, const std::string& text) {
    const bool valid = is_utf8_text(text);
    tallies[f].add(text, row.lines[f], valid);
    if (!valid && row.problem.empty()) row.problem = why_not_utf8(text), row.column = f;
    return valid;
  }
};

RowReader::RowReader(RowSource source, StringList names, const TableOptions& options)
    : source_(std::move(source)), names_(std::move(names)), options_(options) {
  for (Field& f : fields_of(options_)) set_field(f, field_value(f), "data");
  check<ConfigError>(!source_.parts.empty(), "there are no files to read");
  const bool label_first = options_.layout == "label_first";
  check<ConfigError>(!label_first || (names_.size() == 2 && options_.columns.empty()),
                     "data.layout = 'label_first' is for two columns, and goes with no data.columns");
  const bool dialogues = options_.layout == "dialogues";
  check<ConfigError>(!source_.without || has_dialogues(options_.layout),
                     "only of data.layout = 'dialogues', 'restore' and 'turns' are dialogues passed over");
  const bool tagged = TaggedFile::is_layout(options_.layout);
  check<ConfigError>(!tagged || (names_.size() == 2 && names_[1] == "tags"), "data.layout = '", options_.layout,
                     "' is of tokens or texts with tags (task label)");
  for (const std::string& w : options_.columns.empty() ? names_ : options_.columns)
    check<ConfigError>(!dialogues || cell_of_reply(w), "data.layout = 'dialogues' has no column '", w,
                       "', but history, knowledge and reply; data.columns says which of them the columns ",
                       joined(names_, " and "), " are");
  for (const StringList& files : source_.parts) {
    check<ConfigError>(!dialogues || files.size() == 1,
                       "data.layout = 'dialogues' is of one file with all columns; got ", files.size(), " files");
    const size_t expected = has_two_files(options_.layout) ? 2 : 1;
    check<ConfigError>(
        !tagged || files.size() == expected, "data.layout = '", options_.layout, "' is of ",
        expected == 1 ? "one file with all columns" : "two files, of turns and of their labels or values", "; got ",
        files.size(), " files");
    check<ConfigError>(options_.layout != "babi" || files.size() == 1,
                       "data.layout = 'babi' is of one file with all columns; got ", files.size(), " files");
    check<ConfigError>(!label_first || files.size() == 1,
                       "data.layout = 'label_first' is of one file with both columns; got ", files.size(), " files");
    check<ConfigError>(files.size() == 1 || files.size() == names_.size(), "rows of ", names_.size(),
                       " columns are one file for each, or one with all of them; got ", files.size(), " files");
    check<ConfigError>(options_.columns.empty() || files.size() == 1, "columns are for one file with all of them; got ",
                       files.size(), " files");
  }
  check<ConfigError>(options_.columns.empty() || options_.columns.size() == names_.size(), "columns must name ",
                     joined(names_, " and "), "; got ", options_.columns.size());
}

RowReader::~RowReader() = default;

bool RowReader::next(Row& row) {
  for (;;) {
    if (!part_) {
      if (next_part_ == source_.parts.size()) return false;
      part_ = std::make_unique<Part>(source_.parts[next_part_++], names_, options_, source_.without);
    }
    if (!part_->read(row)) {
      close_part();
      continue;
    }
    row.part = next_part_ - 1;
    if (!wanted(row)) continue;
    if (!row.problem.empty() && options_.bad_lines == "stop")
      throw bad_line(where(row, row.column), row.problem.c_str());
    return true;
  }
}

void RowReader::close_part() {
  Part& p = *part_;
  int64_t least = -1, most = 0;
  for (LineReader& reader : p.readers) {
    while (reader.next(p.line)) continue;
    least = least < 0 ? reader.number() : std::min(least, reader.number());
    most = std::max(most, reader.number());
  }
  for (const LineTally& t : p.tallies) t.check_share(options_.max_bad);
  for (size_t f = 1; f < p.files.size(); ++f)
    check<FormatError>(
        p.readers[f].number() == p.readers[0].number() || options_.unequal == "truncate" || options_.layout == "slots",
        p.files[0], " has ", p.readers[0].number(), " lines, ", p.files[f], " has ", p.readers[f].number(),
        ": each line needs its partner (or set unequal = \"truncate\" to read the shorter length)");
  if (options_.layout != "slots") unpaired_ += most - least;
  passed_over_ += p.passed_over();
  part_.reset();
}

bool RowReader::wanted(const Row& row) const {
  if (source_.from <= 0 && source_.to >= 1) return true;
  if (!row.problem.empty()) return source_.to >= 1;
  const double hash =
      has_dialogues(options_.layout) ? static_cast<double>(row.dialogue >> 12) * 0x1p-52 : hash_of(row.cells);
  return source_.from <= hash && hash < source_.to;
}

int64_t RowReader::dialogues_passed_over() const { return passed_over_ + (part_ ? part_->passed_over() : 0); }

std::string RowReader::where(const Row& row, size_t column) const {
  const StringList& files = source_.parts[row.part];
  const size_t f = files.size() == 1 ? 0 : column;
  return files[f] + ":" + std::to_string(row.lines[f]);
}

}  // namespace lookback::data
