// The fields of an input, from a line of a file or from flags.
#pragma once

#include <string>
#include <vector>

#include "lookback/data/tokenizer.h"
#include "lookback/tasks/task.h"

namespace lookback::tasks {

using InputFields = std::vector<InputField>;

// How lines are read: "lines" (each is the one required field), "tsv" (the required fields in their order), "jsonl" (an
// object with any fields), "csv" (rows under a header) or, for "auto", what the file's ending says, and else the
// plainest that holds all. Throws ConfigError for lines where an input has several fields.
std::string input_format(const std::string& format, const std::string& file, const InputFields& fields);

// Whether the file holds columns instead, see TaskModel::predict_columns: "conll" or "conllu", by the format or, for
// "auto", by the file's ending; else "".
std::string columns_format(const std::string& format, const std::string& file);

// The input that a line is. Throws FormatError, without saying where.
Input parse_input(std::string line, std::string_view format, const InputFields& fields);

// "name=value". Throws ConfigError for a field that there is not, with the nearest match.
void set_input_field(Input& input, const std::string& assignment, const InputFields& fields);

// Throws ConfigError "where: ..." for a required field that is missing.
void check_input(const Input& input, const InputFields& fields, const std::string& where);

// A field that predict needs, its malformed bytes as U+FFFD, so that every input gets its output. Throws ConfigError
// where it is missing.
std::string required_text(const Input& input, const std::string& field);
// One that may be missing: "".
std::string optional_text(const Input& input, const std::string& field);

// Lines are then this field of each input, and the others optional.
void make_only_required(InputFields& fields, std::string_view name);

// What of a prefix, which has these ids, the vocabulary lacks, as a warning; "" if nothing.
std::string unknown_in_prefix(const data::Tokenizer& tokenizer, const std::vector<int32_t>& ids, const Input& input);

// Whether inputs have a field of that name.
bool has_field(const InputFields& fields, std::string_view name);

}  // namespace lookback::tasks
