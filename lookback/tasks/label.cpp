#include "lookback/tasks/label.h"

#include <algorithm>
#include <map>

#include "lookback/autograd/side_by_side.h"
#include "lookback/base/format_number.h"
#include "lookback/base/parse.h"
#include "lookback/data/conll.h"
#include "lookback/metrics/tags.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/input.h"
#include "lookback/tasks/label_report.h"
#include "lookback/tasks/task_definition.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

using data::Ids;
using data::SequenceUnit;

constexpr int64_t kTokensAtOnce = 65'536;  // in prediction, unless one text alone has more
constexpr int64_t kBatchesAhead = 16;      // of columns
constexpr size_t kDrawnTags = 20;          // of a figure
constexpr size_t kConfusedTags = 60;       // of a confusion matrix at most

Label::Network make(const Label::Recipe& recipe, Label::Config known, std::shared_ptr<data::Tokenizer> tokenizer,
                    std::shared_ptr<data::Spelling> spelling, const std::string& origin, uint64_t seed) {
  Label::Network out{.config = std::move(known), .tokenizer = std::move(tokenizer), .spelling = std::move(spelling)};
  out.config.vocabulary = out.tokenizer->size();
  out.config.model = recipe.model;
  out.tags = std::make_shared<data::TagSet>(out.config.tags, origin);
  out.config.tags = out.tags->tags();
  out.mixed_case = data::MixedCase(out.config.mixed_case, origin);
  const bool texts = recipe.model.of_texts();
  const auto scheme = data::parse_tag_scheme(recipe.model.forbid);
  out.tag_cells = std::make_shared<data::TagCells>(out.tags, scheme, out.unit());
  if (texts)
    out.members = std::make_shared<data::TextCells>(out.tokenizer);
  else
    out.members = std::make_shared<data::TokenCells>(out.tokenizer);
  if (out.spelling && texts) out.spellings = std::make_shared<data::TextSpellingCells>(out.spelling);
  if (out.spelling && !texts) out.spellings = std::make_shared<data::TokenSpellingCells>(out.spelling);
  out.known = std::make_shared<KnownMembers>(out.members, out.spellings);
  out.model = std::make_unique<Labeller>(recipe.model,
                                         Labeller::Sizes{.vocabulary = out.tokenizer->size(),
                                                         .characters = out.spelling ? out.spelling->characters() : 0,
                                                         .tags = out.tags->count()},
                                         tag_rules(scheme, out.tags->tags()), seed);
  return out;
}

// What the networks say of one sequence.
struct Said {
  StringList members;
  std::vector<int32_t> tags;
  Tensor probabilities;  // [n, K]
  double log_prob = 0;
  Sentences tokens;             // of each text
  std::vector<Tensor> weights;  // of each text, of the first network: [hops, tokens]
};

TagRules mean_transitions(Label::Networks networks) {
  TagRules out;
  for (const Label::Network* const n : networks) {
    const TagRules own = n->model->transitions();
    add_part(out.transitions, own.transitions, networks.size());
    add_part(out.start, own.start, networks.size());
    add_part(out.end, own.end, networks.size());
  }
  return out;
}

std::vector<Said> ask(Label::Networks networks, std::vector<StringList> inputs, const Label::Options& options,
                      bool want_probabilities) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  const Label::Network& first = *networks[0];
  std::vector<Said> out(inputs.size());
  std::vector<Ids> members, spellings;
  std::vector<int32_t> costs;
  std::vector<int64_t> at;  // inputs that have members
  for (size_t k = 0; k < inputs.size(); ++k) {
    out[k].members = std::move(inputs[k]);
    if (out[k].members.empty()) continue;
    at.push_back(static_cast<int64_t>(k));
    auto [ids, spelling] = (*first.known)(out[k].members);
    members.push_back(std::move(ids));
    if (first.spellings) spellings.push_back(std::move(spelling));
    costs.push_back(static_cast<int32_t>(members.back().size()));
  }
  NestedTexts all = first.texts(std::move(members), std::move(spellings));
  const TagRules transitions = mean_transitions(networks);
  const auto batches = data::costliest_first(costs, options.batch, kTokensAtOnce);
  each_piece(batches.size(), [&](size_t piece) {
    const auto& batch = batches[piece];
    const NestedTexts now = all.chosen(batch);
    std::vector<Tensor> emissions(batch.size());
    for (size_t n = 0; n < networks.size(); ++n) {
      auto scores = networks[n]->model->score(now);
      for (size_t k = 0; k < batch.size(); ++k) {
        if (networks.size() == 1)
          emissions[k] = scores[k].emissions;
        else
          add_part(emissions[k], scores[k].emissions, networks.size());
        if (n == 0) out[static_cast<size_t>(at[static_cast<size_t>(batch[k])])].weights = std::move(scores[k].weights);
      }
    }
    auto best = best_tags(emissions, transitions, want_probabilities);
    for (size_t k = 0; k < batch.size(); ++k) {
      Said& said = out[static_cast<size_t>(at[static_cast<size_t>(batch[k])])];
      said.tags = std::move(best[k].tags);
      said.probabilities = std::move(best[k].probabilities);
      said.log_prob = best[k].log_prob;
    }
  });
  if (first.config.model.of_texts() && want_probabilities)
    for (size_t i = 0; i < at.size(); ++i) {
      auto token = all.tokens[i].begin();
      for (const int64_t n : all.parts[i]) {
        out[static_cast<size_t>(at[i])].tokens.emplace_back(token, token + n);
        token += n;
      }
    }
  return out;
}

StringList tag_names(const Label::Network& network, const Said& said) {
  StringList out;
  for (const int32_t tag : said.tags) out.push_back(network.tags->tag(tag));
  return out;
}

std::string text_of(const Label::Network& network, const Said& said) {
  if (network.config.restore) {
    const std::vector<std::string_view> words(said.members.begin(), said.members.end());
    return data::restored(words, tag_names(network, said), network.mixed_case);
  }
  if (network.config.model.of_texts()) return joined(tag_names(network, said), " ");
  std::string out;
  for (size_t k = 0; k < said.tags.size(); ++k) {
    if (k > 0) out += ' ';
    out.append(said.members[k]).append("/").append(network.tags->tag(said.tags[k]));
  }
  return out;
}

io::JsonObject details_of(const Label::Network& network, const Said& said) {
  io::JsonObject out;
  const StringList tags = tag_names(network, said);
  const bool texts = network.config.model.of_texts();
  std::vector<size_t> order(said.members.size());
  for (size_t k = 0; k < order.size(); ++k) order[k] = k;
  out.raw(texts ? "texts" : "tokens", io::json_list(said.members, io::json_quote))
      .raw("tags", io::json_list(tags, io::json_quote))
      .raw("probabilities", io::json_list(order, [&](size_t k) {
             io::JsonObject of_tags;
             for (int32_t tag = 0; tag < network.tags->count(); ++tag)
               of_tags.add(
                   network.tags->tag(tag),
                   static_cast<double>(
                       said.probabilities.data<float>()[static_cast<int64_t>(k) * network.tags->count() + tag]));
             return of_tags.text();
           }));
  if (!texts) return out;
  out.raw("words", io::json_list(said.tokens, [&](const Ids& ids) {
            return io::json_list(network.tokenizer->pieces(ids), io::json_quote);
          }));
  if (!said.weights.empty()) out.raw("weights", io::json_list(said.weights, io::json_matrix));
  return out;
}

std::vector<StringList> members_of_inputs(const Label::Network& network, std::span<const Input> inputs) {
  std::vector<StringList> out;
  const std::string field = Label::columns_of(network)[0];
  for (const Input& input : inputs) out.push_back(network.members_of(required_text(input, field)));
  return out;
}

metrics::Lines lines_of(const Label::Network& network, const std::vector<Said>& said) {
  metrics::Lines out;
  for (const Said& s : said) out.push_back(joined(tag_names(network, s), " "));
  return out;
}

// A row of numbers for each class.
StringList counts_row(const std::string& name, const metrics::ClassCounts& c) {
  return {name, fixed(100 * c.precision(), 1), fixed(100 * c.recall(), 1), fixed(100 * c.f1(), 1),
          std::to_string(c.gold)};
}

// Of every tag that is gold or predicted, in byte order.
std::map<std::string, metrics::ClassCounts> counts_by_tag(const metrics::Lines& hypotheses,
                                                          const metrics::Lines& references) {
  std::map<std::string, metrics::ClassCounts> out;
  for (size_t k = 0; k < references.size(); ++k) {
    const auto gold = metrics::tags_of_line(references[k]), predicted = metrics::tags_of_line(hypotheses[k]);
    for (size_t n = 0; n < gold.size(); ++n) {
      ++out[gold[n]].gold, ++out[predicted[n]].predicted;
      out[gold[n]].correct += gold[n] == predicted[n];
    }
  }
  return out;
}

bool has_spans(const StringList& tags) {
  return std::ranges::any_of(tags, [](const std::string& t) { return t.starts_with("B-") || t.starts_with("S-"); });
}

std::string tables_of(const StringList& tags, const metrics::Lines& hypotheses, const metrics::Lines& references) {
  std::string out;
  if (has_spans(tags)) {
    std::vector<StringList> rows{{"type", "precision", "recall", "f1", "spans"}};
    for (const auto& [type, c] : metrics::spans_by_type(hypotheses, references)) rows.push_back(counts_row(type, c));
    out = metrics::aligned_columns(rows) + "\n";
  }
  std::vector<StringList> rows{{"tag", "precision", "recall", "f1", "tags"}};
  for (const auto& [tag, c] : counts_by_tag(hypotheses, references)) rows.push_back(counts_row(tag, c));
  return out + metrics::aligned_columns(rows);
}

viz::Figure confusion_of(const metrics::Lines& hypotheses, const metrics::Lines& references) {
  StringList names;
  for (const auto& [tag, c] : counts_by_tag(hypotheses, references)) names.push_back(tag);
  std::vector<int64_t> counts(names.size() * names.size());
  const auto at = [&](const std::string& tag) {
    return static_cast<size_t>(std::ranges::lower_bound(names, tag) - names.begin());
  };
  int64_t total = 0;
  for (size_t k = 0; k < references.size(); ++k) {
    const auto gold = metrics::tags_of_line(references[k]), predicted = metrics::tags_of_line(hypotheses[k]);
    for (size_t n = 0; n < gold.size(); ++n, ++total) ++counts[at(gold[n]) * names.size() + at(predicted[n])];
  }
  return viz::confusion_map(counts, names, str_cat("Confusion of ", total, " tags"));
}

// Tags that matter for a figure: those of the largest probability anywhere, at most kDrawnTags, in their order.
std::vector<int32_t> drawn_tags(const Said& said, int64_t K) {
  std::vector<float> most(static_cast<size_t>(K));
  for (int64_t i = 0; i < said.probabilities.size(); ++i) {
    float& m = most[static_cast<size_t>(i % K)];
    m = std::max(m, said.probabilities.data<float>()[i]);
  }
  std::vector<int32_t> out(most.size());
  for (size_t k = 0; k < out.size(); ++k) out[k] = static_cast<int32_t>(k);
  std::ranges::stable_sort(out, std::greater(), [&](int32_t k) { return most[static_cast<size_t>(k)]; });
  out.resize(std::min(out.size(), kDrawnTags));
  std::ranges::sort(out);
  return out;
}

}  // namespace

StringList tag_metrics(const StringList& tags, bool restore) {
  if (restore) return {"capital_f1", "mark_f1", "accuracy", "macro_f1"};
  if (has_spans(tags)) return {"span_f1", "span_precision", "span_recall", "accuracy", "macro_f1"};
  return {"accuracy", "macro_f1"};
}

std::string tags_as_line(const std::string& cell) { return data::tag_line(data::tags_of(cell)); }

StringList Label::metrics(const Network& n) { return tag_metrics(n.config.tags, n.config.restore); }

std::vector<InputField> Label::input_fields(const Network& network) {
  if (network.config.restore) return {{"tokens", "the text whose case and punctuation are to be restored"}};
  if (network.config.model.of_texts()) return {{"texts", "texts, each ended by __eou__, or a list of texts"}};
  return input_fields();
}

NestedTexts Label::Network::texts(std::vector<Ids> members, std::vector<Ids> spellings) const {
  if (!config.model.of_texts()) return {std::move(members), std::move(spellings)};
  NestedTexts out{.tokens = {}, .spellings = std::move(spellings)};
  for (const Ids& ids : members) {
    auto& tokens = out.tokens.emplace_back();
    auto& lengths = out.parts.emplace_back();
    for (const Ids& text : data::TextCells::texts(ids)) {
      tokens.insert(tokens.end(), text.begin(), text.end());
      lengths.push_back(std::ssize(text));
    }
  }
  return out;
}

StringList Label::Network::members_of(const std::string& text) const {
  if (config.restore && text.find('\n') == text.npos) return data::plain_words(text).words;
  StringList out;
  for (const std::string_view member : data::members_of(text, unit())) out.emplace_back(member);
  return out;
}

void Label::Network::check_ensemble(const Network& other, const std::string& folder,
                                    const std::string& other_folder) const {
  const auto same_form = [](const Config& a, const Config& b) {
    return a.tags == b.tags && a.characters == b.characters && a.restore == b.restore && a.model.unit == b.model.unit &&
           a.model.crf == b.model.crf && a.model.forbid == b.model.forbid;
  };
  check<FormatError>(tokenizer->bytes() == other.tokenizer->bytes() && same_form(config, other.config), other_folder,
                     ": its tokenizer, its tags, or how it chooses them are not those of ", folder,
                     "; an ensemble needs the same");
}

StringList Label::Network::save(const std::string& folder) const {
  return {save_options(folder, "config.json", config), save_tokenizer(*tokenizer, folder)};
}

Label::Network Label::Network::open(const io::ModelFolder& folder) {
  const std::string file = folder.path() + "/config.json";
  Config config;
  read_fields(folder.open("config.json"), fields_of(config));
  const auto tokenizer = load_tokenizer(folder);
  check_vocabulary(folder, *tokenizer, config.vocabulary);
  try {
    std::shared_ptr<data::Spelling> spelling;
    if (config.model.front.spelling.any())
      spelling = std::make_shared<data::Spelling>(tokenizer, config.characters, file);
    Recipe recipe;
    recipe.model = config.model;
    return make(recipe, std::move(config), tokenizer, spelling, file, Labeller::kNoInit);
  } catch (const ConfigError& e) {
    throw FormatError(file + ": " + e.what());
  }
}

void Label::validate(const Recipe& recipe) {
  const std::string& layout = recipe.data.table.layout;
  const bool texts = recipe.model.of_texts(), restore = layout == "restore";
  check<ConfigError>(recipe.tokenizer.joint, "tokenizer.joint = false is for tasks of two texts; there is one here");
  check<ConfigError>(recipe.data.table.max_ratio == 0, "data.max_ratio = ", recipe.data.table.max_ratio,
                     " compares two texts; there is one here");
  check<ConfigError>(texts || (recipe.tokenizer.kind == "word" && recipe.tokenizer.split == "space"),
                     "model.unit = 'token' reads tokens that are cut already: set tokenizer.kind = \"word\" and "
                     "tokenizer.split = \"space\"");
  check<ConfigError>(layout != "label_first" && layout != "babi" && layout != "dialogues", "data.layout = '", layout,
                     "' has no tags; choose columns, conll, conllu, tagged, restore, turns or slots");
  check<ConfigError>(texts ? layout == "columns" || layout == "turns" : layout != "turns", "data.layout = '", layout,
                     "' has a tag for each ", texts ? "token" : "text", ": set model.unit = \"",
                     texts ? "token" : "text", "\"");
  check<ConfigError>(!recipe.data.unseen || restore || layout == "turns", "data.unseen is of data.layout = 'restore' ",
                     "and 'turns'; this one is '", layout, "'");
  check<ConfigError>(!restore || recipe.model.forbid == "none", "model.forbid = '", recipe.model.forbid,
                     "' is of tags that mark spans; those of data.layout = 'restore' are case and punctuation");
  const StringList metrics = restore ? tag_metrics({}, true) : tag_metrics({"B-"}, false);
  check<ConfigError>(recipe.valid.metric == "none" || std::ranges::find(metrics, recipe.valid.metric) != metrics.end(),
                     "valid.metric = '", recipe.valid.metric, "': outputs of this task are scored by ",
                     joined(metrics, ", "));
  check_spelling(recipe.model.front.spelling, recipe.tokenizer);
  check_vectors(recipe.vectors, recipe.tokenizer, "vectors");
  recipe.loss.check_with(recipe.model);
  // Built small and thrown away: names the options that do not go together before any data is read.
  Labeller small(recipe.model, {.vocabulary = data::kSpecials, .characters = 1, .tags = 2}, {}, Labeller::kNoInit);
  train::freeze(params_of(small), recipe.train.options.freeze);
}

Label::Network Label::learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root,
                            const LogSink& log) {
  const StringList names = columns_of(recipe);
  const auto lines = [&](size_t column) { return data::column_lines(rows, names, {column}, recipe.data.table); };
  const std::string& layout = recipe.data.table.layout;
  Config config{.tags = data::TagSet::learn(lines(1), "data.train").tags(), .restore = layout == "restore"};
  if (config.restore) config.mixed_case = data::mixed_case_of(rows);
  if (layout == "conll" || layout == "conllu") {
    const StringList& given = recipe.data.table.columns;
    config.token_column = given.empty() ? (layout == "conll" ? 1 : 2) : parse_number<int64_t>(given[0]).value_or(1);
  }
  std::shared_ptr<data::Tokenizer> tokenizer = data::train_tokenizer(recipe.tokenizer, lines(0), log);
  tokenizer = with_words_of(recipe.vectors, std::move(tokenizer), root);
  tokenizer->set_sampling(recipe.tokenizer.sampling);
  std::shared_ptr<data::Spelling> spelling;
  if (recipe.model.front.spelling.any()) {
    spelling = std::make_shared<data::Spelling>(data::Spelling::learn(lines(0), tokenizer));
    config.characters = spelling->alphabet();
  }
  log(Severity::info,
      str_cat("tokenizer: ", recipe.tokenizer.kind, ", ", tokenizer->size(), " entries",
              spelling ? str_cat(", ", spelling->characters(), " characters") : "", "; tags: ", config.tags.size()));
  Network out = make(recipe, std::move(config), tokenizer, spelling, "data.train", seed_of(recipe.train));
  start_from_vectors(recipe.vectors, *out.tokenizer, out.model->embeddings(), "model.embedding", root, log);
  return out;
}

Label::Network Label::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log) {
  const std::string file = folder.path() + "/config.json";
  Config config;
  read_fields(folder.open("config.json"), fields_of(config));
  const bool restore = recipe.data.table.layout == "restore";
  check<ConfigError>(config.restore == restore, "data.layout = '", recipe.data.table.layout, "', but the model in ",
                     folder.path(), restore ? " does not restore text" : " restores text");
  log(Severity::info, "tokenizer and tags: those of " + folder.path());
  const auto tokenizer = load_tokenizer(folder);
  tokenizer->set_sampling(recipe.tokenizer.sampling);
  const auto spelling = known_spelling(recipe.model.front.spelling, tokenizer, config.characters, file);
  if (!spelling) config.characters.clear();
  return make(recipe, std::move(config), tokenizer, spelling, file, seed_of(recipe.train));
}

std::vector<data::Column> Label::columns(const Network& n) {
  const std::string members = columns_of(n)[0];
  std::vector<data::Column> out{{members, n.members.get()}, {"tags", n.tag_cells.get(), {members}}};
  if (n.spellings) out.push_back({members, n.spellings.get()});
  return out;
}

StringList Label::example(const Network& network, const data::Table& table, int64_t k, uint64_t seed) {
  const NestedTexts texts = network.texts({table.ids(0, k, seed, 0)}, {});
  const Ids tags = table.ids(1, k);
  StringList out;
  std::string line = "  tokens:";
  size_t at = 0;
  for (size_t n = 0; n < tags.size(); ++n) {
    const size_t end = texts.parts.empty() ? at + 1 : at + static_cast<size_t>(texts.parts[0][n]);
    if (!texts.parts.empty()) line = "  text:";
    for (; at < end; ++at) line += " " + viz::one_line(network.tokenizer->piece(texts.tokens[0][at]));
    line += "/" + network.tags->tag(tags[n]);
    if (!texts.parts.empty()) out.push_back(line);
  }
  if (texts.parts.empty()) out.push_back(line);
  return out;
}

Loss Label::loss(const Network& network, const Recipe& recipe, data::Batch batch, double scale, Noise* noise) {
  const int64_t tags = units(batch);
  const LabellerBatch texts{
      .texts = network.texts(std::move(batch.columns[0]),
                             network.spellings ? std::move(batch.columns[2]) : std::vector<Ids>()),
      .tags = std::move(batch.columns[1])};
  const auto loss = network.model->loss(texts, recipe.loss, scale, noise);
  return {loss.loss,
          {.loss = loss.loss_sum,
           .units = tags,
           .sums = {{"nll", loss.nll_sum}, {"correct", static_cast<double>(loss.correct)}}}};
}

Label::Options Label::validation_options(const Recipe& recipe) {
  Options out;
  out.batch = recipe.valid.batch, out.precision = recipe.train.options.precision;
  return out;
}

void Label::score_outputs(const Network& network, const Recipe& recipe, const data::Table& valid,
                          train::Validation& out) {
  if (recipe.valid.metric == "none") return;
  const Examples examples = examples_of(valid, recipe.valid.scored(valid.size()), columns_of(network));
  const Network* const one = &network;
  const auto said = ask({&one, 1}, members_of_inputs(network, examples.inputs), validation_options(recipe), false);
  metrics::Lines references, texts;
  for (const std::string& cell : examples.references) references.push_back(tags_as_line(cell));
  for (const Said& s : said) texts.push_back(text_of(network, s));
  out.scores[recipe.valid.metric] = scores({recipe.valid.metric}, lines_of(network, said), references, 0)[0].value;
  add_samples(network, recipe, examples, texts, out);
}

void Label::check_options(Networks, const Options& options, const LogSink& log) { options.check_precision(log); }

std::vector<Prediction> Label::predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                       TaskModel::Detail detail) {
  const Network& network = *networks[0];
  const bool full = detail == TaskModel::Detail::full;
  const std::vector<Said> said = ask(networks, members_of_inputs(network, inputs), options, full);
  std::vector<Prediction> out(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) {
    out[k].line = inputs[k].line;
    out[k].outputs.push_back(
        {.text = text_of(network, said[k]), .score = said[k].log_prob, .log_prob = said[k].log_prob});
    if (full) out[k].details = details_of(network, said[k]);
  }
  return out;
}

void Label::predict_columns(Networks networks, LineReader& file, const ColumnsInput& what, const Options& options,
                            const std::function<void(std::string_view)>& emit) {
  const Network& network = *networks[0];
  check<ConfigError>(network.unit() == SequenceUnit::token && !network.config.restore,
                     "predict: columns are of tokens; this model ",
                     network.config.restore ? "restores the case and punctuation of text" : "tags whole texts");
  const int64_t known = network.config.token_column ? network.config.token_column : what.universal ? 2 : 1;
  const auto column = static_cast<size_t>(what.column ? what.column : known);
  data::ConllReader reader(file, what.universal);
  for (bool more = true; more;) {
    std::vector<data::ConllSentence> sentences;
    std::vector<StringList> inputs;
    while (more && std::ssize(sentences) < kBatchesAhead * options.batch) {
      data::ConllSentence sentence;
      if (more = reader.next(sentence); !more) break;
      const auto where = [&](int64_t line) { return str_cat(what.name, ":", line, ": "); };
      check<FormatError>(sentence.problem.empty(), where(sentence.problem_line), sentence.problem);
      StringList& tokens = inputs.emplace_back();
      for (const auto& token : sentence.tokens) {
        check<FormatError>(column <= token.cells.size(), where(sentence.first + static_cast<int64_t>(token.line)),
                           "has ", token.cells.size(), " columns, and tokens stand in column ", column);
        tokens.push_back(token.cells[column - 1]);
      }
      sentences.push_back(std::move(sentence));
    }
    const auto said = ask(networks, std::move(inputs), options, false);
    std::string out;
    for (size_t k = 0; k < sentences.size(); ++k) {
      size_t next = 0;
      for (size_t line = 0; line < sentences[k].lines.size(); ++line) {
        const std::string& text = sentences[k].lines[line];
        out += text;
        if (next < sentences[k].tokens.size() && sentences[k].tokens[next].line == line)
          out +=
              (what.universal || text.find('\t') != text.npos ? '\t' : ' ') + network.tags->tag(said[k].tags[next++]);
        out += '\n';
      }
    }
    if (!out.empty()) emit(out);
  }
}

viz::Figure Label::explain(Networks networks, const Input& input, const Options& options) {
  const Network& network = *networks[0];
  const Said said = ask(networks, members_of_inputs(network, {&input, 1}), options, true)[0];
  const StringList tags = tag_names(network, said);
  const int64_t K = network.tags->count(), n = std::ssize(tags);
  if (network.config.model.of_texts() && !said.weights.empty()) {
    // The words of each text as attention weighs them, and behind each text how sure its tag is.
    viz::Highlight out{.words = {"words", {}}, .title = joined(tags, " ")};
    std::vector<float> weights, sure;
    for (size_t k = 0; k < said.tokens.size(); ++k) {
      if (said.tokens[k].empty()) continue;
      for (std::string& piece : network.tokenizer->pieces(said.tokens[k])) out.words.tokens.push_back(std::move(piece));
      const Tensor& own = said.weights[k];
      for (int64_t t = 0; t < own.dim(1); ++t) {
        float sum = 0;
        for (int64_t hop = 0; hop < own.dim(0); ++hop) sum += own.data<float>()[hop * own.dim(1) + t];
        weights.push_back(sum / static_cast<float>(own.dim(0)));
      }
      out.parts.push_back(own.dim(1));
      sure.push_back(said.probabilities.data<float>()[static_cast<int64_t>(k) * K + said.tags[k]]);
    }
    out.weights = Tensor({std::ssize(weights)}), out.part_weights = Tensor({std::ssize(sure)});
    std::ranges::copy(weights, out.weights.data<float>());
    std::ranges::copy(sure, out.part_weights.data<float>());
    return out;
  }
  const auto drawn = drawn_tags(said, K);
  viz::HeatMap out{.columns = {network.config.model.of_texts() ? "texts" : "tokens", {}},
                   .rows = {"tags", {}},
                   .title = network.config.restore ? text_of(network, said) : joined(said.members, " "),
                   .weight_name = "probability"};
  for (size_t k = 0; k < tags.size(); ++k) out.columns.tokens.push_back(said.members[k] + "/" + tags[k]);
  for (const int32_t tag : drawn) out.rows.tokens.push_back(network.tags->tag(tag));
  if (n == 0) return out;
  out.weights = Tensor({std::ssize(drawn), n});
  for (int64_t row = 0; row < std::ssize(drawn); ++row)
    for (int64_t k = 0; k < n; ++k)
      out.weights.data<float>()[row * n + k] =
          said.probabilities.data<float>()[k * K + drawn[static_cast<size_t>(row)]];
  return out;
}

std::string Label::steps(Networks, const Input&, const Options&) {
  throw ConfigError("explain: --steps follows a decoder, and a model of task label has none");
}

std::vector<EvaluationLine> Label::scores(const StringList& names, const metrics::Lines& hypotheses,
                                          const metrics::Lines& references, int64_t resamples) {
  std::vector<EvaluationLine> out;
  for (const std::string& name : names) {
    const std::string own = name == "accuracy" || name == "macro_f1" ? "tag_" + name : name;
    out.push_back(scored({own}, hypotheses, references, resamples)[0]);
    out.back().name = name;
  }
  return out;
}

EvaluationReport Label::report(Networks networks, const Examples& examples, const Options& options, int64_t resamples) {
  const Network& network = *networks[0];
  const std::vector<Said> said = ask(networks, members_of_inputs(network, examples.inputs), options, false);
  metrics::Lines references;
  for (size_t k = 0; k < said.size(); ++k) {
    references.push_back(tags_as_line(examples.references[k]));
    const auto tags = std::ssize(data::tags_of(examples.references[k]));
    check<FormatError>(tags == std::ssize(said[k].members), "evaluate: example ", k + 1, " has ",
                       said[k].members.size(), network.config.model.of_texts() ? " texts and " : " tokens and ", tags,
                       " tags");
  }
  const metrics::Lines hypotheses = lines_of(network, said);
  EvaluationReport out{scores(metrics(network), hypotheses, references, resamples),
                       tables_of(network.config.tags, hypotheses, references)};
  if (counts_by_tag(hypotheses, references).size() <= kConfusedTags) out.figure = confusion_of(hypotheses, references);
  return out;
}

TaskKind label_kind() { return task_kind<Label>(); }

}  // namespace lookback::tasks
