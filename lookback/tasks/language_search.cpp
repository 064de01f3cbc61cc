// Prompts completed and texts scored by a language model, and how it is shown.
#include <algorithm>
#include <numbers>
#include <numeric>

#include "lookback/base/parse.h"
#include "lookback/base/sha256.h"
#include "lookback/base/utf8.h"
#include "lookback/decode/search.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/input.h"
#include "lookback/tasks/language_model.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

using Network = LanguageTask::Network;
using Options = LanguageTask::Options;
using data::Ids;

// A text and its end, and what each token had been given.
struct Scored {
  Ids ids;
  std::vector<double> log_probs;
};

// The field "score", behind the text if there is one.
Scored scored(const Network& network, const Input& input, const Options& options) {
  Scored out{.ids = network.tokenizer->encode(optional_text(input, "score"))};
  out.ids.push_back(data::kEos);
  LanguageSession session(*network.model, options.cache);
  session.read(network.tokenizer->encode(optional_text(input, "text")));
  out.log_probs = session.score(out.ids);
  return out;
}

std::string piece_of(const Network& network, int32_t id) {
  return id == data::kEos ? "</s>" : network.tokenizer->piece(id);
}

std::string rounded(double x) {
  char out[32];
  std::snprintf(out, sizeof out, "%.4f", x);
  return out;
}

io::JsonObject details_of(const Network& network, const Ids& ids, const std::vector<double>& log_probs) {
  StringList pieces;
  for (const int32_t id : ids) pieces.push_back(piece_of(network, id));
  return io::JsonObject()
      .raw("tokens", io::json_list(pieces, io::json_quote))
      .raw("token_log_probs", io::json_list(log_probs, [](double x) { return io::json_number(x); }));
}

// "-12.3456	the:-2.1 cat:-4.0 </s>:-1.2"
Output score_of(const Network& network, const Input& input, const Options& options) {
  const Scored s = scored(network, input, options);
  const double sum = std::accumulate(s.log_probs.begin(), s.log_probs.end(), 0.0);
  std::string line = rounded(sum) + "\t";
  for (size_t k = 0; k < s.ids.size(); ++k)
    line += (k ? " " : "") + viz::one_line(piece_of(network, s.ids[k])) + ":" + rounded(s.log_probs[k]);
  return {.text = line, .score = sum, .log_prob = sum, .details = details_of(network, s.ids, s.log_probs)};
}

// What search has to know of a prompt that was read.
decode::SourceInfo info_of(const Network& network, const Ids& prompt, const Options& options, uint64_t key) {
  decode::SourceInfo out{.key = key, .context = prompt};
  if (options.stop_strings.empty()) return out;
  const size_t begin = network.tokenizer->decode(prompt).size();
  out.ends = [&network, prompt, begin, stops = options.stop_strings](std::span<const int32_t> tokens) {
    Ids all = prompt;
    all.insert(all.end(), tokens.begin(), tokens.end());
    const std::string text = network.tokenizer->decode(all);
    return std::ranges::any_of(stops, [&](const std::string& stop) {
      return text.find(stop, std::min(begin, text.size())) != std::string::npos;
    });
  };
  return out;
}

std::vector<Output> completions(const Network& network, const Input& input, const Options& options) {
  const Ids prompt = network.tokenizer->encode(required_text(input, "text"));
  LanguageSession session(*network.model, options.cache);
  session.read(prompt);
  const auto decoder = make_decoder(std::move(session));
  const auto info = info_of(network, prompt, options, static_cast<uint64_t>(input.line));
  const auto found = decode::search(*decoder, {info}, options.search)[0];
  std::vector<Output> out;
  for (const decode::Hypothesis& h : found) {
    Ids all = prompt;
    all.insert(all.end(), h.tokens.begin(), h.tokens.end());
    Ids written = h.tokens;
    if (std::ssize(h.token_log_probs) > std::ssize(h.tokens)) written.push_back(data::kEos);
    out.push_back({.text = with_replacements(network.tokenizer->decode(all)),
                   .score = h.score,
                   .log_prob = h.log_prob,
                   .details = details_of(network, written, h.token_log_probs)});
  }
  return out;
}

class LanguageStream final : public TextStream {
 public:
  LanguageStream(const Network& network, const Options& options)
      : network_(network), options_(options), session_(*network.model, options.cache) {}

  void complete(const std::string& text, const std::function<void(std::string_view)>& emit) override {
    const PrecisionScope scope(ops::available_precision(options_.precision));
    Ids all = network_.tokenizer->encode(text);
    session_.read(all);
    std::string written;
    const auto tell = [&](bool is_all) {
      // A character may be made of several tokens, and be another one until the last of them is there.
      std::string now = with_replacements(network_.tokenizer->decode(all));
      if (!now.starts_with(written) || (now.ends_with("\uFFFD") && !is_all)) return;
      emit(std::string_view(now).substr(written.size()));
      written = std::move(now);
    };
    tell(false);
    const auto decoder = make_decoder(session_);
    decode::SourceInfo info = info_of(network_, all, options_, ++texts_);
    info.on_token = [&](int32_t token) {
      all.push_back(token);
      tell(false);
    };
    const auto found = decode::search(*decoder, {info}, options_.search)[0][0];
    tell(true);
    session_.read(found.tokens);
    session_.read(Ids{data::kEos});
  }

  void save(const std::string& path) const override {
    std::vector<io::NamedTensor> tensors;
    for (auto& [name, tensor] : session_.tensors()) tensors.push_back({name, tensor});
    io::write_safetensors(path, tensors, {{"model", identity()}, {"texts", std::to_string(texts_)}});
  }

  void load(const std::string& path) override {
    const io::SafetensorsFile file(path);
    const auto model = file.metadata().find("model"), texts = file.metadata().find("texts");
    check<FormatError>(model != file.metadata().end() && texts != file.metadata().end(), path,
                       ": is no session of a language model");
    check<FormatError>(model->second == identity(), path, ": is a session of another model");
    LanguageSession::Tensors tensors;
    for (const io::TensorEntry& entry : file.entries()) tensors.emplace_back(entry.name, file.load(entry));
    try {
      session_.load(tensors);
    } catch (const FormatError& e) {
      throw FormatError(path + ": " + e.what());
    }
    texts_ = parse_number<uint64_t>(texts->second).value_or(0);
  }

 private:
  // Of the model's kind and its weights.
  const std::string& identity() const {
    if (!identity_.empty()) return identity_;
    Sha256 sum;
    sum.update(network_.tokenizer->bytes());
    for (const NamedVar& p : network_.parameters()) {
      const Tensor& value = p.var.value();
      sum.update({reinterpret_cast<const char*>(value.bytes()), static_cast<size_t>(value.byte_size())});
    }
    return identity_ = sum.hex();
  }

  const Network& network_;
  const Options options_;
  LanguageSession session_;
  mutable std::string identity_;
  uint64_t texts_ = 0;  // completed so far: what draws of a sample depend on besides the seed
};

// Each token as dark as it was unexpected, in bits.
viz::Figure surprise_of(const Network& network, const Input& input, const Options& options) {
  const Scored s = scored(network, input, options);
  viz::Axis words{"text", {}};
  std::vector<float> bits;
  for (size_t k = 0; k < s.ids.size(); ++k) {
    words.tokens.push_back(piece_of(network, s.ids[k]));
    bits.push_back(static_cast<float>(-s.log_probs[k] / std::numbers::ln2));
  }
  Tensor weights = Tensor::of<float>({std::ssize(bits)}, bits);
  return viz::Highlight{.words = std::move(words),
                        .weights = std::move(weights),
                        .title = optional_text(input, "score"),
                        .weight_name = "bits of surprise"};
}

// weights[n, k], the mean over heads of what the attention said when position n was the last one read. All positions
// are read at once.
Tensor attention_of(const Network& network, const Ids& read) {
  LanguageSession session(*network.model);
  session.read(read);
  const auto& blocks = network.config.model.blocks;
  const auto block = std::ranges::find(blocks, "self_attention", &BlockOptions::kind);
  const Tensor& found = session.attention();
  const int64_t N = std::ssize(read), heads = block->heads;
  Tensor out = Tensor::zeros({N, N + 1});
  for (int64_t n = 0; n < N; ++n) {
    const int64_t position = n + 1, first = std::max<int64_t>(0, position - block->window);
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t u = first; u <= position; ++u)
        out.data<float>()[n * (N + 1) + u] +=
            found.data<float>()[(n * heads + h) * found.dim(1) + u - first] / static_cast<float>(heads);
  }
  return out;
}

// The same of the cache, which points at tokens that came next.
Tensor pointers_of(const Network& network, const Ids& read, const CacheOptions& options) {
  LanguageSession session(*network.model, options);
  const int64_t N = std::ssize(read);
  Tensor out = Tensor::zeros({N, N + 1});
  for (int64_t n = 0; n < N; ++n) {
    session.read({&read[static_cast<size_t>(n)], 1});
    const auto weights = session.cache(0).weights(session.hidden().value().span<float>());
    const int64_t first = n + 2 - std::ssize(weights);
    for (size_t k = 0; k < weights.size(); ++k)
      out.data<float>()[n * (N + 1) + first + static_cast<int64_t>(k)] = static_cast<float>(weights[k]);
  }
  return out;
}

// A row for each token that was scored, and in it where the model looked when it expected that token.
viz::Figure looked_back(const Network& network, const Input& input, const Options& options) {
  const bool cache = options.show == "cache";
  check<ConfigError>(!cache || options.cache.size > 0, "explain: --show cache needs --cache.size, tokens to remember");
  check<ConfigError>(cache || network.model->has_attention(),
                     "explain: --show attention: this model has no block of kind 'self_attention'");
  const Scored s = scored(network, input, options);
  Ids read = network.tokenizer->encode(optional_text(input, "text"));
  const auto given = std::ssize(read);
  read.insert(read.end(), s.ids.begin(), s.ids.end() - 1);
  check<ConfigError>(!read.empty(), "explain: --show ", options.show, " needs a text that is not empty");
  const Tensor all = cache ? pointers_of(network, read, options.cache) : attention_of(network, read);
  viz::Axis columns{"read", {"<s>"}}, rows{"text", {}};
  for (const int32_t id : read) columns.tokens.push_back(piece_of(network, id));
  // The first token of all is expected from nothing but the beginning.
  const int64_t first = given > 0 ? 0 : 1;
  for (size_t k = static_cast<size_t>(first); k < s.ids.size(); ++k) rows.tokens.push_back(piece_of(network, s.ids[k]));
  std::vector<double> scores(s.log_probs.begin() + first, s.log_probs.end());
  return viz::HeatMap{.columns = std::move(columns),
                      .rows = std::move(rows),
                      .weights = all.rows(given > 0 ? given - 1 : 0, all.dim(0)),
                      .title = optional_text(input, "text") + (given > 0 ? " → " : "") + optional_text(input, "score"),
                      .row_scores = std::move(scores)};
}

}  // namespace

std::vector<Prediction> LanguageTask::predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                              TaskModel::Detail) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  std::vector<Prediction> out;
  for (const Input& input : inputs) {
    out.push_back({.line = input.line});
    if (input.find("score"))
      out.back().outputs = {score_of(*networks[0], input, options)};
    else
      out.back().outputs = completions(*networks[0], input, options);
  }
  return out;
}

std::unique_ptr<TextStream> LanguageTask::stream(Networks networks, const Options& options) {
  check<ConfigError>(options.search.beam == 1 && options.search.n_best == 1,
                     "a text is written token by token with --beam 1 and --n-best 1; got ", options.search.beam,
                     " and ", options.search.n_best);
  return std::make_unique<LanguageStream>(*networks[0], options);
}

viz::Figure LanguageTask::explain(Networks networks, const Input& input, const Options& options) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  const Network& network = *networks[0];
  // A text alone is scored itself.
  Input shown = input;
  if (!shown.find("score")) shown.fields["score"] = std::exchange(shown.fields["text"], "");
  if (options.show == "surprise") return surprise_of(network, shown, options);
  return looked_back(network, shown, options);
}

std::string LanguageTask::steps(Networks, const Input&, const Options&) {
  throw ConfigError("explain: --steps follows models of sequences into sequences; a language model has --score");
}

}  // namespace lookback::tasks
