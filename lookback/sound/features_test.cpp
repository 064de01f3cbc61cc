#include "lookback/sound/features.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <complex>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>

#include "lookback/base/error.h"
#include "lookback/base/rung.h"
#include "lookback/base/testing.h"
#include "lookback/sound/fft.h"
#include "lookback/sound/testing.h"

namespace lookback::sound {
namespace {

using Json = nlohmann::json;

TEST(RealFft, IsTheSumThatDefinesIt) {
  Rng rng(1);
  for (const int64_t n : {4, 8, 16, 64, 128, 512, 2048}) {
    std::vector<double> x(static_cast<size_t>(n * kLanes)), power(static_cast<size_t>(n / 2 * kLanes));
    for (double& v : x) v = rng.normal();
    const RealFft fft(n);
    std::vector<double> scratch(static_cast<size_t>(fft.scratch_size()));
    fft.power(x.data(), scratch.data(), power.data());
    for (int64_t k = 0; k < n / 2; ++k)
      for (int64_t l = 0; l < kLanes; ++l) {
        std::complex<double> sum = 0;
        for (int64_t t = 0; t < n; ++t)
          sum += x[static_cast<size_t>(t * kLanes + l)] *
                 std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(k * t % n) / static_cast<double>(n));
        EXPECT_NEAR(power[static_cast<size_t>(k * kLanes + l)], std::norm(sum), 1e-9 * static_cast<double>(n))
            << n << " " << k << " " << l;
      }
  }
}

void set(FeatureOptions& options, const std::string& name, const Json& value) {
  std::vector<Field> fields = fields_of(options);
  FieldValue v = value.is_string() ? FieldValue(value.get<std::string>()) : FieldValue(false);
  if (value.is_boolean()) v = value.get<bool>();
  if (value.is_number_integer()) v = value.get<int64_t>();
  if (value.is_number_float()) v = value.get<double>();
  set_field(find_field(fields, name, "vectors"), v, "vectors");
}

// Against what torchaudio.compliance.kaldi said: recorded by tools/gen_sound_features.py.
TEST(Features, AreThoseOfKaldi) {
  std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/sound/features.json");
  const Json cases = Json::parse(in)["cases"];
  ASSERT_EQ(cases.size(), 12u);
  double worst = 0;
  for (const Json& c : cases) {
    FeatureOptions options;
    for (const auto& [name, value] : c["options"].items()) set(options, name, value);
    std::vector<float> samples;
    for (const int v : c["samples"]) samples.push_back(static_cast<float>(v) / 32768);
    const Tensor got = features(samples, options);
    ASSERT_EQ(got.dim(0), std::ssize(c["rows"])) << c["options"];
    ASSERT_EQ(got.dim(1), std::ssize(c["rows"][0])) << c["options"];
    EXPECT_EQ(got.dim(0), frames(std::ssize(samples), options));
    EXPECT_EQ(got.dim(1), width(options));
    for (int64_t k = 0; k < got.size(); ++k) {
      const double want = c["rows"][static_cast<size_t>(k / got.dim(1))][static_cast<size_t>(k % got.dim(1))];
      ASSERT_NEAR(got.data<float>()[k], want, 1e-3) << c["options"] << " value " << k;
      worst = std::max(worst, std::abs(got.data<float>()[k] - want));
    }
  }
  RecordProperty("worst_difference", std::to_string(worst));
}

// The same on every processor: to be seen by running this there, and on every rung of this one.
TEST(Features, TheBitsAreThese) {
  const Rung before = rung();
  for (const Rung r : rungs()) {
    use_rung(name_of(r), "test");
    uint64_t hash = 0;
    for (const char* kind : {"fbank", "mfcc"}) {
      const Tensor rows = features(test_sound(16000), {.kind = kind, .deltas = 2, .normalise = "running", .stack = 2});
      for (const float v : rows.span<float>()) hash = (hash ^ std::bit_cast<uint32_t>(v)) * 0x9E3779B97F4A7C15;
    }
    EXPECT_EQ(hash, 14734719514183728282u) << name_of(r);
  }
  use_rung(name_of(before), "test");
}

TEST(Features, ARowIsThatOfItsWindowAlone) {
  std::vector<float> x = test_sound(400 + 8 * 160);
  const Tensor all = features(x, {.bins = 10});
  const auto row = [](const Tensor& rows, int64_t t) {
    return std::vector<float>(rows.data<float>() + t * 10, rows.data<float>() + (t + 1) * 10);
  };
  for (int64_t t = 0; t < 9; ++t)
    EXPECT_EQ(row(features(std::span(x).subspan(static_cast<size_t>(160 * t), 400), {.bins = 10}), 0), row(all, t));
  // Nor does what is no number become one.
  x.back() = std::nanf("");
  const Tensor bad = features(x, {.bins = 10});
  EXPECT_EQ(row(bad, 7), row(all, 7));
  for (const float v : row(bad, 8)) EXPECT_TRUE(std::isnan(v));
}

TEST(Features, SilenceAndTooShort) {
  const Tensor rows = features(std::vector<float>(1000), {});
  EXPECT_EQ(rows.shape(), (Shape{4, 80}));
  for (const float v : rows.span<float>()) EXPECT_NEAR(v, std::log(std::pow(2, -23)), 1e-5);
  for (const char* normalise : {"none", "utterance", "running"}) {
    EXPECT_EQ(features(std::vector<float>(399), {.normalise = normalise}).shape(), (Shape{0, 80}));
    EXPECT_EQ(features(std::vector<float>(), {.deltas = 2, .normalise = normalise, .stack = 3, .skip = 3}).shape(),
              (Shape{0, 720}));
    for (const float v :
         features(std::vector<float>(1000), {.normalise = normalise == std::string("none") ? "utterance" : normalise})
             .span<float>())
      EXPECT_NEAR(v, 0, 1e-3);
  }
  EXPECT_EQ(features(std::vector<float>(1), {.snip_edges = false}).dim(0), 0);
  EXPECT_EQ(features(std::vector<float>(80), {.snip_edges = false}).dim(0), 1);  // mirrored several times
}

TEST(Features, Normalising) {
  const std::vector<float> x = test_sound(20000);
  const FeatureExtractor plain({.kind = "mfcc", .deltas = 1});
  const Tensor rows = plain.plain_rows(x);
  FeatureStatistics statistics;
  statistics.add(rows);
  const std::vector<double> means = statistics.means(), deviations = statistics.deviations();
  const auto of = [&](const char* kind, const FeatureStatistics* s) {
    return features(x, {.kind = "mfcc", .deltas = 1, .normalise = kind}, s);
  };
  const Tensor own = of("utterance", nullptr), global = of("global", &statistics), speaker = of("speaker", &statistics),
               running = of("running", nullptr);
  for (int64_t c = 0; c < rows.dim(1); ++c) {
    double sum = 0, squares = 0;
    for (int64_t t = 0; t < rows.dim(0); ++t) {
      const int64_t at = t * rows.dim(1) + c;
      const double v = rows.data<float>()[at];
      sum += v, squares += v * v;
      const auto k = static_cast<size_t>(c);
      EXPECT_NEAR(own.data<float>()[at], (v - means[k]) / deviations[k], 1e-5);
      EXPECT_EQ(own.data<float>()[at], global.data<float>()[at]);
      EXPECT_EQ(own.data<float>()[at], speaker.data<float>()[at]);
      const double n = static_cast<double>(t + 1), mean = sum / n, deviation = std::sqrt(squares / n - mean * mean);
      if (t > 5) {
        EXPECT_NEAR(running.data<float>()[at], (v - mean) / deviation, 2e-3);
      }
    }
    EXPECT_EQ(running.data<float>()[c], 0);
  }
  EXPECT_NE(message_of<ConfigError>([&] { of("global", nullptr); }).find("statistics of the training set's rows"),
            std::string::npos);
  EXPECT_NE(message_of<ConfigError>([&] { of("speaker", nullptr); }).find("the speaker's rows"), std::string::npos);
  EXPECT_NE(message_of<ConfigError>([&] {
              features(x, {.normalise = "global"}, &statistics);
            }).find("26 columns, the rows have 80"),
            std::string::npos);
}

TEST(Features, StackedRowsAreTheirRows) {
  const std::vector<float> x = test_sound(8000);
  const Tensor rows = features(x, {.bins = 5});
  for (const int64_t stack : {1, 3, 4})
    for (const int64_t skip : {1, 2, 3, 7}) {
      const FeatureOptions options{.bins = 5, .stack = stack, .skip = skip};
      const Tensor got = features(x, options);
      ASSERT_EQ(got.shape(), (Shape{(rows.dim(0) + skip - 1) / skip, 5 * stack}));
      EXPECT_EQ(frames(8000, options), got.dim(0));
      for (int64_t r = 0; r < got.dim(0); ++r)
        for (int64_t k = 0; k < 5 * stack; ++k)
          ASSERT_EQ(got.data<float>()[r * 5 * stack + k],
                    rows.data<float>()[std::min(r * skip + k / 5, rows.dim(0) - 1) * 5 + k % 5]);
    }
}

TEST(FeatureStream, GivesTheSameBitsWhateverComesWhen) {
  FeatureStatistics statistics;
  statistics.add(features(test_sound(9000, 2), {.bins = 10, .deltas = 2}));
  statistics.add(features(test_sound(9000, 3), {.bins = 10, .deltas = 2}));
  Rng rng(4);
  int streams = 0;
  for (const int64_t n : {0, 1, 60, 100, 399, 400, 401, 700, 6000})
    for (const bool snip : {true, false})
      for (const int64_t deltas : {0, 1, 2})
        for (const char* normalise : {"none", "running", "global", "speaker"})
          for (const auto& [stack, skip] : {std::pair<int64_t, int64_t>{1, 1}, {3, 3}, {2, 5}, {4, 1}}) {
            const bool wants = *normalise == 'g' || *normalise == 's';
            if (wants && deltas != 2) continue;
            const FeatureOptions options{
                .bins = 10, .snip_edges = snip, .deltas = deltas, .normalise = normalise, .stack = stack, .skip = skip};
            const std::vector<float> x = test_sound(n);
            const Tensor whole = features(x, options, wants ? &statistics : nullptr);
            FeatureStream stream(options, wants ? &statistics : nullptr);
            std::vector<float> all;
            const auto take = [&](const Tensor& rows) {
              ASSERT_EQ(rows.dim(1), width(options));
              all.insert(all.end(), rows.span<float>().begin(), rows.span<float>().end());
            };
            const uint64_t most = streams++ % 2 ? 900 : 50;
            for (size_t at = 0; at < x.size();) {
              const size_t piece = std::min<size_t>(x.size() - at, rng.below(most));
              take(stream.push(std::span(x).subspan(at, piece)));
              at += piece;
            }
            take(stream.finish());
            ASSERT_EQ(all, std::vector<float>(whole.span<float>().begin(), whole.span<float>().end()))
                << n << snip << deltas << normalise << stack << skip;
          }
}

TEST(FeatureStream, RowsComeAsSoonAsTheyCan) {
  FeatureStream stream(FeatureOptions{.sample_rate = 8000, .bins = 10});
  EXPECT_EQ(stream.push(test_sound(199)).dim(0), 0);
  EXPECT_EQ(stream.push(test_sound(1)).dim(0), 1);
  EXPECT_EQ(stream.push(test_sound(80)).dim(0), 1);
  EXPECT_EQ(stream.finish().dim(0), 0);
  EXPECT_THROW(stream.push(test_sound(1)), Error);
  EXPECT_NE(message_of<ConfigError>([] {
              FeatureStream(FeatureOptions{.normalise = "utterance"});
            }).find("running, global or none"),
            std::string::npos);
}

TEST(Features, OptionsThatDoNotFit) {
  const auto message = [](const FeatureOptions& o) { return message_of<ConfigError>([&] { FeatureExtractor e(o); }); };
  const auto has = [](const std::string& text, std::string_view part) { return text.find(part) != text.npos; };
  EXPECT_TRUE(has(message({.kind = "mfcc", .ceps = 24}), "ceps is 24"));
  EXPECT_TRUE(has(message({.bins = 3}), "bins"));
  EXPECT_TRUE(has(message({.sample_rate = 8000, .high = 4001}), "sample_rate"));
  EXPECT_TRUE(has(message({.sample_rate = 8000, .low = 4000}), "low"));
  EXPECT_TRUE(has(message({.sample_rate = 8000, .high = -3990}), "low"));
  EXPECT_TRUE(has(message({.sample_rate = 10}), "window_ms"));
  EXPECT_TRUE(has(message({.sample_rate = 1000, .shift_ms = 0.5}), "shift_ms"));
  EXPECT_TRUE(has(message({.sample_rate = 1000000, .window_ms = 10000}), "window_ms"));
  EXPECT_TRUE(has(message({.kind = "plp"}), "fbank"));
  EXPECT_TRUE(has(message({.deltas = 3}), "deltas"));
}

// Also says how long an hour takes, in the log of the test.
TEST(Features, AnHourIsQuick) {
  const std::vector<float> minute = test_sound(60 * 16000);
  const FeatureExtractor extractor({});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(extractor.features(minute).dim(0), 5998);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("an hour of 16 kHz: %.1f s\n", seconds * 60);
}

TEST(FeatureStatistics, AddUpAndComeBack) {
  const Tensor a = Tensor::of<float>({2, 2}, {1, 5, 3, 5}), b = Tensor::of<float>({1, 2}, {5, 5});
  FeatureStatistics one, two, all;
  one.add(a), two.add(b);
  all.add(one), all.add(FeatureStatistics{}), all.add(two);
  EXPECT_EQ(all.means(), (std::vector<double>{3, 5}));
  EXPECT_NEAR(all.deviations()[0], std::sqrt(8.0 / 3), 1e-12);
  EXPECT_EQ(all.deviations()[1], 1e-5);
  const FeatureStatistics back = FeatureStatistics::of_values(all.values());
  EXPECT_EQ(back.values(), all.values());
  EXPECT_THROW(all.add(Tensor({1, 3})), ShapeError);
  EXPECT_THROW(FeatureStatistics{}.means(), ShapeError);
  EXPECT_THROW(FeatureStatistics::of_values(std::vector<double>{1, 2}), FormatError);
  EXPECT_THROW(FeatureStatistics::of_values(std::vector<double>{1, 2, -1}), FormatError);
  EXPECT_THROW(FeatureStatistics::of_values(std::vector<double>{1, std::nan(""), 1}), FormatError);
  EXPECT_THROW(FeatureStatistics::of_values({}), FormatError);
}

}  // namespace
}  // namespace lookback::sound
