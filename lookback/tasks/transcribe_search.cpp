// From recordings to text: pieces of sound, search, times, pictures.
#include <algorithm>

#include "lookback/autograd/side_by_side.h"
#include "lookback/base/parallel.h"
#include "lookback/decode/ctc.h"
#include "lookback/decode/ensemble.h"
#include "lookback/decode/log_linear.h"
#include "lookback/decode/search.h"
#include "lookback/decode/search_options.h"
#include "lookback/ops/precision.h"
#include "lookback/sound/resample.h"
#include "lookback/sound/silence.h"
#include "lookback/tasks/input.h"
#include "lookback/tasks/transcribe.h"

namespace lookback::tasks {
namespace {

using Networks = Transcribe::Networks;
using Options = Transcribe::Options;

constexpr int64_t kRowsAtOnce = 60'000;  // rows of features in a batch, unless one source alone has more

// For each token the rows that its attention is highest at.
std::vector<std::pair<int64_t, int64_t>> peaks(const decode::Hypothesis& h) {
  std::vector<std::pair<int64_t, int64_t>> out;
  if (h.alignment.empty()) return out;
  const int64_t T = h.alignment.dim(1);
  for (int64_t u = 0; u < std::ssize(h.tokens); ++u) {
    const float* const row = h.alignment.data<float>() + u * T;
    const int64_t at = std::max_element(row, row + T) - row;
    out.emplace_back(at, at);
  }
  return out;
}

// Whether nothing is asked for but the likeliest path of CTC.
bool wants_best_path(const Options& options) {
  const decode::SearchOptions& s = options.search;
  return options.ctc_weight == 1 && s.beam == 1 && s.n_best == 1 && !s.sample && s.min_length == 0 &&
         s.no_repeat_ngram == 0 && s.repetition_penalty == 1 && s.allow_unk;
}

// The mean of what several networks say of a source.
Tensor mean_log_probs(const std::vector<Heard>& heard, size_t source) {
  if (heard.size() == 1) return heard[0].log_probs[source];
  Tensor out = heard[0].log_probs[source].clone();
  for (size_t n = 1; n < heard.size(); ++n)
    for (int64_t k = 0; k < out.size(); ++k) out.data<float>()[k] += heard[n].log_probs[source].data<float>()[k];
  for (float& x : out.span<float>()) x /= static_cast<float>(heard.size());
  return out;
}

HeardText best_path(const Tensor& log_probs, const decode::SearchOptions& search) {
  HeardText out;
  const int64_t T = log_probs.dim(0), V = log_probs.dim(1);
  auto path = decode::ctc_best_path(log_probs, Transcriber::kBlank);
  const auto most = static_cast<size_t>(decode::length_limit(search, {.source_length = T}));
  decode::Hypothesis& h = out.outputs.emplace_back();
  h.finished = path.size() <= most;
  path.resize(std::min(path.size(), most));
  int64_t t = 0;
  const auto sum_before = [&](int64_t end) {
    double sum = 0;
    for (; t < end; ++t)
      sum += *std::max_element(log_probs.data<float>() + t * V, log_probs.data<float>() + (t + 1) * V);
    h.token_log_probs.push_back(sum), h.log_prob += sum;
  };
  for (const decode::CtcToken& token : path) {
    h.tokens.push_back(token.token), out.rows.emplace_back(token.first, token.last);
    sum_before(token.last + 1);
  }
  if (h.finished) sum_before(T);
  const auto steps = std::ssize(h.token_log_probs);
  h.score = decode::Scorer(search, steps).score(h.log_prob, steps, 0);
  return out;
}

// The sources with at least one row, from long to short, in batches.
std::vector<std::vector<int64_t>> batches_of(std::span<const Tensor* const> sources, int64_t batch) {
  std::vector<int32_t> costs;
  for (const Tensor* t : sources) costs.push_back(static_cast<int32_t>(t->dim(0)));
  auto out = data::costliest_first(costs, batch, kRowsAtOnce);
  for (auto& b : out) std::erase_if(b, [&](int64_t k) { return costs[static_cast<size_t>(k)] == 0; });
  std::erase_if(out, [](const auto& b) { return b.empty(); });
  return out;
}

// What is heard in the sources of a batch.
void search_batch(Networks networks, std::span<const Tensor* const> sources, const std::vector<int64_t>& batch,
                  const Options& options, bool with_times, std::vector<HeardText>& out) {
  const HearFor what = options.ctc_weight > 0 || with_times ? HearFor::ctc : HearFor::attention;
  FeatureRows rows;
  for (const int64_t k : batch) rows.push_back(*sources[static_cast<size_t>(k)]);
  std::vector<Heard> heard;
  for (const Transcribe::Network* n : networks) heard.push_back(n->model->hear(rows, what));
  if (wants_best_path(options)) {
    for (size_t k = 0; k < batch.size(); ++k)
      out[static_cast<size_t>(batch[k])] = best_path(mean_log_probs(heard, k), options.search);
    return;
  }
  std::vector<std::unique_ptr<decode::StepDecoder>> decoders;
  for (size_t n = 0; n < networks.size(); ++n)
    decoders.push_back(networks[n]->model->decoder(heard[n], options.ctc_weight));
  auto decoder = decode::one_or_ensemble(std::move(decoders), decode::EnsembleMean::log_probabilities);
  if (!options.lm.empty() && options.lm_weight > 0) {
    std::vector<decode::Term> terms;
    terms.push_back({.decoder = std::move(decoder)});
    terms.push_back(networks[0]
                        ->language_models->of(options.lm, *networks[0]->tokenizer)
                        .term(std::ssize(batch), options.lm_weight));
    decoder = std::make_unique<decode::LogLinear>(std::move(terms));
  }
  std::vector<decode::SourceInfo> infos;
  const Ragged& memory = heard[0].encoded.memory.shape;
  const std::vector<int32_t> ranks = memory.rank_of_sequence();
  for (size_t k = 0; k < batch.size(); ++k)
    infos.push_back(
        {.source_length = memory.memory().length(ranks[k]), .prefix = {}, .key = static_cast<uint64_t>(batch[k])});
  auto found = decode::search(*decoder, infos, options.search);
  for (size_t k = 0; k < batch.size(); ++k) {
    HeardText& text = out[static_cast<size_t>(batch[k])];
    text.outputs = std::move(found[k]);
    if (!with_times) continue;
    const decode::Hypothesis& best = text.outputs[0];
    if (!heard[0].log_probs.empty())
      if (const auto path = decode::ctc_align(heard[0].log_probs[k], best.tokens, Transcriber::kBlank))
        for (const decode::CtcToken& t : *path) text.rows.emplace_back(t.first, t.last);
    if (text.rows.empty()) text.rows = peaks(best);
  }
}

}  // namespace

std::vector<HeardText> search_rows(Networks networks, std::span<const Tensor* const> sources, const Options& options,
                                   bool with_times) {
  const NoGrad off;
  const PrecisionScope scope(ops::available_precision(options.precision));
  std::vector<HeardText> out(sources.size());
  for (HeardText& none : out) none.outputs.emplace_back();
  const auto batches = batches_of(sources, options.batch);
  each_piece(batches.size(), [&](size_t k) { search_batch(networks, sources, batches[k], options, with_times, out); });
  return out;
}

namespace {

// A piece of a recording.
struct Piece {
  size_t input;
  double begin = 0;  // seconds
  Tensor rows;
};

// How a network hears, with those whose recordings it is given.
Hearing hearing_of(const Transcribe::Network& network, const Options& options) {
  Hearing out = network.hearing;
  if (!out.by_speaker()) return out;
  check<ConfigError>(options.known_speakers || !options.speakers.empty(),
                     "--speakers: this model's features are normalised by speaker; name a list of recordings and who "
                     "speaks in each");
  out.speakers =
      options.known_speakers ? options.known_speakers : network.speaker_lists->of(options.speakers, *out.extractor);
  return out;
}

// The pieces of an input, or why there are none.
struct Cut {
  std::vector<Piece> pieces;
  std::string problem;
};

Cut cut_into_pieces(const Hearing& hearing, const Input& input, size_t number, const Options& options) {
  Cut out;
  const auto rows_of = [&](std::span<const float> samples) {
    return hearing.extractor->features(samples, hearing.statistics_of(required_text(input, "audio")));
  };
  try {
    const sound::Waveform wave = sound::read_audio_at(required_text(input, "audio"), hearing.options().sample_rate);
    const auto rate = static_cast<double>(wave.rate);
    const std::span<const float> samples(wave.samples);
    if (options.longest_piece == 0 || static_cast<double>(samples.size()) <= options.longest_piece * rate) {
      out.pieces.push_back({number, 0, rows_of(samples)});
      return out;
    }
    for (const sound::Span& span : sound::speech_spans(samples, wave.rate, {.longest = options.longest_piece}))
      out.pieces.push_back(
          {number, static_cast<double>(span.begin) / rate,
           rows_of(samples.subspan(static_cast<size_t>(span.begin), static_cast<size_t>(span.end - span.begin)))});
  } catch (const FormatError& e) {
    out.problem = e.what();
  } catch (const IoError& e) {
    out.problem = e.what();
  }
  return out;
}

// The same of inputs [begin, end), several at once.
std::vector<Cut> cut_all(const Hearing& hearing, std::span<const Input> inputs, size_t begin, size_t end,
                         const Options& options) {
  std::vector<Cut> out(end - begin);
  parallel_try(std::ssize(out), 1, [&](int64_t at, int64_t) {
    const auto k = static_cast<size_t>(at);
    out[k] = cut_into_pieces(hearing, inputs[begin + k], begin + k, options);
  });
  return out;
}

StringList words_between_spaces(const std::string& text) {
  StringList out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    if (end > begin) out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

// The words of an output, each from the beginning of its first token to the end of its last.
std::vector<TimedWord> words_of(const Transcribe::Network& network, const HeardText& heard, double begin) {
  std::vector<TimedWord> out;
  const std::vector<int32_t>& ids = heard.outputs[0].tokens;
  if (heard.rows.size() != ids.size()) return out;
  const double row = network.seconds_per_row();
  for (size_t k = 0; k < ids.size(); ++k) {
    const std::string so_far = network.tokenizer->decode(std::span(ids).first(k + 1));
    const auto words = words_between_spaces(so_far);
    if (words.empty()) continue;
    const double from = begin + static_cast<double>(heard.rows[k].first) * row,
                 to = begin + static_cast<double>(heard.rows[k].second + 1) * row;
    const bool space = !so_far.empty() && so_far.back() == ' ';
    if (words.size() > out.size())
      out.push_back({.text = words.back(), .begin = from, .end = to});
    else if (!space)
      out.back().text = words.back(), out.back().end = std::max(out.back().end, to);
  }
  return out;
}

std::string json_word(const TimedWord& w) {
  return io::JsonObject().add("text", w.text).add("begin", w.begin).add("end", w.end).text();
}

// Outputs of pieces one after the other: the best of all, then the next best of all.
std::vector<Output> joined_outputs(const Transcribe::Network& network, const std::vector<const HeardText*>& pieces,
                                   bool full) {
  std::vector<Output> out;
  size_t count = 1;
  for (const HeardText* p : pieces) count = std::max(count, p->outputs.size());
  for (size_t n = 0; n < count; ++n) {
    Output& one = out.emplace_back();
    for (const HeardText* p : pieces) {
      const decode::Hypothesis& h = p->outputs[std::min(n, p->outputs.size() - 1)];
      const std::string text = network.tokenizer->decode(h.tokens);
      if (!one.text.empty() && !text.empty()) one.text += ' ';
      one.text += text, one.score += h.score, one.log_prob += h.log_prob;
      if (full && pieces.size() == 1) one.details = details_of(*network.tokenizer, h);
    }
  }
  return out;
}

}  // namespace

std::vector<Prediction> Transcribe::predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                            TaskModel::Detail detail) {
  const bool full = detail == TaskModel::Detail::full;
  const Network& first = *networks[0];
  const Hearing hearing = hearing_of(first, options);
  std::vector<Prediction> out(inputs.size());
  std::vector<Piece> pieces;
  std::vector<std::vector<HeardText>> heard(inputs.size());
  std::vector<std::vector<double>> begins(inputs.size());
  const auto search_pieces = [&] {
    std::vector<const Tensor*> rows;
    for (const Piece& p : pieces) rows.push_back(&p.rows);
    auto found = search_rows(networks, rows, options, full);
    for (size_t k = 0; k < pieces.size(); ++k) {
      heard[pieces[k].input].push_back(std::move(found[k]));
      begins[pieces[k].input].push_back(pieces[k].begin);
    }
    pieces.clear();
  };
  int64_t rows = 0;
  const size_t at_once = 4 * static_cast<size_t>(thread_count());
  for (size_t begin = 0, end = 0; begin < inputs.size(); begin = end) {
    end = std::min(begin + at_once, inputs.size());
    std::vector<Cut> cuts = cut_all(hearing, inputs, begin, end, options);
    for (size_t k = begin; k < end; ++k) {
      Cut& cut = cuts[k - begin];
      out[k].line = inputs[k].line;
      if (!cut.problem.empty()) out[k].warnings.emplace_back("audio", cut.problem);
      for (Piece& p : cut.pieces) rows += p.rows.dim(0), pieces.push_back(std::move(p));
    }
    if (rows >= 4 * kRowsAtOnce || end == inputs.size()) search_pieces(), rows = 0;
  }
  for (size_t k = 0; k < inputs.size(); ++k) {
    std::vector<const HeardText*> of;
    for (const HeardText& h : heard[k]) of.push_back(&h);
    out[k].outputs = joined_outputs(first, of, full);
    if (!full) continue;
    for (size_t p = 0; p < of.size(); ++p)
      for (TimedWord& w : words_of(first, *of[p], begins[k][p])) out[k].outputs[0].words.push_back(std::move(w));
    out[k].outputs[0].details.raw("words", io::json_list(out[k].outputs[0].words, json_word));
  }
  return out;
}

namespace {

// Log mel energies of a recording from 0, the quietest twentieth, to 1, the loudest.
Tensor spectrogram_of(const Transcribe::Network& network, const std::string& path) {
  const int64_t rate = network.config.features.sample_rate;
  Tensor out = sound::features(sound::read_audio_at(path, rate).samples,
                               {.sample_rate = rate, .bins = 40, .shift_ms = network.config.features.shift_ms});
  std::vector<float> sorted(out.span<float>().begin(), out.span<float>().end());
  if (sorted.empty()) return {};
  std::ranges::sort(sorted);
  const float low = sorted[sorted.size() / 20],
              high = std::max(sorted[sorted.size() - 1 - sorted.size() / 100], low + 1);
  for (float& x : out.span<float>()) x = std::clamp((x - low) / (high - low), 0.0F, 1.0F);
  return out;
}

}  // namespace

viz::Figure Transcribe::explain(Networks networks, const Input& input, const Options& options) {
  Options whole = options;
  whole.longest_piece = 0;
  const Cut cut = cut_into_pieces(hearing_of(*networks[0], options), input, 0, whole);
  check<FormatError>(cut.problem.empty(), cut.problem);
  const Network& network = *networks[0];
  const Tensor* const rows = &cut.pieces[0].rows;
  const HeardText heard = std::move(search_rows(networks, {&rows, 1}, options, true)[0]);
  const decode::Hypothesis& h = heard.outputs[0];
  viz::HeatMap map{.columns = {"sound", {}}, .rows = {"text", network.tokenizer->pieces(h.tokens)}};
  map.title = network.tokenizer->decode(h.tokens);
  map.weights = h.alignment;
  map.row_scores = h.token_log_probs;
  if (!h.alignment.empty() && h.alignment.dim(0) == std::ssize(h.tokens) + 1) map.rows.tokens.push_back("</s>");
  map.columns.seconds = network.seconds_per_row();
  map.underlay = spectrogram_of(network, required_text(input, "audio"));
  return map;
}

}  // namespace lookback::tasks
