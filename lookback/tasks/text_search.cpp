// Prediction with one or several models of text into text.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "lookback/autograd/side_by_side.h"
#include "lookback/base/utf8.h"
#include "lookback/decode/ensemble.h"
#include "lookback/decode/search.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/input.h"
#include "lookback/tasks/text_steps.h"
#include "lookback/tasks/text_to_text.h"

namespace lookback::tasks {
namespace {

using Sentences = std::vector<std::vector<int32_t>>;
using Networks = TextToTextTask::Networks;

// One input as ids.
struct Job {
  std::vector<int32_t> source, prefix, spelling = {}, copies = {};
  StringList own_words = {};  // of the source, that the output's vocabulary lacks and may copy
  std::optional<std::vector<int32_t>> target = {};
  uint64_t key = 0;
  int64_t cut = 0;                     // source tokens that are not read
  std::vector<Segment> segments = {};  // of a dialogue

  void copies_from(data::ExtendedVocabulary::Source read) {
    copies = std::move(read.ids), own_words = std::move(read.own_words);
  }
  Seq2SeqBatch pair_with(std::vector<int32_t> output) const {
    Seq2SeqBatch out{{source}, {std::move(output)}};
    if (!spelling.empty()) out.spellings = {spelling};
    if (!copies.empty()) out.copies = {copies};
    if (!segments.empty()) out.segments = {segments};
    return out;
  }
};

// The ids of an output of this input.
std::vector<int32_t> target_of(const TextToText& network, const Input& input, const std::string& text) {
  if (!network.dialogue)
    return network.extended ? network.extended->encode_beside(text, required_text(input, "source"))
                            : network.tokenizers.target->encode(text);
  const std::string history = required_text(input, "history"), knowledge = optional_text(input, "knowledge");
  const std::string_view others[] = {knowledge, history};
  return network.dialogue_forms->reply.encode_beside(text, others);
}

// Malformed bytes become U+FFFD, so that every input gets its output; "" for a field that is not there.
Job job_of_dialogue(const TextToText& network, const Input& input) {
  const std::string history = required_text(input, "history"), knowledge = optional_text(input, "knowledge");
  const std::string text = network.dialogue->text(knowledge, history);
  Job out{.source = network.dialogue->tokens(knowledge, history),
          .prefix = target_of(network, input, optional_text(input, "prefix")),
          .key = static_cast<uint64_t>(input.line),
          .segments = segments_of(network.dialogue->segments(knowledge, history))};
  if (network.extended) out.copies_from(network.extended->read(text));
  if (input.find("score")) out.target = target_of(network, input, optional_text(input, "score"));
  return out;
}

Job job_of(const TextToText& network, const Input& input) {
  if (network.dialogue) return job_of_dialogue(network, input);
  const Tokenizers& tokenizers = network.tokenizers;
  const std::string source = required_text(input, "source");
  Job out{.source = network.features ? network.features->encode(required_text(input, "features"), source)
                                     : tokenizers.source->encode(source),
          .prefix = target_of(network, input, optional_text(input, "prefix")),
          .key = static_cast<uint64_t>(input.line)};
  out.cut = network.first_tokens ? std::max<int64_t>(0, std::ssize(out.source) - network.first_tokens->limit()) : 0;
  out.source.resize(out.source.size() - static_cast<size_t>(out.cut));
  if (network.spelling) out.spelling = network.spelling->encode(source);
  if (network.extended) {
    out.copies_from(network.extended->read(source));
    out.copies.insert(out.copies.begin(), out.source.size() - out.copies.size(), data::kPad);  // features
  }
  if (input.find("score")) out.target = target_of(network, input, optional_text(input, "score"));
  return out;
}

// The jobs that have something to read, from long to short: those read together are then of like length,
// and the last ones, for which nobody waits any more, are short.
std::vector<size_t> by_length(const std::vector<Job>& jobs) {
  std::vector<size_t> out;
  for (size_t k = 0; k < jobs.size(); ++k)
    if (!jobs[k].source.empty()) out.push_back(k);
  std::stable_sort(out.begin(), out.end(),
                   [&](size_t a, size_t b) { return jobs[a].source.size() > jobs[b].source.size(); });
  return out;
}

struct Chosen {
  Seq2SeqSources sources;
  Sentences targets;
  std::vector<decode::SourceInfo> infos;

  Chosen(const std::vector<Job>& jobs, std::span<const size_t> which) {
    for (const size_t k : which) {
      const Job& job = jobs[k];
      sources.source.push_back(job.source);
      if (!job.spelling.empty()) sources.spellings.push_back(job.spelling);
      if (!job.copies.empty()) sources.copies.push_back(job.copies);
      if (!job.segments.empty()) sources.segments.push_back(job.segments);
      infos.push_back({.source_length = static_cast<int64_t>(job.source.size()), .prefix = job.prefix, .key = job.key});
      if (job.target) targets.push_back(*job.target);
    }
  }
};

std::unique_ptr<decode::StepDecoder> make_decoder(Networks networks, Chosen& of, const TextOptions& options) {
  if (networks.size() == 1) return networks[0]->model->decoder(std::move(of.sources), options.batch);
  std::vector<std::unique_ptr<decode::StepDecoder>> decoders;
  for (const TextToText* n : networks) decoders.push_back(n->model->decoder(of.sources, options.batch));
  return std::make_unique<decode::Ensemble>(std::move(decoders), options.ensemble == "probability"
                                                                     ? decode::EnsembleMean::probabilities
                                                                     : decode::EnsembleMean::log_probabilities);
}

using Found = std::vector<std::vector<decode::Hypothesis>>;  // the best of each job

void search_share(Networks networks, const std::vector<Job>& jobs, const std::vector<size_t>& which,
                  const TextOptions& options, Found& out) {
  Chosen all(jobs, which);
  if (options.shortlist > 0)
    for (const size_t k : which)
      all.sources.candidates.push_back(
          networks[0]->shortlist->candidates(jobs[k].source, jobs[k].prefix, options.shortlist));
  const auto decoder = make_decoder(networks, all, options);
  auto found = decode::search(*decoder, all.infos, options.search);
  for (size_t k = 0; k < which.size(); ++k) out[which[k]] = std::move(found[k]);
}

// Where there is a whole batch for each thread, each searches a share of its own: none waits for another at every step.
void search_for(Networks networks, const std::vector<Job>& jobs, const std::vector<size_t>& which,
                const TextOptions& options, Found& out) {
  if (which.empty()) return;
  const size_t batches = which.size() / static_cast<size_t>(options.batch);
  std::vector<std::vector<size_t>> shares(side_by_side(batches) ? static_cast<size_t>(thread_count()) : 1);
  for (size_t k = 0; k < which.size(); ++k) shares[k % shares.size()].push_back(which[k]);
  each_piece(shares.size(), [&](size_t k) { search_share(networks, jobs, shares[k], options, out); });
}

// Given targets are scored without a shortlist.
void score_targets(Networks networks, const std::vector<Job>& jobs, std::span<const size_t> which,
                   const TextOptions& options, Found& out) {
  const auto most = static_cast<size_t>(options.batch);
  each_piece((which.size() + most - 1) / most, [&](size_t piece) {
    const auto now = which.subspan(piece * most, std::min(most, which.size() - piece * most));
    Chosen batch(jobs, now);
    const auto decoder = make_decoder(networks, batch, options);
    auto scored = decode::force_score(*decoder, batch.infos, batch.targets, options.search);
    for (size_t k = 0; k < now.size(); ++k) out[now[k]] = {std::move(scored[k])};
  });
}

// `batch` jobs are searched at once, long ones first. Empty sources give one empty hypothesis.
Found search(Networks networks, const std::vector<Job>& jobs, const TextOptions& options) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  Found out(jobs.size(), std::vector<decode::Hypothesis>(1));
  std::vector<size_t> order = by_length(jobs), given;
  std::erase_if(order, [&](size_t k) {
    if (jobs[k].target) given.push_back(k);
    return jobs[k].target.has_value();
  });
  search_for(networks, jobs, order, options, out);
  score_targets(networks, jobs, given, options, out);
  return out;
}

// One of the given outputs.
struct Candidate {
  size_t number;
  std::vector<int32_t> tokens;
};

// The n_best candidates for job k, the best first, by the score of a search.
std::vector<Candidate> ranked_candidates(Networks networks, const Input& input, const std::vector<Job>& jobs, size_t k,
                                         const TextOptions& options) {
  constexpr size_t kTogether = 1024;  // outputs that are scored at once: rows of logits are wide
  Sentences outputs;
  int64_t longest = 1;
  for (const std::string& text : options.candidates) {
    outputs.push_back(target_of(*networks[0], input, text));
    longest = std::max(longest, std::ssize(outputs.back()) + 1);
  }
  const decode::Scorer scorer(options.search, longest);
  std::vector<std::pair<double, size_t>> scores;
  const size_t one[] = {k};
  for (size_t begin = 0; begin < outputs.size(); begin += kTogether) {
    const size_t end = std::min(outputs.size(), begin + kTogether);
    Chosen source(jobs, one);
    const auto decoder = make_decoder(networks, source, options);
    const auto found = decode::score_outputs(
        *decoder, {outputs.begin() + static_cast<int64_t>(begin), outputs.begin() + static_cast<int64_t>(end)},
        options.search);
    for (size_t c = begin; c < end; ++c)
      scores.emplace_back(-scorer.score(found[c - begin], std::ssize(outputs[c]) + 1, 0), c);
  }
  const size_t kept = std::min(scores.size(), static_cast<size_t>(options.search.n_best));
  std::ranges::partial_sort(scores, scores.begin() + static_cast<int64_t>(kept));
  std::vector<Candidate> out;
  for (size_t n = 0; n < kept; ++n) out.push_back({scores[n].second, std::move(outputs[scores[n].second])});
  return out;
}

// The best of the candidates for each job. What a job is given instead, its target or prefix, goes before them.
// `texts`: of each job what was chosen, as it was given; none where it was not asked for.
Found best_candidates(Networks networks, std::span<const Input> inputs, const std::vector<Job>& jobs,
                      const TextOptions& options, std::vector<StringList>& texts) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  const auto asked = [&](size_t k) { return !jobs[k].target && !jobs[k].source.empty(); };
  std::vector<std::vector<Candidate>> best(jobs.size());
  each_piece(jobs.size(), [&](size_t k) {
    if (asked(k)) best[k] = ranked_candidates(networks, inputs[k], jobs, k, options);
  });
  std::vector<Job> ranked;  // the best of each job, as targets that are given
  std::vector<size_t> of;   // the job of each
  texts.assign(jobs.size(), {});
  for (size_t k = 0; k < jobs.size(); ++k) {
    if (!asked(k)) ranked.push_back(jobs[k]), of.push_back(k);
    for (Candidate& c : best[k]) {
      ranked.push_back(jobs[k]), of.push_back(k);
      ranked.back().target = std::move(c.tokens);
      texts[k].push_back(options.candidates[c.number]);
    }
  }
  const Found scored = search(networks, ranked, options);
  Found out(jobs.size());
  for (size_t n = 0; n < of.size(); ++n) out[of[n]].push_back(scored[n][0]);
  return out;
}

// What each source token stands for in the text.
StringList source_words(const TextToText& network, const Input& input) {
  if (network.dialogue) {
    StringList out;
    for (const auto& part : network.dialogue->parts(optional_text(input, "knowledge"), optional_text(input, "history")))
      for (std::string& word : network.tokenizers.source->surfaces(part.text)) out.push_back(std::move(word));
    return out;
  }
  const std::string source = optional_text(input, "source");
  return network.features ? network.features->surfaces(optional_text(input, "features"), source)
                          : network.tokenizers.source->surfaces(source);
}

// The text of an output. Words that were copied are the source's, and with replace_unk so are unknown ones: the text
// of the source token that they looked at.
std::string text_of(const TextToText& network, const Job& job, const decode::Hypothesis& h, const Input& input,
                    bool replace_unk) {
  const data::Tokenizer& tokenizer = *network.tokenizers.target;
  const auto finished = [&](std::string text) {
    return network.dialogue ? network.dialogue->reply_out(optional_text(input, "knowledge"), text) : std::move(text);
  };
  const auto from_elsewhere = [&](int32_t id) { return id >= tokenizer.size() || id == data::kUnk; };
  if (std::ranges::none_of(h.tokens, from_elsewhere)) return finished(tokenizer.decode(h.tokens));
  decode::Hypothesis known = h;  // words from elsewhere as unknown ones
  StringList words;              // what these are
  for (int32_t& id : known.tokens)
    if (id >= tokenizer.size())
      words.push_back(job.own_words.at(static_cast<size_t>(id - tokenizer.size()))), id = data::kUnk;
    else if (id == data::kUnk)
      words.emplace_back(data::kUnkSurface);
  std::string out = tokenizer.decode(known.tokens);
  if (replace_unk) {
    const auto unknowns = decode::unknown_sources(known, data::kUnk);
    const StringList source = source_words(network, input);
    for (size_t k = 0; k < unknowns.size(); ++k)
      if (h.tokens[static_cast<size_t>(unknowns[k].position)] == data::kUnk && unknowns[k].source >= 0)
        words[k] = source.at(static_cast<size_t>(unknowns[k].source));
  }
  size_t at = 0;
  for (const std::string& word : words) {
    at = out.find(data::kUnkSurface, at);
    if (at == std::string::npos) break;
    out.replace(at, data::kUnkSurface.size(), word);
    at += word.size();
  }
  return finished(std::move(out));
}

// Tokens as the vocabulary has them, and copied ones as the source does.
StringList pieces_of(const data::Tokenizer& target, const Job& job, const std::vector<int32_t>& ids) {
  StringList out;
  for (const int32_t id : ids)
    out.push_back(id < target.size() ? target.piece(id) : job.own_words.at(static_cast<size_t>(id - target.size())));
  return out;
}

// How likely each step was to copy rather than to write, the mean of an ensemble; none where the models do not copy.
std::vector<double> copying_of(Networks networks, const Job& job, const decode::Hypothesis& h,
                               const TextOptions& options) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  std::vector<double> out;
  if (!networks[0]->extended || job.source.empty()) return out;
  for (const TextToText* n : networks) {
    const std::vector<double> one = n->model->copying(job.pair_with(h.tokens));
    out.resize(one.size());
    for (size_t k = 0; k < one.size(); ++k) out[k] += one[k] / static_cast<double>(networks.size());
  }
  out.resize(std::min(out.size(), h.token_log_probs.size()));
  return out;
}

// {"tokens", "token_log_probs", "alignment"}: tokens as the model wrote them; a log-probability for each, and for the
// end if it ended; weights [U, T] over the prediction's "source", empty without attention. Of a model that copies also
// "copying": how likely each step was to copy.
io::JsonObject details_of(Networks networks, const Job& job, const decode::Hypothesis& h, const TextOptions& options) {
  const auto numbers = [](const std::vector<double>& all) {
    return io::json_list(all, [](double x) { return io::json_number(x); });
  };
  io::JsonObject out;
  out.raw("tokens", io::json_list(pieces_of(*networks[0]->tokenizers.target, job, h.tokens), io::json_quote))
      .raw("token_log_probs", numbers(h.token_log_probs))
      .raw("alignment", io::json_matrix(h.alignment));
  if (networks[0]->extended) out.raw("copying", numbers(copying_of(networks, job, h, options)));
  return out;
}

// Row by row the mean of a matrix [U, T].
std::vector<double> mean_row(const Tensor& x) {
  if (x.empty()) return {};
  const int64_t U = x.dim(0), T = x.dim(1);
  std::vector<double> out(static_cast<size_t>(T));
  for (int64_t u = 0; u < U; ++u)
    for (int64_t t = 0; t < T; ++t)
      out[static_cast<size_t>(t)] += static_cast<double>(x.data<float>()[u * T + t]) / static_cast<double>(U);
  return out;
}

// The tokens of a source, unknown words as they are written.
StringList words_read(const TextToText& network, const Job& job, const Input& input) {
  StringList out = network.tokenizers.source->pieces(job.source);
  const StringList written = source_words(network, input);
  for (size_t k = 0; k < out.size(); ++k)
    if (job.source[k] == data::kUnk) out[k] = written.at(k);
  return out;
}

// The rows of knowledge and turns of a dialogue with their words, each as strong as a reply looked at it on the mean of
// its tokens. Without attention to turns, a turn has what its words have together.
viz::Highlight dialogue_figure(Networks networks, const Job& job, const decode::Hypothesis& h, const Input& input,
                               const std::string& reply, const TextOptions& options) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  std::vector<double> words = mean_row(h.alignment), parts(job.segments.size());
  words.resize(job.source.size());
  const bool to_turns = networks[0]->config.model.turns.score != "none";
  for (const TextToText* n : networks) {
    if (!to_turns || job.source.empty()) break;
    const std::vector<double> one = mean_row(n->model->turn_weights(job.pair_with(h.tokens)));
    for (size_t p = 0; p < parts.size(); ++p) parts[p] += one[p] / static_cast<double>(networks.size());
  }
  viz::Highlight out{.words = {"words", words_read(*networks[0], job, input)}, .title = "→ " + reply};
  auto word = words.begin();
  for (size_t p = 0; p < parts.size(); ++p) {
    const auto end = word + job.segments[p].tokens;
    const double sum = std::accumulate(word, end, 0.0);
    if (!to_turns) parts[p] = sum;
    for (; word != end; ++word) *word = sum > 0 ? *word / sum : 0;
    out.parts.push_back(job.segments[p].tokens);
  }
  const auto tensor_of = [](const std::vector<double>& x) {
    Tensor made({std::ssize(x)});
    std::ranges::transform(x, made.data<float>(), [](double v) { return static_cast<float>(v); });
    return made;
  };
  out.weights = tensor_of(words), out.part_weights = tensor_of(parts);
  return out;
}

// What the model does not know of an input's features; "" if nothing.
std::string unknown_features(const TextToText& network, const Input& input) {
  if (!network.features) return "";
  const StringList unknown = network.features->features().unknown(optional_text(input, "features"));
  return unknown.empty() ? "" : "the model does not know the feature '" + joined(unknown, "', '") + "'";
}

}  // namespace

TextOptions TextToTextTask::options(const TextToText& network, bool int8) {
  TextOptions out;
  out.search = network.search;
  if (int8) out.precision = "int8";
  return out;
}

void TextToTextTask::check_options(Networks networks, const TextOptions& o, const LogSink& log) {
  const auto& shortlist = networks[0]->shortlist;
  o.search.validate();
  check<ConfigError>(o.shortlist == 0 || shortlist, "shortlist = ", o.shortlist,
                     " needs a model that was trained with shortlist.per_token of at least that");
  check<ConfigError>(o.shortlist == 0 || o.shortlist <= shortlist->per_token(), "shortlist = ", o.shortlist,
                     ": this model's has ", shortlist->per_token(), " tokens for each source token");
  check<ConfigError>(o.shortlist == 0 || !networks[0]->extended, "shortlist = ", o.shortlist,
                     " does not go with a model that copies");
  o.check_precision(log);
}

std::vector<Prediction> TextToTextTask::predict(Networks networks, std::span<const Input> inputs,
                                                const TextOptions& asked, TaskModel::Detail detail) {
  const Tokenizers& tokenizers = networks[0]->tokenizers;
  const bool full = detail == TaskModel::Detail::full;
  TextOptions options = asked;
  options.search.scores = full;
  std::vector<Job> jobs;
  for (const Input& input : inputs) jobs.push_back(job_of(*networks[0], input));
  std::vector<StringList> chosen;
  const Found found = options.candidates.empty() ? search(networks, jobs, options)
                                                 : best_candidates(networks, inputs, jobs, options, chosen);
  std::vector<Prediction> out(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) {
    out[k].line = inputs[k].line;
    if (std::string unknown = unknown_in_prefix(*tokenizers.target, jobs[k].prefix, inputs[k]); !unknown.empty())
      out[k].warnings.emplace_back("prefix", std::move(unknown));
    if (std::string unknown = unknown_features(*networks[0], inputs[k]); !unknown.empty())
      out[k].warnings.emplace_back("features", std::move(unknown));
    if (jobs[k].cut > 0)
      out[k].warnings.emplace_back("source", str_cat("only the first ", jobs[k].source.size(), " of ",
                                                     std::ssize(jobs[k].source) + jobs[k].cut, " tokens are read"));
    if (full) out[k].details.raw("source", io::json_list(tokenizers.source->pieces(jobs[k].source), io::json_quote));
    const bool given = !chosen.empty() && !chosen[k].empty();
    for (const decode::Hypothesis& h : found[k])
      // Bytes that a model puts together need not be UTF-8.
      out[k].outputs.push_back(
          {.text = given ? chosen[k][out[k].outputs.size()]
                         : with_replacements(text_of(*networks[0], jobs[k], h, inputs[k], options.replace_unk)),
           .score = h.score,
           .log_prob = h.log_prob,
           .details = full ? details_of(networks, jobs[k], h, options) : io::JsonObject()});
  }
  return out;
}

viz::Figure TextToTextTask::explain(Networks networks, const Input& input, const TextOptions& options) {
  const Tokenizers& tokenizers = networks[0]->tokenizers;
  const Job job = job_of(*networks[0], input);
  std::vector<StringList> chosen;
  const decode::Hypothesis h = options.candidates.empty()
                                   ? search(networks, {job}, options)[0][0]
                                   : best_candidates(networks, {&input, 1}, {job}, options, chosen)[0][0];
  const std::string text = !chosen.empty() && !chosen[0].empty()
                               ? chosen[0][0]
                               : with_replacements(text_of(*networks[0], job, h, input, options.replace_unk));
  if (networks[0]->dialogue) return dialogue_figure(networks, job, h, input, text, options);
  viz::HeatMap map{.columns = {"source", tokenizers.source->pieces(job.source)},
                   .rows = {"target", pieces_of(*tokenizers.target, job, h.tokens)},
                   .weights = h.alignment,
                   .title = optional_text(input, "source") + " → " + text,
                   .row_scores = h.token_log_probs};
  const std::vector<double> copied = copying_of(networks, job, h, options);
  for (size_t k = 0; k < map.rows.tokens.size() && k < copied.size(); ++k)
    map.rows.tokens[k] += str_cat(" [copied ", std::lround(100 * copied[k]), " %]");
  // The step that ended the output has a row of its own.
  if (!h.alignment.empty() && h.alignment.dim(0) == std::ssize(h.tokens) + 1) map.rows.tokens.push_back("</s>");
  return map;
}

std::string TextToTextTask::steps(Networks networks, const Input& input, const TextOptions& options) {
  check<ConfigError>(networks.size() == 1, "explain: --steps follows one model, not an ensemble of ", networks.size());
  const Job job = job_of(*networks[0], input);
  check<ConfigError>(!job.source.empty(), "explain: --steps needs a text that is not empty");
  const auto target = job.target ? *job.target : search(networks, {job}, options)[0][0].tokens;
  const PrecisionScope scope(ops::available_precision(options.precision));
  return steps_of(*networks[0]->model, networks[0]->tokenizers, job.pair_with(target), job.own_words);
}

}  // namespace lookback::tasks
