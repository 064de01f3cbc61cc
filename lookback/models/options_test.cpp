// Which options go together, and that whatever does can be trained.
#include "lookback/models/testing.h"

namespace lookback {
namespace {

using testing::parameter;
using testing::random_batch;
using testing::small_options;

constexpr int64_t kVocabulary = 11;

// One way to say how a model is built and trained.
struct Choice {
  Seq2SeqOptions model;
  ObjectiveOptions objective;
};

// Takes the choices of a long list one after the other, as the digits of a number.
class Digits {
 public:
  explicit Digits(int64_t number) : rest_(number) {}
  int64_t operator()(int64_t base) {
    const int64_t digit = rest_ % base;
    rest_ /= base;
    return digit;
  }

 private:
  int64_t rest_;
};

const int64_t kScores = std::ssize(score_choices()), kStructures = 2 * 2 * 2 * kScores * 2 * 3 * 4 * 2 * 2;

Choice choice(int64_t number) {
  Digits next(number);
  Choice c{.model = small_options()};
  Seq2SeqOptions& m = c.model;
  m.encoder.cell = m.decoder.cell = next(2) ? "gru" : "lstm";
  m.decoder.attention = next(2) ? "bahdanau" : "luong";
  m.decoder.input_feeding = next(2) == 1;
  m.score = score_choices()[static_cast<size_t>(next(kScores))];
  m.decoder.readout = next(2) ? "maxout" : "tanh";
  m.tie = StringList{"none", "decoder", "all"}[static_cast<size_t>(next(3))];
  m.decoder.bridge = StringList{"tanh", "linear", "copy", "zeros"}[static_cast<size_t>(next(4))];
  m.encoder.layers = m.decoder.layers = 1 + next(2);
  m.encoder.residual = m.decoder.residual = m.encoder.layer_norm = m.decoder.layer_norm = next(2) == 1;
  // What does not change the parameters is taken in turn, out of step with the digits above.
  Digits more(number * 37 + number / 97);
  m.dropout.rate = more(3) ? 0.2 : 0;
  m.dropout.locked = more(2) == 1;
  m.dropout.recurrent_weights = more(2) ? 0.2 : 0;
  m.dropout.words = more(2) ? 0.2 : 0;
  c.objective.sampling = more(2) ? "constant" : "none";
  m.encoder.bidirectional = more(2) == 1;
  m.encoder.residual = m.encoder.residual != (more(5) == 0);
  if (more(7) == 0) m.encoder.cell = m.encoder.cell == "lstm" ? "gru" : "lstm";
  if (!m.encoder.bidirectional) m.encoder.hidden = 8;
  m.encoder.time = {.checkpoint = more(3), .bptt = more(3)};
  m.decoder.time.bptt = more(3);
  m.location = {.filters = 1 + more(3), .width = 1 + more(4), .window = more(3)};
  m.heads = 1 + more(3);
  if (m.score == "multi_head") m.attention = 6;
  const bool none = m.score == "none";
  const Remembers kept =
      none ? Remembers{} : make_attention(m.score, {.query = 8, .memory = 8, .attention = 8})->remembers();
  if (!none && more(3) == 0) c.objective.coverage = 0.5;
  if (!none && more(4) == 0) c.objective.doubly_stochastic = 0.5;
  const int64_t gate = more(3);
  if (!none && gate == 1) m.decoder.gate = "beta";
  if (gate == 2 && m.decoder.attention == "luong" && m.decoder.cell == "lstm" && !none && m.score != "monotonic" &&
      m.score != "multi_head")
    m.decoder.gate = "sentinel";
  if (none && m.decoder.bridge == "zeros") m.decoder.bridge = "tanh";
  if (none) m.encoder.layer_norm = false;  // that of the last layer would have no gradient
  if (m.decoder.attention == "luong" && !m.decoder.input_feeding && c.objective.sampling == "none" && !kept.weights &&
      !kept.coverage && c.objective.coverage == 0 && m.decoder.gate != "sentinel")
    m.decoder.time.checkpoint = more(3);
  return c;
}

std::string described(Seq2SeqOptions m) {
  std::string out;
  for (const Field& f : fields_of(m)) out += f.path + "=" + field_text(f) + " ";
  return out;
}

void train_a_step(const Choice& c) {
  Seq2Seq model(c.model, {kVocabulary, kVocabulary}, 3);
  const Seq2SeqBatch batch{.source = {{4, 5, 6, 4}, {7, 8}, {9, 10, 4}}, .target = {{5, 4}, {6, 7, 8, 9}, {10}}};
  Noise noise{5, 1};
  const auto loss = model.loss(batch, c.objective, 0.1, &noise);
  ASSERT_TRUE(std::isfinite(loss.loss_sum));
  EXPECT_NEAR(loss.loss.value().data<float>()[0], 0.1 * loss.loss_sum, 1e-5);
  EXPECT_EQ(loss.tokens, 10);
  backward(loss.loss);
  for (const NamedVar& p : params_of(model)) {
    ASSERT_FALSE(p.var.grad().empty()) << p.name;
    double largest = 0;
    for (const float g : p.var.grad().span<float>()) {
      ASSERT_TRUE(std::isfinite(g)) << p.name;
      largest = std::max<double>(largest, std::abs(g));
    }
    EXPECT_GT(largest, 0) << p.name;
  }
}

TEST(Options, EveryCombinationTrains) {
  for (int64_t k = 0; k < kStructures && !::testing::Test::HasFailure(); ++k) {
    SCOPED_TRACE(described(choice(k).model));
    train_a_step(choice(k));
  }
}

TEST(Options, WidthsThatDifferAreRefusedByName) {
  for (int64_t k = 0; k < kStructures; k += 7) {
    Choice c = choice(k);
    c.model.decoder.hidden = 10;
    const bool dot = c.model.score.ends_with("dot"), copy = c.model.decoder.bridge == "copy";
    if (!dot && !copy) continue;
    try {
      Seq2Seq(c.model, {kVocabulary, kVocabulary}, Seq2Seq::kNoInit);
      ADD_FAILURE() << described(c.model);
    } catch (const ConfigError& e) {
      EXPECT_NE(std::string(e.what()).find(dot ? "model.score" : "model.decoder.bridge"), std::string::npos)
          << e.what();
    }
  }
}

std::string refusal(const Seq2SeqOptions& o, Seq2Seq::Vocabularies v = {kVocabulary, kVocabulary}) {
  try {
    Seq2Seq(o, v, Seq2Seq::kNoInit);
    return "";
  } catch (const ConfigError& e) {
    return e.what();
  }
}

TEST(Options, WithoutAttentionTheDecoderHasToStartFromTheSource) {
  Seq2SeqOptions o = small_options();
  o.score = "none";
  EXPECT_EQ(refusal(o), "");
  const auto names = [](const Seq2SeqOptions& options) {
    Seq2Seq model(options, {kVocabulary, kVocabulary}, 1);
    std::string out;
    for (const NamedVar& p : params_of(model)) out += p.name + " ";
    return out;
  };
  EXPECT_EQ(names(o).find("score"), std::string::npos);
  o.decoder.bridge = "zeros";
  EXPECT_NE(refusal(o).find("model.decoder.bridge"), std::string::npos) << refusal(o);
  o.score = "location";
  EXPECT_EQ(refusal(o), "");
  EXPECT_NE(names(o).find("score.location.filters"), std::string::npos);
  Seq2SeqOptions unattended = small_options();
  unattended.score = "none";
  Noise noise{5, 1};
  EXPECT_THROW(Seq2Seq(unattended, {kVocabulary, kVocabulary}, 1)
                   .loss({.source = {{4}}, .target = {{5}}}, {.coverage = 1}, 1, &noise),
               ConfigError);
}

TEST(Options, TyingIsRefusedWhereItCannotWork) {
  Seq2SeqOptions o = small_options();
  EXPECT_EQ(refusal(o), "");
  o.tie = "decoder";
  EXPECT_EQ(refusal(o), "");  // the readout follows the embedding
  o.readout = 7;
  EXPECT_NE(refusal(o).find("model.readout"), std::string::npos) << refusal(o);
  o.readout = 6;
  EXPECT_EQ(refusal(o), "");
  o.tie = "all";
  EXPECT_EQ(refusal(o), "");
  EXPECT_NE(refusal(o, {kVocabulary, kVocabulary + 1}).find("tokenizer.joint"), std::string::npos);
}

TEST(Options, CheckpointingADecoderIsRefusedWhereStepsRunOneByOne) {
  Seq2SeqOptions o = small_options();
  o.decoder.time.checkpoint = 3;
  EXPECT_NE(refusal(o).find("model.decoder.checkpoint = 3 needs"), std::string::npos) << refusal(o);
  o.decoder.input_feeding = false;
  EXPECT_EQ(refusal(o), "");
  Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
  Noise noise{1, 1};
  EXPECT_THROW(model.loss({{{4}}, {{5}}}, {.sampling = "constant"}, 1, &noise), ConfigError);
  EXPECT_NO_THROW(model.loss({{{4}}, {{5}}}, {.sampling = "constant"}, 1, nullptr)) << "validation";
}

TEST(Options, TiedTablesAreOneParameter) {
  Seq2SeqOptions o = small_options();
  auto names = [&](const std::string& tie) {
    o.tie = tie;
    Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
    std::vector<std::string> out;
    for (const NamedVar& p : params_of(model))
      if (p.name.find("embedding") != std::string::npos || p.name == "output.weight") out.push_back(p.name);
    return out;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names("none"), (Names{"encoder.embedding.weight", "decoder.embedding.weight", "output.weight"}));
  EXPECT_EQ(names("decoder"), (Names{"encoder.embedding.weight", "decoder.embedding.weight"}));
  EXPECT_EQ(names("all"), (Names{"decoder.embedding.weight"}));
}

TEST(Options, IdsOutsideTheVocabularyAreRefused) {
  Seq2Seq model(small_options(), {kVocabulary, kVocabulary}, 1);
  EXPECT_THROW(model.loss({{{4}}, {{11}}}, {}, 1, nullptr), ShapeError);
  EXPECT_THROW(model.loss({{{-1}}, {{4}}}, {}, 1, nullptr), ShapeError);
  EXPECT_THROW(model.loss({{{4}, {5}}, {{4}}}, {}, 1, nullptr), ShapeError);
  EXPECT_THROW(model.loss({}, {}, 1, nullptr), ShapeError);
  EXPECT_THROW(model.decoder({{{11}}}), ShapeError);
}

TEST(ScheduledSampling, TheShareGrowsFromNothingToTheRate) {
  for (const char* kind : {"linear", "exponential", "inverse_sigmoid"}) {
    const ObjectiveOptions o{.sampling = kind, .sampling_rate = 0.3, .sampling_steps = 1000};
    EXPECT_EQ(o.sampled_share(0), 0) << kind;
    EXPECT_NEAR(o.sampled_share(1000), 0.3, 1e-12) << kind;
    EXPECT_EQ(o.sampled_share(1000000), o.sampled_share(1000)) << kind;
    for (uint64_t step = 1; step <= 1000; ++step) EXPECT_GT(o.sampled_share(step), o.sampled_share(step - 1)) << kind;
  }
  const auto half = [](const char* kind) {
    return ObjectiveOptions{.sampling = kind, .sampling_rate = 0.3, .sampling_steps = 1000}.sampled_share(500);
  };
  EXPECT_NEAR(half("linear"), 0.15, 1e-12);
  EXPECT_NEAR(half("inverse_sigmoid"), 0.15, 1e-12);
  EXPECT_GT(half("exponential"), 0.25);
}

TEST(ScheduledSampling, NoneAndConstantDoNotGrow) {
  for (const uint64_t step : {0, 1, 100000}) {
    EXPECT_EQ((ObjectiveOptions{.sampling = "none", .sampling_rate = 0.3}.sampled_share(step)), 0);
    EXPECT_EQ((ObjectiveOptions{.sampling = "constant", .sampling_rate = 0.3}.sampled_share(step)), 0.3);
  }
}

// Rows of the target embedding that the loss depends on.
std::vector<int32_t> read_tokens(Seq2Seq& model, const Seq2SeqBatch& batch, const ObjectiveOptions& o, Noise* noise,
                                 const std::string& table = "decoder.embedding.weight") {
  for (const NamedVar& p : params_of(model)) p.var.clear_grad();
  backward(model.loss(batch, o, 1, noise).loss);
  const Tensor g = parameter(model, table).grad();
  std::vector<int32_t> out;
  for (int64_t v = 0; v < g.dim(0); ++v)
    if (std::any_of(g.data<float>() + v * g.dim(1), g.data<float>() + (v + 1) * g.dim(1),
                    [](float x) { return x != 0; }))
      out.push_back(static_cast<int32_t>(v));
  return out;
}

TEST(ScheduledSampling, TheModelReadsItsOwnWords) {
  for (const char* attention : {"luong", "bahdanau"})
    for (const bool feeding : {false, true}) {
      Seq2SeqOptions options = small_options();
      options.decoder.attention = attention, options.decoder.input_feeding = feeding;
      Seq2Seq model(options, {kVocabulary, kVocabulary}, 1);
      const Var bias = parameter(model, "output.bias");
      bias.value().data<float>()[7] = 50;  // it always says 7
      bias.touch();
      const Seq2SeqBatch batch{{{4, 5}, {6}}, {{8, 9, 10}, {4}}};
      Noise a{1, 1}, b{1, 1};
      const ObjectiveOptions never{.sampling = "constant", .sampling_rate = 0},
          always{.sampling = "constant", .sampling_rate = 1};
      EXPECT_EQ(read_tokens(model, batch, never, &a), (std::vector<int32_t>{1, 4, 8, 9, 10}));
      EXPECT_EQ(read_tokens(model, batch, always, &b), (std::vector<int32_t>{1, 7}));
      EXPECT_EQ(read_tokens(model, batch, always, nullptr), (std::vector<int32_t>{1, 4, 8, 9, 10})) << "without noise";
    }
}

TEST(WordDropout, WordsBecomeUnknownAndTheStartStays) {
  Seq2SeqOptions o = small_options();
  o.dropout.words = 0.95;
  Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
  Seq2SeqBatch batch;
  for (int k = 0; k < 30; ++k) batch.source.push_back({4, 5, 6}), batch.target.push_back({7, 8});
  for (const char* table : {"encoder.embedding.weight", "decoder.embedding.weight"}) {
    const bool decoder = std::string(table).starts_with("decoder");
    Noise noise{1, 1};
    model.loss(batch, {}, 1, &noise);
    Noise again{1, 1};
    const auto read = read_tokens(model, batch, {}, &again, table);
    EXPECT_EQ(read.front(), 0) << table;
    EXPECT_EQ(std::count(read.begin(), read.end(), 1), decoder);
    EXPECT_EQ(read_tokens(model, batch, {}, nullptr, table),
              (decoder ? std::vector<int32_t>{1, 7, 8} : std::vector<int32_t>{4, 5, 6}));
  }
}

}  // namespace
}  // namespace lookback
