#include "lookback/tasks/chat.h"

#include <algorithm>
#include <map>

#include "lookback/base/parallel.h"
#include "lookback/base/utf8.h"
#include "lookback/data/delexicaliser.h"
#include "lookback/data/encoding_guess.h"
#include "lookback/data/unicode.h"
#include "lookback/data/word_rules.h"
#include "lookback/metrics/corpus_metric.h"
#include "lookback/metrics/distinct.h"
#include "lookback/metrics/perplexity.h"
#include "lookback/models/bm25.h"
#include "lookback/tasks/input.h"
#include "lookback/tasks/task_definition.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

// Whether a row goes on where another one ended; at once where each turn is a reply.
bool goes_on(const std::string& history, const std::string& before) {
  return !before.empty() && history.starts_with(before) &&
         (history.size() == before.size() || history[before.size()] == '\n');
}

// What each row of dialogues has that the row before it had not, a line each: its new turns, knowledge and reply, so
// that a vocabulary counts what was said once and not once for each reply to it.
data::LineSource new_lines(const data::RowSource& rows, const data::TableOptions& options, bool delexicalise) {
  struct State {
    data::RowReader reader;
    explicit State(const data::RowSource& rows, const data::TableOptions& options)
        : reader(rows, Chat::columns(), options) {}
    data::RowReader::Row row = {};
    std::string turns = {}, knowledge = {};  // of the row before
    StringList lines = {};                   // still to be given, the next one last
  };
  const auto state = std::make_shared<State>(rows, options);
  return [state, delexicalise](std::string& line) {
    State& s = *state;
    while (s.lines.empty()) {
      if (!s.reader.next(s.row)) return false;
      if (!s.row.problem.empty()) continue;
      const std::string &history = s.row.cells[0], &knowledge = s.row.cells[1];
      const bool more = goes_on(history, s.turns);
      const bool known = more && knowledge.starts_with(s.knowledge);
      s.lines = {s.row.cells[2], history.substr(more ? std::min(s.turns.size() + 1, history.size()) : 0),
                 known ? knowledge.substr(s.knowledge.size()) : knowledge};
      s.turns = str_cat(history, "\n", s.row.cells[2]), s.knowledge = knowledge;
      if (!delexicalise) continue;
      const data::Delexicaliser values(knowledge);
      for (std::string& said : s.lines) said = values.encode(said);
    }
    line = std::move(s.lines.back());
    s.lines.pop_back();
    std::ranges::replace(line, '\n', ' ');
    return true;
  };
}

StringList words_of(const std::string& text) {
  const auto words = data::split_spaces(text);
  return {words.begin(), words.end()};
}

// The words of what is replied to, in lower case.
StringList last_turn(const Input& input) {
  const std::string history = data::lowercased(optional_text(input, "history"));
  return words_of(history.substr(history.find_last_of('\n') + 1));
}

// As its tokens are spelled, blanks between them.
std::string tokenised(const data::Tokenizer& tokenizer, const std::string& text) {
  StringList words = tokenizer.surfaces(with_replacements(text));
  for (std::string& word : words) word = tokenizer.spelling(word);
  return joined(words, " ");
}

metrics::Lines tokenised(const data::Tokenizer& tokenizer, metrics::Lines lines) {
  for (std::string& line : lines) line = tokenised(tokenizer, line);
  return lines;
}

// Of each example whether it begins a dialogue.
std::vector<bool> beginnings(const Examples& examples) {
  std::vector<bool> out;
  std::string turns;
  for (size_t k = 0; k < examples.inputs.size(); ++k) {
    const std::string history = optional_text(examples.inputs[k], "history");
    out.push_back(!goes_on(history, turns));
    turns = str_cat(history, "\n", examples.references[k]);
  }
  return out;
}

metrics::MetricOptions metric_options() {
  metrics::MetricOptions out;
  out.bleu.tokenize = "none";
  return out;
}

// bleu and accuracy of each reply, accuracy of whole dialogues, and how varied the replies are.
std::vector<EvaluationLine> reply_scores(const metrics::Lines& said, const metrics::Lines& references,
                                         const std::vector<bool>& begins, int64_t resamples) {
  std::vector<EvaluationLine> out = scored({"bleu", "accuracy"}, said, references, resamples, metric_options());
  metrics::Lines dialogues;
  for (size_t k = 0; k < said.size(); ++k) {
    if (begins[k]) dialogues.emplace_back("right");
    if (said[k] != references[k]) dialogues.back() = "wrong";
  }
  EvaluationLine whole =
      scored({"accuracy"}, dialogues, metrics::Lines(dialogues.size(), "right"), resamples, metric_options())[0];
  whole.name = "accuracy_dialogue";
  out.push_back(std::move(whole));
  for (const int64_t n : {1, 2})
    out.push_back({.name = str_cat("distinct", n),
                   .value = metrics::distinct(said, n),
                   .signature = "unit:token|version:" + std::string(metrics::kVersion)});
  return out;
}

}  // namespace

std::vector<data::Column> Chat::columns(const TextToText& network) {
  const data::DialogueForms& forms = *network.dialogue_forms;
  std::vector<data::Column> out{{"history", &forms.history, {"knowledge"}},
                                {"knowledge", &forms.segments, {"history"}},
                                {"reply", &forms.reply, {"knowledge", "history"}}};
  if (network.extended) out.push_back({"history", &forms.copies, {"knowledge"}});
  return out;
}

std::vector<InputField> Chat::input_fields() {
  return {{"history", "the turns so far, the oldest first, each on a line of its own; the last is replied to"},
          {"knowledge", "what is known besides, a row on each line", false},
          {"prefix", "what the reply must begin with", false},
          {"score", "the reply to score instead of searching for one", false}};
}

std::vector<int32_t> Chat::costs(const data::Table& table) { return TextToTextTask::costs(table, kReply); }

std::vector<std::vector<int32_t>> Chat::keys(const data::Table& table) {
  return {table.lengths(kReply), table.lengths(kHistory)};
}

StringList Chat::example(const TextToText& network, const data::Table& table, int64_t k, uint64_t seed) {
  StringList out{"  dialogue:"};
  const data::Ids tokens = table.ids(kHistory, k, seed, 0);
  const data::Tokenizer& tokenizer = *network.tokenizers.target;
  size_t next = 0;
  for (const Segment& s : segments_of(table.ids(kSegments, k, seed, 0))) {
    constexpr const char* kRoles[kSegmentRoles] = {"them", "us", "known"};
    out.push_back(str_cat("    ", kRoles[s.role], ":"));
    for (int32_t t = 0; t < s.tokens; ++t) out.back() += " " + viz::one_line(tokenizer.piece(tokens[next++]));
  }
  out.emplace_back("  reply:");
  for (const int32_t id : table.ids(kReply, k, seed, 0))
    out.back() += " " + (id < tokenizer.size() ? viz::one_line(tokenizer.piece(id))
                                               : str_cat("<copy ", id - tokenizer.size() + 1, ">"));
  return out;
}

void Chat::validate(const Recipe& recipe) {
  recipe.decode.validate();
  check<ConfigError>(recipe.tokenizer.joint,
                     "tokenizer.joint = false: task chat has one vocabulary for both who speak; set it to true");
  check<ConfigError>(recipe.tokenizer.sampling == 0, "tokenizer.sampling = ", recipe.tokenizer.sampling,
                     ": task chat reads one cut of a text; set it to 0");
  check<ConfigError>(
      !recipe.dialogue.delexicalise ||
          (recipe.tokenizer.kind == "word" && recipe.tokenizer.split == "space" && !recipe.tokenizer.lowercase),
      "dialogue.delexicalise = true puts words like @R_phone#1 in place of values; it needs tokenizer.kind = 'word', "
      "split = 'space' and lowercase = false");
  check_words(recipe.model, recipe.tokenizer, {recipe.vectors, {}});
  check_network(recipe.model, recipe.loss, recipe.train.options.freeze);
}

TextToText Chat::learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root, const LogSink& log) {
  std::shared_ptr<data::Tokenizer> both =
      data::train_tokenizer(recipe.tokenizer, new_lines(rows, recipe.data.table, recipe.dialogue.delexicalise), log);
  both = with_words_of(recipe.vectors, both, root);
  log(Severity::info, str_cat("tokenizer: ", recipe.tokenizer.kind, ", ", both->size(), " entries"));
  Assets assets{.tokenizers = {both, both}, .dialogue = recipe.dialogue};
  TextToText out = make(kName, recipe.model, recipe.decode, recipe.tokenizer, std::move(assets), seed_of(recipe.train));
  start_from({recipe.vectors, {}}, out, root, log);
  return out;
}

TextToText Chat::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log) {
  Assets assets = assets_of(folder, recipe.model, recipe.tokenizer, log);
  assets.dialogue = recipe.dialogue;
  return make(kName, recipe.model, recipe.decode, recipe.tokenizer, std::move(assets), seed_of(recipe.train));
}

Loss Chat::loss(const TextToText& network, const Recipe& recipe, data::Batch batch, double scale, Noise* noise) {
  Segments segments;
  for (const data::Ids& numbers : batch.columns[kSegments]) segments.push_back(segments_of(numbers));
  batch.columns.erase(batch.columns.begin() + kSegments);
  return loss_of(network, recipe.loss, std::move(batch), scale, noise, std::move(segments));
}

std::vector<EvaluationLine> Chat::scores(const TextToText& network, const StringList& names,
                                         const metrics::Lines& hypotheses, const metrics::Lines& references,
                                         int64_t resamples) {
  const data::Tokenizer& tokenizer = *network.tokenizers.target;
  return scored(names, tokenised(tokenizer, hypotheses), tokenised(tokenizer, references), resamples, metric_options());
}

void Chat::check_options(Networks networks, const Options& options, const LogSink& log) {
  TextToTextTask::check_options(networks, options, log);
  check<ConfigError>(options.candidates_file.empty() || !options.search.sample,
                     "candidates are chosen from and not drawn; leave sample out");
  with_candidates(options);
}

Chat::Options Chat::with_candidates(Options options) {
  if (options.candidates_file.empty()) return options;
  const data::LineSource lines = data::file_lines({options.candidates_file});
  for (std::string line; lines(line);) {
    check<FormatError>(valid_utf8(line), options.candidates_file, ": ", data::why_not_utf8(line));
    if (!data::split_spaces(line).empty()) options.candidates.push_back(std::move(line));
  }
  check<FormatError>(!options.candidates.empty(), options.candidates_file, ": there is no reply in it");
  return options;
}

EvaluationReport Chat::report(Networks networks, const Examples& examples, const Options& options, int64_t resamples) {
  const data::Tokenizer& tokenizer = *networks[0]->tokenizers.target;
  const metrics::Lines said =
      tokenised(tokenizer, texts_of(predict(networks, examples.inputs, options, TaskModel::Detail::text_only)));
  const metrics::Lines references = tokenised(tokenizer, examples.references);

  std::vector<Input> given = examples.inputs;
  metrics::LikelihoodSum nats;
  int64_t silent = 0;  // rows with nothing to read, which give no reply a probability
  const bool words = tokenizer.kind() == "word";
  for (size_t k = 0; k < given.size(); ++k) {
    given[k].fields["score"] = examples.references[k];
    if (networks[0]
            ->dialogue->tokens(optional_text(given[k], "knowledge"), optional_text(given[k], "history"))
            .empty()) {
      ++silent;
      continue;
    }
    const std::string text = with_replacements(examples.references[k]);
    nats.tokens += 1 + (words ? std::ssize(tokenizer.encode(text)) : std::ssize(data::split_spaces(text)));
  }
  check<FormatError>(nats.tokens > 0, "none of the ", given.size(),
                     " rows has a turn or a row of knowledge to reply to");
  for (const Prediction& p : predict(networks, given, options, TaskModel::Detail::full))
    nats.nats -= p.outputs[0].log_prob;
  EvaluationReport out{
      .lines = {
          {.name = "perplexity",
           .value = metrics::perplexity(nats),
           .signature = str_cat("unit:", words ? "token" : "word",
                                "|ends:yes|unk:", networks[0]->extended ? "copied_or_counted" : "counted",
                                networks[0]->config.dialogue.delexicalise ? "|values:placeholders" : "",
                                silent ? str_cat("|nothing_to_read:", silent) : "",
                                examples.passed_over ? str_cat("|seen_dialogues_left_out:", examples.passed_over) : "",
                                "|version:", metrics::kVersion)}}};
  for (EvaluationLine& line : reply_scores(said, references, beginnings(examples), resamples))
    out.lines.push_back(std::move(line));
  return out;
}

std::vector<BaselineScores> Chat::baselines(const Recipe& recipe, const data::RowSource& train,
                                            const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                            const LogSink& log) {
  const Examples known = read_examples(train, columns(), recipe.data.table);
  check<FormatError>(!known.inputs.empty(), "data.train: no example is left after filtering");
  log(Severity::info, str_cat("training data: ", known.inputs.size(), " replies"));
  std::vector<StringList> asked;
  std::map<std::string, int64_t> counts;
  for (size_t k = 0; k < known.inputs.size(); ++k) {
    asked.push_back(last_turn(known.inputs[k]));
    ++counts[known.references[k]];
  }
  const Bm25 nearest(asked);
  const auto most = [](const auto& a, const auto& b) { return a.second < b.second; };
  const std::string frequent = std::ranges::max_element(counts, most)->first;
  const std::vector<Baseline> methods = {
      {"reply to the nearest turn (BM25)",
       [&](const Input& input) { return known.references[*nearest.best(last_turn(input))]; }},
      {"most frequent reply", [&](const Input&) { return frequent; }}};
  std::vector<BaselineScores> out;
  for (const auto& [set, rows] : sets) {
    const Examples examples = read_examples(rows, columns(), recipe.data.table);
    const std::vector<bool> begins = beginnings(examples);
    for (const auto& [name, reply_to] : methods) {
      metrics::Lines said(examples.inputs.size());
      parallel_for(std::ssize(said), 64, [&](int64_t begin, int64_t end) {
        for (auto k = static_cast<size_t>(begin); k < static_cast<size_t>(end); ++k)
          said[k] = joined(words_of(reply_to(examples.inputs[k])), " ");
      });
      metrics::Lines references = examples.references;
      for (std::string& line : references) line = joined(words_of(line), " ");
      out.push_back({name, set, reply_scores(said, references, begins, 0)});
    }
  }
  return out;
}

TaskKind chat_kind() { return task_kind<Chat>(); }

}  // namespace lookback::tasks
