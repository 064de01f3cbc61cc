#include "lookback/train/trainer.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/io/safetensors.h"
#include "lookback/tensor/storage.h"
#include "lookback/train/checkpoint.h"
#include "lookback/train/fake_trainable.h"
#include "lookback/train/parameters.h"

namespace lookback::train {
namespace {
namespace fs = std::filesystem;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A run in a folder of its own, with everything that can be looked at afterwards.
struct Trial {
  TemporaryFolder folder;
  FakeTrainable model;
  Recorder seen;
  RunContext context{.folder = folder / "model", .observer = &seen};
  TrainOptions options{.max_steps = 20, .validate_every = 5, .optimizer = {.lr = 0.05}, .log_every = 5};

  TrainResult train() { return train::train(model, options, context); }
  std::string log() const { return read_all(context.folder + "/training/log.jsonl"); }
  std::string published_step() const {
    return io::SafetensorsFile(context.folder + "/model.safetensors").metadata().at("step");
  }
  bool has(const std::string& name) const { return fs::exists(context.folder + "/" + name); }
};

int64_t count(const std::string& in, const std::string& what) {
  int64_t n = 0;
  for (size_t at = in.find(what); at != std::string::npos; at = in.find(what, at + 1)) ++n;
  return n;
}

TEST(Trainer, LearnsAndLeavesTheBestWeights) {
  Trial run;
  run.options.max_steps = 200;
  const double before = run.model.validate().scores.at("loss");
  const TrainResult result = run.train();
  EXPECT_EQ(result.reason, "max_steps");
  EXPECT_EQ(result.steps, 200);
  EXPECT_NEAR(result.epochs, 200 / 7.0, 1e-9);
  EXPECT_EQ(result.history.size(), 40u);
  EXPECT_LT(result.best_score, before / 100);
  EXPECT_EQ(run.model.validate().scores.at("loss"), result.best_score);
  EXPECT_EQ(run.published_step(), std::to_string(result.best_step));
  // Everything is in the file: tied and frozen parameters too.
  FakeTrainable other;
  load_parameters(io::SafetensorsFile(run.context.folder + "/model.safetensors"), other.parameters());
  EXPECT_EQ(other.validate().scores.at("loss"), result.best_score);
  EXPECT_TRUE(run.has("config.json"));
  EXPECT_EQ(run.seen.steps.size(), 200u);
  EXPECT_EQ(run.seen.validations.size(), 40u);
  EXPECT_EQ(run.seen.steps[99].step, 100);
  EXPECT_GE(run.seen.steps[99].eta_seconds, 0);
  int checkpoints = 0, best = 0;
  for (const auto& entry : fs::directory_iterator(run.context.folder + "/training")) {
    checkpoints += entry.path().filename().string().starts_with("checkpoint-");
    best += entry.path().filename().string().starts_with("best-");
  }
  EXPECT_EQ(checkpoints, 2);
  EXPECT_LE(best, 2);  // the two checkpoints may name different ones
}

TEST(Trainer, LogHasOneObjectPerEvent) {
  Trial run;
  run.train();
  const std::string log = run.log();
  EXPECT_EQ(count(log, "\"event\": \"start\""), 1);
  EXPECT_EQ(count(log, "\"event\": \"train\""), 4);
  EXPECT_EQ(count(log, "\"event\": \"valid\""), 4);
  EXPECT_EQ(count(log, "\n"), 9);
  EXPECT_NE(log.find("\"output\": \"bad \xEF\xBF\xBD byte\""), std::string::npos) << log;
  EXPECT_NE(log.find("\"step\": 5, \"epoch\": 0.7142857142857143, \"loss\": "), std::string::npos) << log;
  EXPECT_FALSE(fs::is_empty(run.context.folder + "/training/events"));
}

TEST(Trainer, AccumulationEqualsABigBatch) {
  Trial run;
  run.options.accumulate = 3;  // 7 batches: steps of 3, 3 and 1
  run.options.optimizer = {.kind = "sgd", .lr = 0.05};
  run.options.max_steps = 3;
  run.options.validate_every = 0;
  run.model.input_noise = 0;
  FakeTrainable by_hand;
  by_hand.input_noise = 0;
  for (const auto& [begin, end] : {std::pair{0, 3}, {3, 6}, {6, 7}}) {
    int64_t tokens = 0;
    Noise noise;
    for (int k = begin; k < end; ++k) tokens += by_hand.units(0, k);
    for (int k = begin; k < end; ++k) by_hand.run(0, k, 1.0 / static_cast<double>(tokens), noise);
    for (int64_t k = 0; k < 12; ++k) by_hand.w.value().data<float>()[k] -= 0.05f * by_hand.w.grad().data<float>()[k];
    for (int64_t k = 0; k < 3; ++k) by_hand.b.value().data<float>()[k] -= 0.05f * by_hand.b.grad().data<float>()[k];
    by_hand.w.clear_grad(), by_hand.b.clear_grad();
  }
  const TrainResult result = run.train();
  EXPECT_EQ(result.epochs, 1);
  EXPECT_EQ(result.history.size(), 1u);  // at the epoch's end, and not again at the end
  for (int64_t k = 0; k < 12; ++k)
    EXPECT_EQ(run.model.w.value().data<float>()[k], by_hand.w.value().data<float>()[k]) << k;
}

TEST(Trainer, ClipBoundsTheStep) {
  Trial run;
  run.options.optimizer = {.kind = "sgd", .lr = 1, .clip = 1e-3};
  run.options.max_steps = 1;
  const Tensor before = run.model.w.value().clone();
  run.train();
  double moved = 0;
  for (int64_t k = 0; k < 12; ++k) moved += std::pow(run.model.w.value().data<float>()[k] - before.data<float>()[k], 2);
  EXPECT_GT(run.seen.steps[0].grad_norm, 0.1);
  EXPECT_LE(std::sqrt(moved), 1.0001e-3);
  EXPECT_GT(std::sqrt(moved), 0.5e-3);
}

TEST(Trainer, EveryLimitEndsTheRun) {
  Trial epochs;
  epochs.options.max_steps = 0, epochs.options.max_epochs = 2;
  EXPECT_EQ(epochs.train().reason, "max_epochs");
  EXPECT_EQ(epochs.seen.steps.size(), 14u);
  Trial minutes;
  double now = 1000;
  minutes.context.clock = [&] { return now += 0.25; };
  minutes.options.max_steps = 0, minutes.options.max_minutes = 1;
  const TrainResult result = minutes.train();
  EXPECT_EQ(result.reason, "max_minutes");
  EXPECT_GT(result.seconds, 55);
  EXPECT_LT(result.seconds, 65);
  EXPECT_NEAR(minutes.seen.steps.back().eta_seconds, 0, 2);
}

TEST(Trainer, TimeBeforeTheResumeCounts) {
  Trial run;
  double now = 0;
  run.context.clock = [&] { return now += 0.25; };
  run.options.max_steps = 0, run.options.max_minutes = 1;
  int64_t steps = 0;
  run.context.stop_requested = [&] { return ++steps == 10 ? SIGINT : 0; };
  const double first = run.train().seconds;
  now = 1e6;
  run.context.mode = FolderMode::resume;
  const TrainResult result = run.train();
  EXPECT_GT(first, 5);
  EXPECT_LT(result.seconds, 65);
  EXPECT_GT(result.seconds, 55);
}

TEST(Trainer, StopsEarlyWithoutABetterScore) {
  Trial run;
  run.options.max_steps = 0, run.options.patience = 2, run.options.keep = "score";
  run.model.larger = true;
  run.model.scripted = [](int64_t n) { return std::vector{1.0, 5.0, 4.0, 6.0, 6.0, kNan, 9.0}[size_t(n)]; };
  const TrainResult result = run.train();
  EXPECT_EQ(result.reason, "patience");
  EXPECT_EQ(result.steps, 30);
  EXPECT_EQ(result.best_step, 20);
  EXPECT_EQ(result.best_score, 6);
  EXPECT_EQ(run.published_step(), "20");
}

TEST(Trainer, PlateauCutsTheRate) {
  Trial run;
  run.options.schedule = {.kind = "plateau", .factor = 0.1, .patience = 1};
  run.options.keep = "score";
  run.model.scripted = [](int64_t n) { return n == 0 ? 1.0 : 2.0; };
  run.train();
  EXPECT_EQ(run.seen.steps[8].lr, 0.05);
  EXPECT_NEAR(run.seen.steps[12].lr, 0.005, 1e-12);
  EXPECT_NEAR(run.seen.steps[17].lr, 0.0005, 1e-12);
}

TEST(Trainer, AveragesAreWhatIsScoredAndSaved) {
  for (const bool polyak : {false, true}) {
    Trial run;
    run.options.optimizer = {.kind = "sgd", .lr = 0.3, .averaged = polyak};
    run.options.ema = polyak ? 0 : 0.9;
    const TrainResult averaged = run.train();
    Trial plain;
    plain.options.optimizer = {.kind = "sgd", .lr = 0.3};
    plain.train();
    // The weights that are trained are the same, those that are scored are not.
    const std::string last = "/training/checkpoint-20/weights.safetensors";
    EXPECT_EQ(read_all(run.context.folder + last), read_all(plain.context.folder + last));
    EXPECT_NE(run.seen.validations[0].scores.at("loss"), plain.seen.validations[0].scores.at("loss"));
    EXPECT_EQ(run.model.validate().scores.at("loss"), averaged.best_score);
  }
}

TEST(Trainer, TheMeanOfTheBestIsKeptIfItIsBetter) {
  for (const bool better : {true, false}) {
    Trial run;
    run.options.average_best = 3, run.options.keep = "score";
    run.model.scripted = [&](int64_t n) {
      return n == 4 ? (better ? 0.5 : 9.0) : std::vector{4.0, 1.0, 3.0, 2.0}[size_t(n)];
    };
    std::vector<float> weights;  // the first one, at every validation
    run.model.on_validate = [&] { weights.push_back(run.model.w.value().data<float>()[0]); };
    const TrainResult result = run.train();
    ASSERT_EQ(weights.size(), 5u);
    EXPECT_FLOAT_EQ(weights[4], (weights[1] + weights[2] + weights[3]) / 3);
    EXPECT_EQ(result.averaged, better);
    EXPECT_EQ(result.best_score, better ? 0.5 : 1.0);
    EXPECT_EQ(run.published_step(), better ? "mean of 10, 20, 15" : "10");
    EXPECT_EQ(run.model.w.value().data<float>()[0], better ? weights[4] : weights[1]);
    EXPECT_NE(run.log().find("\"event\": \"average\", \"steps\": [10, 20, 15]"), std::string::npos) << run.log();
  }
}

TEST(Trainer, StopPolicyNamesWhatIsNotFinite) {
  Trial loss;
  loss.model.bad_loss = [](int64_t epoch, int64_t batch) { return epoch == 1 && batch == 2 ? kNan : 0; };
  EXPECT_EQ(message_or_none<NumericError>([&] { loss.train(); }),
            "step 10: the loss is not finite (epoch 1, batch 2); lower optimizer.lr, set optimizer.clip or a longer "
            "schedule.warmup, or set on_nonfinite to skip or rollback");
  Trial gradient;
  gradient.model.bad_gradient = [](int64_t epoch, int64_t) { return epoch == 1 ? INFINITY : 0; };
  EXPECT_EQ(message_or_none<NumericError>([&] { gradient.train(); }).substr(0, 63),
            "step 8: the gradient of layer.weight is not finite (epoch 1, ba");
  Trial weights;  // infinite from a finite gradient
  weights.options.optimizer = {.kind = "sgd", .lr = 1000};
  weights.options.validate_every = 1;
  weights.model.bad_gradient = [](int64_t, int64_t) { return 1e38; };
  EXPECT_EQ(message_or_none<NumericError>([&] { weights.train(); }),
            "step 1: the parameter layer.weight is not finite; start again with a lower optimizer.lr or with "
            "optimizer.clip, or set on_nonfinite = 'rollback'");
  EXPECT_TRUE(latest_valid(weights.context.folder + "/training", [](auto&) {}).value().ends_with("checkpoint-0"));
}

TEST(Trainer, SkipPolicyLeavesTheUpdateOut) {
  Trial run;
  run.options.on_nonfinite = "skip";
  run.model.bad_gradient = [](int64_t epoch, int64_t batch) { return epoch == 1 && batch < 3 ? kNan : 0; };
  EXPECT_EQ(run.train().skipped, 3);
  EXPECT_EQ(count(run.log(), "\"event\": \"skip\""), 3);
  EXPECT_NE(run.log().find("\"what\": \"the gradient of layer.weight\""), std::string::npos);
  Trial hopeless;
  hopeless.options.on_nonfinite = "skip", hopeless.options.max_skips = 4;
  hopeless.model.bad_loss = [](int64_t, int64_t) { return kNan; };
  EXPECT_NE(message_or_none<NumericError>([&] { hopeless.train(); }).find("step 5: the loss is not finite"),
            std::string::npos);
}

TEST(Trainer, RollbackReturnsToTheCheckpointWithHalfTheRate) {
  Trial run;
  run.options.on_nonfinite = "rollback", run.options.save_every = 3, run.options.validate_every = 0;
  int64_t bad = 0;
  run.model.bad_gradient = [&](int64_t epoch, int64_t batch) {
    return epoch == 1 && batch == 0 && bad++ < 2 ? kNan : 0;
  };
  const TrainResult result = run.train();
  EXPECT_EQ(result.rollbacks, 2);
  EXPECT_EQ(result.steps, 20);
  std::vector<int64_t> steps;
  for (const Progress& p : run.seen.steps) steps.push_back(p.step);
  // Step 8 is the first of epoch 1; the checkpoint before it is at 7, the epoch's end.
  EXPECT_EQ(std::vector<int64_t>(steps.begin(), steps.begin() + 10),
            (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(run.seen.steps[6].lr, 0.05);
  EXPECT_EQ(run.seen.steps[7].lr, 0.0125);
  EXPECT_EQ(count(run.log(), "\"event\": \"rollback\""), 1);  // what came after the checkpoint is void
  Trial hopeless;
  hopeless.options.on_nonfinite = "rollback";
  hopeless.model.bad_loss = [](int64_t, int64_t) { return kNan; };
  EXPECT_NE(message_or_none<NumericError>([&] { hopeless.train(); }).find("training went back 3 times already"),
            std::string::npos);
}

TEST(Trainer, RollbackAlsoHealsWeights) {
  Trial run;
  run.options.on_nonfinite = "rollback", run.options.validate_every = 1, run.options.max_steps = 3;
  run.options.optimizer = {.kind = "sgd", .lr = 100};
  int64_t bad = 0;
  run.model.bad_gradient = [&](int64_t, int64_t) { return bad++ == 1 ? 3e38 : 0; };
  EXPECT_EQ(run.train().rollbacks, 1);
}

TEST(Trainer, FoldersAreNotTakenByAccident) {
  Trial run;
  run.train();
  const std::string before = fingerprint(run.context.folder);
  EXPECT_EQ(
      message_or_none<ConfigError>([&] { run.train(); }),
      run.context.folder + ": exists and is not empty; resume the run in it, overwrite it, or choose another folder");
  EXPECT_EQ(fingerprint(run.context.folder), before);
  run.context.mode = FolderMode::overwrite;
  for (const std::string mine : {"notes.txt", "training/notes.txt", "training/checkpoint-mine", "source/spm.model"}) {
    const std::string path = run.context.folder + "/" + mine;
    fs::create_directories(fs::path(path).parent_path());
    write_all(path, "mine");
    EXPECT_NE(message_or_none<ConfigError>([&] { run.train(); }).find("a run did not write " + path),
              std::string::npos);
    EXPECT_EQ(read_all(path), "mine");
    fs::remove(path);
  }
  fs::remove(run.context.folder + "/source");
  FakeTrainable fresh;
  train(fresh, run.options, run.context);
  EXPECT_EQ(fingerprint(run.context.folder), before);  // nothing of the first run shines through
  run.context = {.folder = run.folder / "other", .mode = FolderMode::resume};
  fs::create_directories(run.context.folder);
  write_all(run.context.folder + "/data.txt", "x");
  EXPECT_NE(message_or_none<ConfigError>([&] { run.train(); }).find("there is no run to resume"), std::string::npos);
  run.context.folder = run.folder / "other/data.txt";
  EXPECT_NE(message_or_none<ConfigError>([&] { run.train(); }).find("is not a folder"), std::string::npos);
}

TEST(Trainer, WhatIsOverwrittenStaysUntilTheFirstSave) {
  Trial run;
  run.train();
  const std::string before = fingerprint(run.context.folder);
  write_all(run.context.folder + "/config.json", "{\"of\": \"before\"}");
  run.context.mode = FolderMode::overwrite;
  FakeTrainable fresh;
  fresh.on_save = [&] {
    EXPECT_EQ(read_all(run.context.folder + "/config.json"), "{\"of\": \"before\"}");
    EXPECT_EQ(fingerprint(run.context.folder), before);
    throw IoError("no more");
  };
  EXPECT_THROW(train(fresh, run.options, run.context), IoError);
  EXPECT_EQ(fingerprint(run.context.folder), before);
  FakeTrainable another;
  train(another, run.options, run.context);
  EXPECT_EQ(read_all(run.context.folder + "/config.json"), "{}\n");
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(fs::path(run.context.folder).parent_path()))
    left.push_back(entry.path().filename());
  EXPECT_EQ(left.size(), 1u);
}

TEST(Trainer, AFolderOfOnesOwnIsNoRun) {
  Trial run;
  fs::create_directories(run.context.folder + "/training");
  write_all(run.context.folder + "/README.md", "mine");
  write_all(run.context.folder + "/config.json", "{}");
  run.context.mode = FolderMode::overwrite;
  EXPECT_NE(message_or_none<ConfigError>([&] { run.train(); }).find("is not overwritten"), std::string::npos);
  EXPECT_EQ(read_all(run.context.folder + "/README.md"), "mine");
  // What an earlier version wrote, without a manifest.
  write_all(run.context.folder + "/config.json", "{\"model_type\": \"lookback-seq2seq\"}");
  run.train();
  EXPECT_TRUE(run.has("manifest.json"));
  EXPECT_FALSE(run.has("README.md"));
}

TEST(Trainer, OneRunPerFolder) {
  Trial run;
  std::string said;
  run.model.on_validate = [&] {
    if (!said.empty()) return;
    FakeTrainable other;
    RunContext context{.folder = run.context.folder, .mode = FolderMode::resume};
    said = message_or_none<ConfigError>([&] { train(other, run.options, context); });
  };
  run.train();
  EXPECT_NE(said.find("another run is writing here"), std::string::npos) << said;
}

TEST(Trainer, OptionsThatCannotWorkAreRefusedBeforeTraining) {
  const auto refused = [](const std::function<void(Trial&)>& change) {
    Trial run;
    change(run);
    const std::string said = message_or_none<ConfigError>([&] { run.train(); });
    EXPECT_EQ(run.model.runs, 0);
    EXPECT_FALSE(fs::exists(run.context.folder));
    return said;
  };
  EXPECT_NE(refused([](Trial& r) { r.options.max_steps = 0; }).find("would never end"), std::string::npos);
  EXPECT_NE(refused([](Trial& r) { r.options.ema = 0.9, r.options.optimizer.averaged = true; }).find("choose one"),
            std::string::npos);
  EXPECT_NE(refused([](Trial& r) { r.options.keep = "blue"; }).find("'blue'"), std::string::npos);
  EXPECT_NE(refused([](Trial& r) { r.options.on_nonfinite = "ignore"; }).find("'ignore'"), std::string::npos);
  EXPECT_NE(refused([](Trial& r) { r.options.schedule.decay_by = "time"; }).find("'time'"), std::string::npos);
  Trial absent;
  absent.options.keep = "absent";
  EXPECT_EQ(message_or_none<ConfigError>([&] { absent.train(); }), "keep = 'absent', but validation gives loss, score");
  Trial nothing;
  nothing.model.epoch_batches = 0;
  EXPECT_NE(message_or_none<FormatError>([&] { nothing.train(); }).find("nothing to train on"), std::string::npos);
}

TEST(Trainer, WithoutANumberTheLastWeightsAreKept) {
  Trial run;
  run.options.keep = "score";
  run.model.scripted = [](int64_t) { return kNan; };
  const TrainResult result = run.train();
  EXPECT_FALSE(result.has_best);
  EXPECT_EQ(run.published_step(), "20");
  EXPECT_NE(run.seen.all().find("no validation gave a number for 'score'"), std::string::npos);
}

TEST(Trainer, AFullDiskIsAnIoErrorAndTheCheckpointIsWhole) {
  Trial run;
  const pid_t child = ::fork();
  if (child == 0) {
    const ThreadScope one(1);
    ::signal(SIGXFSZ, SIG_IGN);
    run.options.log_every = 1, run.options.max_steps = 1000, run.options.save_every = 7;
    run.context.stop_requested = [&] {
      const rlimit limit{3000, 3000};  // log and events grow into it
      if (run.model.runs == 10) ::setrlimit(RLIMIT_FSIZE, &limit);
      return 0;
    };
    ::_exit(message_or_none<IoError>([&] { run.train(); }).find("File too large") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(latest_valid(run.context.folder + "/training", [](auto& w) { ADD_FAILURE() << w; }).has_value());
  run.context.mode = FolderMode::resume;
  EXPECT_EQ(run.train().steps, 20);
}

TEST(Trainer, ASteadyStepAsksTheSystemForNothing) {
  Trial run;
  run.options.max_steps = 60, run.options.validate_every = 100, run.options.log_every = 100;
  std::vector<int64_t> allocations;
  run.context.stop_requested = [&] { return allocations.push_back(pool_stats().system_allocations), 0; };
  run.train();
  EXPECT_EQ(allocations[10], allocations[59]);
}

}  // namespace
}  // namespace lookback::train
