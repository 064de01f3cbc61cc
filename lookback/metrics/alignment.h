// Which word became which: alignments of hypotheses with references, the confusions in them, and two failures of
// attention that a word error rate adds to its sum without naming them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/metrics/edit_distance.h"

namespace lookback::metrics {

enum class EditKind { hit, substitution, deletion, insertion };

// One place of an alignment: the words at these indices stand for each other.
struct AlignedToken {
  int64_t reference = -1;   // -1 for an insertion
  int64_t hypothesis = -1;  // -1 for a deletion
  EditKind kind = EditKind::hit;
  bool operator==(const AlignedToken&) const = default;
};

// An alignment with the counts of edit_counts, each side's indices in order: fewest errors, among those most hits. Of
// several such ones that which, read from the ends backwards, prefers a hit or a substitution to a deletion and that to
// an insertion; so words that could be deleted or inserted at several places are so at the first of them. Time and
// bytes of memory |hypothesis| * |reference|.
std::vector<AlignedToken> aligned(std::span<const std::string> hypothesis, std::span<const std::string> reference);

// One line of a hypothesis beside its reference.
struct LineAlignment {
  std::vector<std::string> hypothesis, reference;  // words as they were compared, lower-cased for example
  std::vector<AlignedToken> tokens;

  EditCounts counts() const;
};

// The words of two lines as make_wer compares them; of several references that with the lowest rate (the first of
// equals). counts() equals what the metric counts. Throws FormatError for text that is not UTF-8 or no reference.
LineAlignment align_words(std::string_view hypothesis, std::span<const std::string> references,
                          const ErrorRateOptions& options = {});

// Three lines, each ending in '\n', as jiwer's visualize_alignment writes them: words that stand for each other end in
// the same column of a terminal, a word without a partner has as many asterisks.
//   REF: the ***** cat sat
//   HYP: the chats  is ***
//                I   S   D
// Characters that would steer a terminal appear as U+FFFD.
std::string alignment_text(const LineAlignment& line);

// What stood where another word should, and how often.
struct Confusion {
  EditKind kind = EditKind::substitution;  // never a hit
  std::string reference, hypothesis;       // empty for an insertion or a deletion
  int64_t count = 0;
  bool operator==(const Confusion&) const = default;
};

// Every confusion in these lines, most frequent first; of equals by kind (substitutions, deletions, insertions), then
// by the bytes of the words.
std::vector<Confusion> confusions(std::span<const LineAlignment> lines);

// Utterances in which a model with attention fell out of step with its source.
struct AttentionFailures {
  int64_t skips = 0, loops = 0;
};

// Whether three or more words of the reference in a row were left out: the attention jumped over them.
bool has_skip(const LineAlignment& line);

// Whether an n-gram (n >= 1) stands in the hypothesis k times in a row, each directly after the one before, and the
// reference has it r times in a row at most, with k at least max(r, 1) + 2 and n (k - max(r, 1)) at least 3: what was
// said just before is said at least twice more, three words or more of it. Independent of the alignment, as words of a
// loop may stand for words that were skipped. A last time cut short counts for nothing.
bool has_loop(const LineAlignment& line);

// Lines with a skip, and lines with a loop; a line may have both.
AttentionFailures attention_failures(std::span<const LineAlignment> lines);

}  // namespace lookback::metrics
