#include "lookback/data/word_vectors.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/unicode.h"
#include "lookback/data/vector_fields.h"
#include "lookback/data/vocab.h"
#include "lookback/data/word_vector_file.h"

namespace lookback::data {
namespace {

// The forms under which wanted words are looked for in a file: each as it is, then lower-cased.
class WantedForms {
 public:
  struct Form {
    std::vector<int64_t> exact, lower;  // the wanted words that it is, and is the lower-cased form of
    bool seen = false;
    int64_t id = -1;  // in the file; only of fastText
  };

  explicit WantedForms(std::span<const std::string> wanted) {
    forms_.reserve(wanted.size());
    for (size_t k = 0; k < wanted.size(); ++k) {
      if (wanted[k].empty() || !valid_utf8(wanted[k])) continue;
      forms_[wanted[k]].exact.push_back(static_cast<int64_t>(k));
      std::string lower = lowercased(wanted[k]);
      if (lower != wanted[k]) forms_[std::move(lower)].lower.push_back(static_cast<int64_t>(k));
    }
  }

  // The form that the next word of the file is, if it is wanted and was not there before; counts the others in `out`.
  Form* find(std::string_view word, WordVectors& out) {
    if (word.empty() || !valid_utf8(word)) {
      ++out.unreadable;
      return nullptr;
    }
    const auto it = forms_.find(word);
    if (it == forms_.end()) return nullptr;
    out.duplicates += it->second.seen;
    return std::exchange(it->second.seen, true) ? nullptr : &it->second;
  }

  const auto& all() const { return forms_; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  std::unordered_map<std::string, Form, Hash, std::equal_to<>> forms_;
};

std::span<float> row_of(const Tensor& rows, int64_t k) { return rows.rows(k, k + 1).span<float>(); }

template <class File>
WordVectors read_from(File& file, std::span<const std::string> wanted) {
  WordVectors out;
  const auto count = static_cast<int64_t>(wanted.size());
  WantedForms forms(wanted);
  std::vector<bool> lowered(wanted.size());
  std::vector<float> vector;
  out.found.resize(wanted.size());
  const auto put = [&](int64_t k) {
    std::ranges::copy(vector, row_of(out.rows, k).begin());
    out.found[static_cast<size_t>(k)] = true;
  };
  for (std::string_view word; file.next(word);) {
    const WantedForms::Form* form = forms.find(word, out);
    if (!form) continue;
    vector.resize(static_cast<size_t>(file.width()));
    file.read_vector(vector);
    // Only now is it certain that the file has vectors of that width.
    if (out.rows.empty()) out.rows = Tensor::zeros({count, file.width()});
    for (const int64_t k : form->exact) put(k), lowered[static_cast<size_t>(k)] = false;
    for (const int64_t k : form->lower)
      if (!out.found[static_cast<size_t>(k)]) put(k), lowered[static_cast<size_t>(k)] = true;
  }
  if (out.rows.empty()) out.rows = Tensor::zeros({count, file.width()});
  out.lower_cased = std::ranges::count(lowered, true);
  return out;
}

// Which rows of a fastText model are the vector of each wanted word; none for one without vector.
std::vector<std::vector<int64_t>> rows_of_words(FastTextFile& file, std::span<const std::string> wanted,
                                                WordVectors& out) {
  WantedForms forms(wanted);
  for (std::string_view word; file.next(word);)
    if (WantedForms::Form* form = forms.find(word, out)) form->id = file.words() - 1;
  std::vector<std::vector<int64_t>> rows(wanted.size());
  for (const auto& [word, form] : forms.all()) {
    if (form.id < 0) continue;
    for (const int64_t k : form.exact) rows[static_cast<size_t>(k)] = file.rows_of(word, form.id);
  }
  for (const auto& [word, form] : forms.all()) {
    for (const int64_t k : form.lower) {
      auto& of_word = rows[static_cast<size_t>(k)];
      if (form.id < 0 || !of_word.empty()) continue;
      of_word = file.rows_of(word, form.id);
      ++out.lower_cased;
    }
  }
  for (const auto& [word, form] : forms.all()) {
    for (const int64_t k : form.exact) {
      auto& of_word = rows[static_cast<size_t>(k)];
      if (!of_word.empty()) continue;
      of_word = file.rows_of(word, -1);
      out.composed += !of_word.empty();
    }
  }
  return rows;
}

WordVectors read_from(FastTextFile& file, std::span<const std::string> wanted) {
  WordVectors out;
  const std::vector<std::vector<int64_t>> rows = rows_of_words(file, wanted, out);
  std::vector<int64_t> needed;
  for (const auto& of_word : rows) needed.insert(needed.end(), of_word.begin(), of_word.end());
  std::ranges::sort(needed);
  needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
  std::vector<float> vectors;  // [needed, width]
  file.read_rows(needed, [&](std::span<const float> row) { vectors.insert(vectors.end(), row.begin(), row.end()); });

  const auto width = static_cast<size_t>(file.width());
  out.rows = Tensor::zeros({static_cast<int64_t>(wanted.size()), file.width()});
  for (size_t k = 0; k < wanted.size(); ++k) {
    const std::span<float> sum = row_of(out.rows, static_cast<int64_t>(k));
    for (const int64_t row : rows[k]) {
      const auto at = static_cast<size_t>(std::ranges::lower_bound(needed, row) - needed.begin());
      for (size_t d = 0; d < width; ++d) sum[d] += vectors[at * width + d];
    }
    // The mean as fastText takes it, to the bit.
    const auto scale = static_cast<float>(1.0 / static_cast<double>(std::max<size_t>(rows[k].size(), 1)));
    for (float& v : sum) v *= scale;
    check<FormatError>(std::ranges::all_of(sum, [](float v) { return std::isfinite(v); }), file.name(),
                       ": the vector of ", shown(wanted[k]),
                       ", a sum over its subwords, is not finite; the file is damaged");
    out.found.push_back(!rows[k].empty());
  }
  return out;
}

}  // namespace

WordVectors read_word_vectors(const std::string& path, std::span<const std::string> wanted) {
  AnyVectorFile any = open_word_vectors(path);
  return std::visit(
      [&](auto& file) {
        WordVectors out = read_from(file, wanted);
        out.width = file.width();
        out.words_in_file = file.words();
        out.format = file.format();
        return out;
      },
      any);
}

std::vector<std::string> first_words(const std::string& path, int64_t count) {
  AnyVectorFile any = open_word_vectors(path);
  std::vector<std::string> out;
  std::unordered_set<std::string> seen;
  for (const std::string_view name : kSpecialNames) seen.emplace(name);
  const auto take = [&](auto& file) {
    for (std::string_view word; static_cast<int64_t>(out.size()) < count && file.next(word);)
      if (!word.empty() && valid_utf8(word) && seen.emplace(word).second) out.emplace_back(word);
  };
  std::visit(take, any);
  return out;
}

namespace {

template <class File>
void read_rows_of(File& file, AllWordVectors& out) {
  std::unordered_set<std::string> seen;
  std::vector<float> values, vector(static_cast<size_t>(file.width()));
  for (std::string_view word; file.next(word);) {
    if (word.empty() || !valid_utf8(word) || !seen.emplace(word).second) continue;
    out.words.emplace_back(word);
    file.read_vector(vector);
    values.insert(values.end(), vector.begin(), vector.end());
  }
  out.rows = Tensor::of({std::ssize(out.words), file.width()}, values);
}

void read_rows_of(FastTextFile& file, AllWordVectors& out) {
  std::unordered_set<std::string> seen;
  for (std::string_view word; file.next(word);)
    if (!word.empty() && valid_utf8(word) && seen.emplace(word).second) out.words.emplace_back(word);
  out.rows = read_word_vectors(file.name(), out.words).rows;
}

}  // namespace

AllWordVectors read_all_word_vectors(const std::string& path) {
  AnyVectorFile any = open_word_vectors(path);
  return std::visit(
      [&](auto& file) {
        AllWordVectors out;
        read_rows_of(file, out);
        check<FormatError>(!out.words.empty(), path, ": no word in it can be read; is this a file of word vectors?");
        out.width = file.width(), out.format = file.format();
        return out;
      },
      any);
}

void write_word_vectors(std::span<const std::string> words, const Tensor& rows, VectorFormat format,
                        const std::function<void(std::string_view)>& write) {
  check(rows.shape().rank() == 2 && rows.dim(0) == std::ssize(words), "write_word_vectors: a row for each of ",
        words.size(), " words expected, got ", rows.shape());
  constexpr size_t kAtOnce = size_t{1} << 20;  // bytes
  std::string out = str_cat(rows.dim(0), " ", rows.dim(1), "\n");
  for (size_t k = 0; k < words.size(); ++k) {
    out += words[k];
    const std::span<float> row = row_of(rows, static_cast<int64_t>(k));
    if (format == VectorFormat::binary)
      out += ' ', out.append(reinterpret_cast<const char*>(row.data()), row.size_bytes());
    for (size_t d = 0; d < row.size() && format == VectorFormat::text; ++d) {
      char number[32];
      const auto end = std::to_chars(number, number + sizeof number, row[d]).ptr;
      out += ' ', out.append(number, end);
    }
    out += '\n';
    if (out.size() >= kAtOnce) write(std::exchange(out, {}));
  }
  write(out);
}

}  // namespace lookback::data
