#include "lookback/data/table.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"
#include "lookback/data/encoding_guess.h"
#include "lookback/data/unicode.h"

namespace lookback::data {
namespace {

constexpr int64_t kBlock = 4096;  // rows read before they are tokenised together
constexpr size_t kExamples = 5;

bool blank(std::string_view line) {
  for (const std::string_view c : codepoints(line))
    if (!is_space(codepoint(c))) return false;
  return true;
}

// Those of the files.
StringList names_of(const std::vector<Column>& columns) {
  StringList out;
  for (const Column& c : columns)
    if (std::ranges::find(out, c.name) == out.end()) out.push_back(c.name);
  return out;
}

// Of each column the place of its name among those of the files.
std::vector<size_t> cells_of(const std::vector<Column>& columns) {
  const StringList names = names_of(columns);
  std::vector<size_t> out;
  for (size_t c = 0; c < columns.size(); ++c) {
    out.push_back(static_cast<size_t>(std::ranges::find(names, columns[c].name) - names.begin()));
    check<Error>(c >= names.size() || out[c] == c, "table: the column '", columns[c].name,
                 "' in another form stands before one of the files");
  }
  return out;
}

Batch gather(std::vector<int64_t> index, size_t columns, size_t cells, auto&& ids) {
  Batch out{.index = std::move(index), .columns = std::vector<std::vector<Ids>>(columns), .cells = cells};
  for (size_t c = 0; c < columns; ++c)
    for (const int64_t i : out.index) out.columns[c].push_back(ids(c, i));
  return out;
}

}  // namespace

int64_t TableReport::left_out_for(std::string_view why) const {
  for (const auto& [reason, n] : left_out)
    if (reason == why) return n;
  return 0;
}

void TableReport::leave_out(const std::string& why, std::string example) {
  const auto found = std::ranges::find_if(left_out, [&](const auto& reason) { return reason.first == why; });
  found == left_out.end() ? void(left_out.emplace_back(why, 1)) : void(++found->second);
  if (examples.size() < kExamples) examples.push_back(std::move(example));
}

int64_t Batch::tokens(size_t column) const {
  int64_t out = 0;
  for (const Ids& ids : columns.at(column)) out += std::ssize(ids);
  return out;
}

// Some rows on their way from the files into the store.
struct Table::Block {
  struct Entry {
    RowReader::Row row;
    std::vector<Ids> ids;  // of each cell
  };
  std::vector<Entry> entries;

  // False when the files have ended.
  bool read(RowReader& reader) {
    entries.clear();
    while (static_cast<int64_t>(entries.size()) < kBlock) {
      Entry entry;
      if (!reader.next(entry.row)) return false;
      entries.push_back(std::move(entry));
    }
    return true;
  }

  void tokenize(const std::vector<Column>& columns, const std::vector<size_t>& cells,
                const std::vector<std::vector<size_t>>& beside) {
    parallel_try(std::ssize(entries), 64, [&](int64_t begin, int64_t end) {
      for (auto k = static_cast<size_t>(begin); k < static_cast<size_t>(end); ++k) {
        Entry& e = entries[k];
        if (!e.row.problem.empty()) continue;
        e.ids.resize(columns.size());
        for (size_t c = 0; c < columns.size(); ++c) {
          const std::string& cell = e.row.cells[cells[c]];
          if (!columns[c].encoder->encodes_blank() && blank(cell)) continue;
          std::vector<std::string_view> others;
          for (const size_t other : beside[c]) others.emplace_back(e.row.cells[other]);
          e.ids[c] =
              others.empty() ? columns[c].encoder->encode(cell) : columns[c].encoder->encode_beside(cell, others);
        }
      }
    });
  }
};

Table::Table(const RowSource& rows, std::vector<Column> columns, const TableOptions& options, Keep keep)
    : columns_(std::move(columns)), cells_(cells_of(columns_)) {
  RowReader reader(rows, names_of(columns_), options);
  const int64_t limit = options.memory_mb << 20;
  for (size_t k = 0; k < columns_.size(); ++k) {
    const Column& c = columns_[k];
    Store store{.ids = Rows<uint16_t>(limit),
                .text = Rows<char>(limit),
                .keep_text = (keep == Keep::tokens_and_text && cells_[k] == k) || c.encoder->sampling() > 0};
    if (c.encoder->size() > 65536) store.ids = Rows<int32_t>(limit);
    stores_.push_back(std::move(store));
    if (cells_[k] == k) report_.tokens.emplace_back(c.name, 0);
  }
  std::vector<std::vector<size_t>> beside;
  const StringList names = names_of(columns_);
  for (const Column& c : columns_) {
    beside.emplace_back();
    for (const std::string& other : c.beside) {
      beside.back().push_back(static_cast<size_t>(std::ranges::find(names, other) - names.begin()));
      check<Error>(beside.back().back() < names.size(), "table: there is no column '", other, "'");
      check<Error>(c.encoder->sampling() == 0, "table: '", c.name, "' samples beside '", other, "'");
    }
  }
  Block block;
  for (bool more = true; more;) {
    more = block.read(reader);
    block.tokenize(columns_, cells_, beside);
    take(block, reader, options);
  }
  report_.unpaired = reader.unpaired();
  report_.passed_over = reader.dialogues_passed_over();
}

void Table::take(const Block& block, const RowReader& reader, const TableOptions& options) {
  const auto problem = [&](const Block::Entry& e, size_t& column) -> std::string {
    if (!e.row.problem.empty()) return column = e.row.column, e.row.problem;
    // Blank cells that are examples like any other may be without ids, and then have no length to compare.
    std::vector<size_t> compared;
    for (size_t c = 0; c < report_.tokens.size(); ++c)
      if (!e.ids[c].empty() || !columns_[c].encoder->encodes_blank() || !blank(e.row.cells[c])) compared.push_back(c);
    if (compared.empty()) return "";
    const auto length = [&](size_t c) { return e.ids[c].size(); };
    const auto [shortest_column, longest_column] = std::ranges::minmax_element(compared, {}, length);
    const Ids &least = e.ids[*shortest_column], &most = e.ids[*longest_column];
    column = *shortest_column;
    if (least.empty()) {
      const std::string why = columns_[column].encoder->why_none(columns_[column].name, e.row.cells[column]);
      if (options.bad_lines == "stop") throw bad_line(reader.where(e.row, column), why.c_str());
      return why;
    }
    column = 0;
    if (options.max_length > 0 && std::ssize(most) > options.max_length) return "too long";
    const double longest = static_cast<double>(most.size()), shortest = static_cast<double>(least.size());
    return options.max_ratio > 0 && longest > options.max_ratio * shortest ? "the lengths are too uneven" : "";
  };
  for (const Block::Entry& e : block.entries) {
    ++report_.read;
    size_t column = 0;
    if (const std::string why = problem(e, column); !why.empty()) {
      report_.leave_out(why, reader.where(e.row, column) + ": " + why);
      continue;
    }
    ++report_.kept;
    for (size_t c = 0; c < columns_.size(); ++c) {
      if (c < report_.tokens.size()) report_.tokens[c].second += std::ssize(e.ids[c]);
      std::visit(
          [&]<class T>(Rows<T>& store) {
            const std::vector<T> narrow(e.ids[c].begin(), e.ids[c].end());
            store.append(narrow);
          },
          stores_[c].ids);
      if (stores_[c].keep_text) stores_[c].text.append(e.row.cells[cells_[c]]);
    }
  }
}

std::vector<int32_t> Table::lengths(size_t column) const {
  return std::visit(
      [](const auto& rows) {
        std::vector<int32_t> out(static_cast<size_t>(rows.size()));
        for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int32_t>(rows[static_cast<int64_t>(i)].size());
        return out;
      },
      stores_.at(column).ids);
}

Ids Table::ids(size_t column, int64_t i) const {
  return std::visit([i](const auto& rows) { return Ids(rows[i].begin(), rows[i].end()); }, stores_.at(column).ids);
}

Ids Table::ids(size_t column, int64_t i, uint64_t seed, int64_t epoch) const {
  const CellEncoder& encoder = *columns_.at(column).encoder;
  if (encoder.sampling() == 0) return ids(column, i);
  // A key per epoch and a stream per cell.
  const auto key = Stream{seed, 0x73616D706C65}.words(static_cast<uint64_t>(epoch));
  const uint64_t cell = static_cast<uint64_t>(i) * columns_.size() + column;
  Rng rng(key[0] | uint64_t{key[1]} << 32, cell);
  return encoder.encode_sampled(text(column, i), rng);
}

std::string_view Table::text(size_t column, int64_t i) const {
  const Store& s = stores_.at(column);
  check<ConfigError>(s.keep_text, "table: the text was not kept; read it with Keep::tokens_and_text");
  const auto row = s.text[i];
  return {row.data(), row.size()};
}

bool Table::spilled() const {
  return std::ranges::any_of(stores_, [](const Store& s) {
    return s.text.spilled() || std::visit([](const auto& rows) { return rows.spilled(); }, s.ids);
  });
}

Batch Table::batch(std::vector<int64_t> index) const {
  return gather(std::move(index), columns_.size(), report_.tokens.size(),
                [&](size_t c, int64_t i) { return ids(c, i); });
}

Batch Table::batch(std::vector<int64_t> index, uint64_t seed, int64_t epoch) const {
  return gather(std::move(index), columns_.size(), report_.tokens.size(),
                [&](size_t c, int64_t i) { return ids(c, i, seed, epoch); });
}

std::string describe(const TableReport& r) {
  std::string tokens, reasons;
  for (const auto& [name, n] : r.tokens) tokens += str_cat(tokens.empty() ? "" : " and ", n, " ", name);
  for (const auto& [why, n] : r.left_out) reasons += str_cat(reasons.empty() ? "" : "; ", why, ": ", n);
  std::string out = str_cat("read ", r.read, " examples, kept ", r.kept, " (", tokens, " tokens)");
  if (!reasons.empty()) out += "\nleft out: " + reasons;
  if (r.unpaired > 0)
    out += str_cat("\nnot read: ", r.unpaired, " lines of longer files, beyond the end of the shorter");
  if (r.passed_over > 0) out += str_cat("\nnot read: ", r.passed_over, " dialogues that are in other data as well");
  for (const std::string& e : r.examples) out += "\n  " + e;
  return out;
}

}  // namespace lookback::data
