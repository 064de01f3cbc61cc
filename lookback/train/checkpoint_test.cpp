#include "lookback/train/checkpoint.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/train/fake_trainable.h"
#include "lookback/train/parameters.h"

namespace lookback::train {
namespace {
namespace fs = std::filesystem;

// Tensors that tell which step they belong to.
Checkpoint checkpoint_at(int64_t step) {
  Checkpoint c{.weights = {{"w", Tensor::full({64}, static_cast<double>(step))}},
               .optimizer = {{"steps", Tensor::full({64}, static_cast<double>(step))}},
               .average = {},
               .state = {}};
  c.state.step = step;
  c.state.options.keep = "bleu";
  return c;
}

std::vector<int64_t> nothing(const RunState&) { return {}; }

std::string latest(const TemporaryFolder& folder, std::string* warnings = nullptr) {
  const auto found = latest_valid(folder.path, [&](const std::string& w) {
    if (warnings) *warnings += w + "\n";
  });
  return found ? fs::path(*found).filename().string() : "";
}

TEST(RunState, RoundTripsEveryBit) {
  const TemporaryFolder folder;
  RunState state;
  state.step = 123456789012345, state.epoch = 3, state.batch = 17, state.seconds = 0.1 + 0.2;
  state.since_log = {.batches = {.loss = 1.0 / 3, .units = 7, .sums = {{"nll", 1e300}, {"close", 5}}}};
  state.options.optimizer.lr = 1e-5 / 3;
  state.options.schedule.kind = "plateau";
  state.add({.step = 10, .epoch = 1, .seconds = 2.5, .scores = {{"bleu", 100.0 / 3}, {"loss", 0.1}}});
  state.add({.step = 20, .epoch = 2, .seconds = 3, .scores = {{"bleu", std::numeric_limits<double>::quiet_NaN()}}});
  write_state(folder / "state.json", state);
  const RunState back = read_state(io::File::open_regular(folder / "state.json"));
  EXPECT_EQ(back.step, state.step);
  EXPECT_EQ(back.batch, 17);
  EXPECT_EQ(back.seconds, state.seconds);
  EXPECT_EQ(back.since_log.batches.loss, 1.0 / 3);
  EXPECT_EQ(back.since_log.batches.sums, state.since_log.batches.sums);
  EXPECT_EQ(back.since_log.batches.units, 7);
  EXPECT_EQ(back.options.optimizer.lr, state.options.optimizer.lr);
  EXPECT_EQ(back.options.schedule.kind, "plateau");
  const auto history = back.history();
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].scores.at("bleu"), 100.0 / 3);
  EXPECT_EQ(history[0].seconds, 2.5);
  EXPECT_TRUE(std::isnan(history[1].scores.at("bleu")));
  EXPECT_THROW(state.add({.scores = {{"two words", 1}}}), ConfigError);
}

// A run of the version before goes on: its units were called tokens, and its sums had names of their own.
TEST(RunState, ReadsFormat1) {
  const TemporaryFolder folder;
  const std::string path = folder / "state.json";
  RunState state;
  state.step = 9, state.units = 77, state.since_log.batches = {.loss = 0.5, .units = 7};
  write_state(path, state);
  std::string text = read_all(path);
  const auto replace = [&](const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  };
  replace("\"format\": 2", "\"format\": 1");
  replace("\"units\": 77", "\"tokens\": 77");
  replace("\"units\": 7", "\"tokens\": 7, \"nll\": 0.25, \"correct\": 3, \"source_tokens\": 4, \"examples\": 1");
  replace("\"sums\": [],", "");
  write_all(path, text);
  const RunState back = read_state(io::File::open_regular(path));
  EXPECT_EQ(back.format, RunState().format);
  EXPECT_EQ(back.units, 77);
  EXPECT_EQ(back.since_log.batches.units, 7);
  EXPECT_EQ(back.since_log.batches.loss, 0.5);
}

TEST(RunState, DamageIsNamed) {
  const TemporaryFolder folder;
  const std::string path = folder / "state.json";
  const auto read_damaged = [&](const std::string& from, const std::string& to) {
    RunState state;
    state.add({.step = 10, .scores = {{"bleu", 1}}});
    write_state(path, state);
    std::string bytes = read_all(path);
    const size_t at = bytes.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    write_all(path, bytes.replace(at, from.size(), to));
    return message_or_none<FormatError>([&] { read_state(io::File::open_regular(path)); });
  };
  EXPECT_EQ(read_damaged("\"batch\"", "\"bach\""), path + ": unknown key 'bach'; did you mean 'batch'?");
  EXPECT_EQ(read_damaged("\"batch\": 0,", ""), path + ": has no key 'batch'");
  EXPECT_NE(read_damaged("\"format\": 2", "\"format\": 3"), "");
  EXPECT_NE(read_damaged("\"step\": 0", "\"step\": -1"), "");
  EXPECT_NE(read_damaged("bleu=1", "bleu=x").find("is damaged at 'x'"), std::string::npos);
  EXPECT_NE(read_damaged("bleu=1", "bleu").find("is damaged at 'bleu'"), std::string::npos);
}

TEST(RunState, BestOfHistory) {
  std::vector<ValidationRecord> history;
  for (const double x : {1.0, 3.0, std::numeric_limits<double>::quiet_NaN(), 2.0, 3.0})
    history.push_back({.step = static_cast<int64_t>(history.size()), .scores = {{"s", x}}});
  history.push_back({.step = 99, .scores = {{"other", 7}}});
  const auto steps = [&](int64_t n, bool larger) {
    std::vector<int64_t> out;
    for (const auto& r : best_of(history, "s", n, larger)) out.push_back(r.step);
    return out;
  };
  EXPECT_EQ(steps(3, true), (std::vector<int64_t>{1, 4, 3}));
  EXPECT_EQ(steps(9, false), (std::vector<int64_t>{0, 3, 1, 4}));
}

TEST(Checkpoint, TheNewestTwoAndTheBestTheyNameStay) {
  const TemporaryFolder folder;
  for (const int64_t step : {10, 20, 30}) save_best(folder.path, step, checkpoint_at(step).weights);
  for (const int64_t step : {9, 10, 20, 100}) save_checkpoint(folder.path, checkpoint_at(step));
  prune_checkpoints(folder.path, 20, [](const RunState& s) { return std::vector<int64_t>{s.step}; }, {30});
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path)) names.insert(entry.path().filename().string());
  // 100 is from a future that was given up.
  EXPECT_EQ(names, (std::set<std::string>{"checkpoint-10", "checkpoint-20", "best-10", "best-20", "best-30"}));
  EXPECT_EQ(latest(folder), "checkpoint-20");
  const auto weights = read_tensors(folder / "checkpoint-20", "weights.safetensors");
  EXPECT_EQ(weights.at(0).value.data<float>()[63], 20);
}

TEST(Checkpoint, ADamagedOneIsLeftOutWithAWarning) {
  const std::string file = "checkpoint-20/weights.safetensors";
  const auto after = [&](const std::function<void(const TemporaryFolder&)>& damage, std::string* warnings) {
    const TemporaryFolder folder;
    for (const int64_t step : {10, 20}) save_checkpoint(folder.path, checkpoint_at(step));
    EXPECT_EQ(latest(folder), "checkpoint-20");
    damage(folder);
    return latest(folder, warnings);
  };
  std::string torn, flipped, missing, unlisted;
  EXPECT_EQ(after([&](auto& f) { fs::resize_file(f / file, fs::file_size(f / file) - 1); }, &torn), "checkpoint-10");
  EXPECT_NE(torn.find(file), std::string::npos) << torn;
  const auto flip = [&](const TemporaryFolder& f) {
    std::string bytes = read_all(f / file);
    bytes[bytes.size() / 2] ^= 1;
    write_all(f / file, bytes);
  };
  EXPECT_EQ(after(flip, &flipped), "checkpoint-10");
  EXPECT_NE(flipped.find("SHA-256"), std::string::npos) << flipped;
  EXPECT_EQ(after([&](auto& f) { fs::remove(f / "checkpoint-20/state.json"); }, &missing), "checkpoint-10");
  EXPECT_NE(missing.find("missing"), std::string::npos) << missing;
  EXPECT_EQ(after([&](auto& f) { fs::remove(f / "checkpoint-20/manifest.json"); }, &unlisted), "checkpoint-10");
  const auto both = [&](const TemporaryFolder& f) {
    for (const int s : {10, 20}) fs::remove(f / str_cat("checkpoint-", s, "/state.json"));
  };
  EXPECT_EQ(after(both, nullptr), "");
}

// Saves steps 1, 2, 3, ... and says each one it has finished.
[[noreturn]] void save_forever(const std::string& folder, int log) {
  const ThreadScope one(1);
  for (int64_t step = 1;; ++step) {
    save_checkpoint(folder, checkpoint_at(step));
    if (::write(log, &step, sizeof step) != sizeof step) ::_exit(1);
    prune_checkpoints(folder, step, &nothing);
  }
}

TEST(Checkpoint, KilledAtAnyMomentNothingIsLost) {
  int64_t most = 0;
  Rng rng(1);
  for (int round = 0; round < 200; ++round) {
    const TemporaryFolder folder;
    int log[2];
    ASSERT_EQ(::pipe(log), 0);
    const pid_t child = ::fork();
    if (child == 0) save_forever(folder.path, log[1]);
    ::close(log[1]);
    int64_t told = 0, step = 0;
    // Some are killed during the first save, the others somewhere in the next ones.
    for (uint64_t k = rng.below(4); k > 0 && ::read(log[0], &step, sizeof step) == sizeof step; --k) told = step;
    ::usleep(static_cast<useconds_t>(rng.below(3000)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (::read(log[0], &step, sizeof step) == sizeof step) told = step;
    ::close(log[0]);
    std::string warnings;
    const std::string name = latest(folder, &warnings);
    EXPECT_EQ(warnings, "");
    if (told == 0 && name.empty()) continue;
    const int64_t found = read_checkpoint_state(folder / name).step;
    EXPECT_GE(found, told);  // the one it had no time to tell about may be there
    EXPECT_LE(found, told + 1);
    EXPECT_EQ(read_tensors(folder / name, "weights.safetensors")[0].value.data<float>()[0], found);
    io::remove_stale_temporaries(folder.path);
    for (const auto& entry : fs::directory_iterator(folder.path))
      EXPECT_TRUE(entry.path().filename().string().starts_with("checkpoint-")) << entry.path();
    most = std::max(most, found);
  }
  EXPECT_GE(most, 2);
}

TEST(Checkpoint, AFullDiskIsAnIoErrorAndThePreviousOneStays) {
  const TemporaryFolder folder;
  save_checkpoint(folder.path, checkpoint_at(1));
  const pid_t child = ::fork();
  if (child == 0) {
    const ThreadScope one(1);
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{2000, 2000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Checkpoint large = checkpoint_at(2);
    large.weights[0].value = Tensor::zeros({10'000});
    const std::string said = message_or_none<IoError>([&] { save_checkpoint(folder.path, large); });
    ::_exit(said.find("File too large") != std::string::npos && said.find("weights.safetensors") != std::string::npos
                ? 0
                : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  std::string warnings;
  EXPECT_EQ(latest(folder, &warnings), "checkpoint-1");
  EXPECT_EQ(warnings, "");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), {}), 1);
}

TEST(LoadParameters, NamesWhatDoesNotFit) {
  const TemporaryFolder folder;
  const std::string path = folder / "w.safetensors";
  const Var a = Var::parameter(Tensor::zeros({2}));
  const auto load = [&](const std::vector<io::NamedTensor>& tensors) {
    io::write_safetensors(path, tensors);
    return message_or_none<FormatError>([&] { load_parameters(io::SafetensorsFile(path), {{"a.weight", a}}); });
  };
  EXPECT_EQ(load({{"b", Tensor::zeros({2})}}), path + ": has no tensor 'a.weight', which the model needs");
  EXPECT_EQ(load({{"a.weight", Tensor::zeros({3})}}),
            path + ": a.weight is f32[3], the model has f32[2]; was it trained with other sizes?");
  EXPECT_EQ(load({{"a.weight", Tensor::zeros({2})}, {"a.weigh", Tensor::zeros({2})}}),
            path + ": the model has no parameter 'a.weigh'; did you mean 'a.weight'?");
  EXPECT_EQ(load({{"a.weight", Tensor::full({2}, 3)}}), "");
  EXPECT_EQ(a.value().data<float>()[1], 3);
}

TEST(MapParameters, TakesFloatsOrInt8RowsFromTheFileItself) {
  const TemporaryFolder folder;
  const std::string path = folder / "w.safetensors";
  const Var a = Var::parameter(Tensor::zeros({2, 3})), b = Var::parameter(Tensor::zeros({2}));
  const Tensor rows = Tensor::of<int8_t>({2, 3}, {1, -2, 3, -4, 5, 127}), scales = Tensor::of<float>({2}, {0.5, 2});
  const auto map = [&](const std::vector<io::NamedTensor>& tensors) {
    io::write_safetensors(path, tensors);
    io::SafetensorsFile file(path);
    return map_parameters(file, {{"a", a}, {"b", b}});
  };
  const auto refused = [&](const std::vector<io::NamedTensor>& tensors) {
    return message_or_none<FormatError>([&] { map(tensors); });
  };
  EXPECT_FALSE(map({{"a", Tensor::full({2, 3}, 7)}, {"b", scales}}));
  EXPECT_EQ(a.value().data<float>()[5], 7);
  EXPECT_EQ(refused({{"a", rows}, {"b", scales}}), path + ": has no tensor 'a.scale', which the model needs");
  EXPECT_EQ(refused({{"a", rows}, {"a.scale", Tensor::zeros({3})}, {"b", scales}}),
            path + ": a.scale is f32[3], the model has f32[2]; was it trained with other sizes?");
  EXPECT_EQ(refused({{"a", Tensor::zeros({2, 3})}, {"a.scale", scales}, {"b", scales}}),
            path + ": the model has no parameter 'a.scale'");
  EXPECT_EQ(refused({{"a", rows}, {"a.scale", scales}, {"b", Tensor::of<int8_t>({2}, {1, 2})}}),
            path + ": b is i8[2], the model has f32[2]; was it trained with other sizes?");
  EXPECT_TRUE(a.row_scales().empty()) << "nothing is changed by a file that is refused";
  EXPECT_TRUE(map({{"a", rows}, {"a.scale", scales}, {"b", scales}}));
  EXPECT_EQ(a.dtype(), Dtype::i8);
  EXPECT_EQ(a.value().data<int8_t>()[5], 127);
  EXPECT_EQ(a.row_scales().data<float>()[1], 2);
  EXPECT_EQ(b.value().data<float>()[1], 2);
}

}  // namespace
}  // namespace lookback::train
