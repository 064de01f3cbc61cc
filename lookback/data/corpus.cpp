#include "lookback/data/corpus.h"

#include <algorithm>
#include <exception>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"
#include "lookback/data/encoding_guess.h"
#include "lookback/data/pair_reader.h"
#include "lookback/data/unicode.h"

namespace lookback::data {
namespace {

constexpr int64_t kBlock = 4096;  // lines read before they are tokenised together
constexpr size_t kExamples = 5;

bool blank(std::string_view line) {
  for (const std::string_view c : codepoints(line))
    if (!is_space(codepoint(c))) return false;
  return true;
}

void check_options(CorpusOptions options) {
  for (Field& f : fields_of(options)) set_field(f, field_value(f), "corpus");
}

}  // namespace

bool LengthFilter::too_long(int64_t source, int64_t target) const {
  return (max_source > 0 && source > max_source) || (max_target > 0 && target > max_target);
}

bool LengthFilter::too_uneven(int64_t source, int64_t target) const {
  const auto [lo, hi] = std::minmax(source, target);
  return max_ratio > 0 && static_cast<double>(hi) > max_ratio * static_cast<double>(lo);
}

// Some rows on their way from the files into the store.
struct Corpus::Block {
  struct Row {
    PairReader::Row state = PairReader::Row::end;
    int64_t line[2] = {0, 0};
    std::string text[2];
    bool valid[2] = {false, false};
    std::vector<int32_t> ids[2];
  };
  std::vector<Row> rows;

  // False when the files have ended.
  bool read(PairReader& reader) {
    rows.clear();
    while (static_cast<int64_t>(rows.size()) < kBlock) {
      Row row;
      row.state = reader.next(row.text[0], row.text[1]);
      if (row.state == PairReader::Row::end) return false;
      for (int side = 0; side < 2; ++side) row.line[side] = reader.line(side);
      rows.push_back(std::move(row));
    }
    return true;
  }

  void tokenize(const SideStore* sides) {
    std::vector<std::exception_ptr> failed(rows.size());
    parallel_for(static_cast<int64_t>(rows.size()), 64, [&](int64_t begin, int64_t end) {
      for (auto k = static_cast<size_t>(begin); k < static_cast<size_t>(end); ++k) try {
          Row& row = rows[k];
          for (int side = 0; side < 2; ++side) row.valid[side] = is_utf8_text(row.text[side]);
          if (row.state != PairReader::Row::pair || !row.valid[0] || !row.valid[1]) continue;
          for (int side = 0; side < 2; ++side)
            if (!blank(row.text[side])) row.ids[side] = sides[side].tokenizer->encode(row.text[side]);
        } catch (...) {
          failed[k] = std::current_exception();
        }
    });
    for (const auto& f : failed)
      if (f) std::rethrow_exception(f);
  }

  // One tally for each file.
  void count(std::vector<LineTally>& tallies) const {
    for (const Row& row : rows) {
      if (tallies.size() == 2) {
        for (size_t side = 0; side < 2; ++side) tallies[side].add(row.text[side], row.line[side], row.valid[side]);
      } else {
        tallies[0].add(row.text[row.valid[0] ? 1 : 0], row.line[0], row.valid[0] && row.valid[1]);
      }
    }
  }
};

Corpus::SideStore Corpus::make_side(const Tokenizer& tokenizer, const CorpusOptions& options, Keep keep) {
  check_options(options);
  const int64_t limit = options.memory_mb << 20;
  return {.tokenizer = &tokenizer,
          .ids = tokenizer.size() <= 65536 ? Ids(Rows<uint16_t>(limit)) : Ids(Rows<int32_t>(limit)),
          .text = Rows<char>(limit),
          .keep_text = keep == Keep::tokens_and_text || tokenizer.sampling() > 0};
}

Corpus::Corpus(const std::vector<std::string>& files, const Tokenizer& source, const Tokenizer& target,
               const CorpusOptions& options, Keep keep)
    : sides_{make_side(source, options, keep), make_side(target, options, keep)} {
  PairReader reader(files, options.columns);
  std::vector<LineTally> tallies(files.begin(), files.end());
  Block block;
  for (bool more = true; more;) {
    more = block.read(reader);
    block.tokenize(sides_);
    block.count(tallies);
    take(block, reader, options);
  }
  for (const LineTally& t : tallies) t.check_share(options.max_bad);
  const auto [source_lines, target_lines] = reader.count_lines();
  check<FormatError>(source_lines == target_lines || options.unequal == "truncate", files.front(), " has ",
                     source_lines, " lines, ", files.back(), " has ", target_lines,
                     ": each line needs its partner (or set unequal = \"truncate\" to read the shorter length)");
  report_.unpaired = std::max(source_lines, target_lines) - std::min(source_lines, target_lines);
}

void Corpus::take(const Block& block, const PairReader& reader, const CorpusOptions& options) {
  const LengthFilter filter{options.max_length, options.max_length, options.max_ratio};
  const auto leave_out = [&](int64_t& count, const Block::Row& row, int side, const char* why) {
    ++count;
    if (report_.examples.size() < kExamples)
      report_.examples.push_back(reader.where(side, row.line[side]) + ": " + why);
  };
  const auto bad = [&](int64_t& count, const Block::Row& row, int side, const char* why) {
    if (options.bad_lines == "stop") throw bad_line(reader.where(side, row.line[side]), why);
    leave_out(count, row, side, why);
  };
  for (const Block::Row& row : block.rows) {
    ++report_.read;
    const auto s = static_cast<int64_t>(row.ids[0].size()), t = static_cast<int64_t>(row.ids[1].size());
    if (row.state == PairReader::Row::missing_column) {
      bad(report_.missing_column, row, 0, "a column is missing");
    } else if (!row.valid[0] || !row.valid[1]) {
      const int side = row.valid[0] ? 1 : 0;
      bad(report_.invalid_utf8, row, side, why_not_utf8(row.text[side]));
    } else if (s == 0) {
      bad(report_.empty_source, row, 0, "the source is empty");
    } else if (t == 0) {
      bad(report_.empty_target, row, 1, "the target is empty");
    } else if (filter.too_long(s, t)) {
      leave_out(report_.too_long, row, 0, "too long");
    } else if (filter.too_uneven(s, t)) {
      leave_out(report_.too_uneven, row, 0, "the lengths are too uneven");
    } else {
      ++report_.kept;
      report_.source_tokens += s, report_.target_tokens += t;
      for (int side = 0; side < 2; ++side) {
        std::visit(
            [&]<class T>(Rows<T>& rows) {
              const std::vector<T> narrow(row.ids[side].begin(), row.ids[side].end());
              rows.append(narrow);
            },
            sides_[side].ids);
        if (sides_[side].keep_text) sides_[side].text.append(row.text[side]);
      }
    }
  }
}

std::vector<int32_t> Corpus::SideStore::tokens(int64_t i) const {
  return std::visit([i](const auto& rows) { return std::vector<int32_t>(rows[i].begin(), rows[i].end()); }, ids);
}

std::vector<int32_t> Corpus::SideStore::lengths() const {
  return std::visit(
      [](const auto& rows) {
        std::vector<int32_t> out(static_cast<size_t>(rows.size()));
        for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int32_t>(rows[static_cast<int64_t>(i)].size());
        return out;
      },
      ids);
}

std::string_view Corpus::SideStore::line(int64_t i) const {
  check<ConfigError>(keep_text, "corpus: the text was not kept; read it with Keep::tokens_and_text");
  const auto row = text[i];
  return {row.data(), row.size()};
}

std::vector<int32_t> Corpus::source_lengths() const { return sides_[0].lengths(); }
std::vector<int32_t> Corpus::target_lengths() const { return sides_[1].lengths(); }
std::string_view Corpus::source_text(int64_t i) const { return sides_[0].line(i); }
std::string_view Corpus::target_text(int64_t i) const { return sides_[1].line(i); }

bool Corpus::spilled() const {
  const auto spilled = [](const SideStore& s) {
    return s.text.spilled() || std::visit([](const auto& rows) { return rows.spilled(); }, s.ids);
  };
  return spilled(sides_[0]) || spilled(sides_[1]);
}

std::vector<int32_t> Corpus::sampled(int side, int64_t i, uint64_t seed, int64_t epoch) const {
  const SideStore& s = sides_[side];
  if (s.tokenizer->sampling() == 0) return s.tokens(i);
  // A key per epoch and a stream per row and side.
  const auto key = Stream{seed, 0x73616D706C65}.words(static_cast<uint64_t>(epoch));
  Rng rng(key[0] | uint64_t{key[1]} << 32, static_cast<uint64_t>(i) * 2 + static_cast<uint64_t>(side));
  return s.tokenizer->encode_sampled(s.line(i), rng);
}

Pair Corpus::pair(int64_t i) const { return {sides_[0].tokens(i), sides_[1].tokens(i)}; }

Pair Corpus::pair(int64_t i, uint64_t seed, int64_t epoch) const {
  return {sampled(0, i, seed, epoch), sampled(1, i, seed, epoch)};
}

namespace {

Batch gather(std::vector<int64_t> index, auto&& pair) {
  Batch out{.index = std::move(index)};
  for (const int64_t i : out.index) {
    Pair p = pair(i);
    out.source_tokens += static_cast<int64_t>(p.source.size());
    out.target_tokens += static_cast<int64_t>(p.target.size());
    out.source.push_back(std::move(p.source));
    out.target.push_back(std::move(p.target));
  }
  return out;
}

}  // namespace

Batch Corpus::batch(std::vector<int64_t> index) const {
  return gather(std::move(index), [&](int64_t i) { return pair(i); });
}

Batch Corpus::batch(std::vector<int64_t> index, uint64_t seed, int64_t epoch) const {
  return gather(std::move(index), [&](int64_t i) { return pair(i, seed, epoch); });
}

std::string describe(const CorpusReport& r) {
  std::string out = str_cat("read ", r.read, " pairs, kept ", r.kept, " (", r.source_tokens, " source and ",
                            r.target_tokens, " target tokens)");
  std::string reasons;
  const auto add = [&](int64_t n, const char* what) {
    if (n > 0) reasons += str_cat(reasons.empty() ? "" : ", ", n, " ", what);
  };
  add(r.invalid_utf8, "invalid UTF-8");
  add(r.missing_column, "without both columns");
  add(r.empty_source, "with an empty source");
  add(r.empty_target, "with an empty target");
  add(r.too_long, "too long");
  add(r.too_uneven, "too uneven in length");
  if (!reasons.empty()) out += "\nleft out: " + reasons;
  if (r.unpaired > 0)
    out += str_cat("\nnot read: ", r.unpaired, " lines of the longer file, beyond the end of the shorter");
  for (const std::string& e : r.examples) out += "\n  " + e;
  return out;
}

}  // namespace lookback::data
