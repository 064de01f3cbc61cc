// A run that is stopped or killed anywhere and resumed ends with the same bits as one that is not.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/io/event_writer.h"
#include "lookback/train/checkpoint.h"
#include "lookback/train/fake_trainable.h"
#include "lookback/train/trainer.h"

namespace lookback::train {
namespace {
namespace fs = std::filesystem;

// The steps to stop after: all of the first configuration's, every third of the others'.
std::vector<int64_t> stops(size_t configuration, int64_t steps) {
  std::vector<int64_t> out;
  const int64_t first = static_cast<int64_t>(configuration), stride = configuration == 0 ? 1 : 3;
  for (int64_t n = std::max<int64_t>(1, first); n < std::min<int64_t>(25, steps); n += stride) out.push_back(n);
  return out;
}

struct Crash {};  // not an Error: nobody catches it

// Configurations that between them have everything a resume has to bring back.
std::vector<TrainOptions> configurations() {
  TrainOptions base{.max_steps = 26, .validate_every = 6, .log_every = 4, .samples = 1};
  TrainOptions a = base, b = base, c = base, d = base, e = base;
  a.optimizer = {.kind = "adam", .lr = 0.2, .clip = 0.5};
  a.schedule = {.kind = "plateau", .warmup = 3, .factor = 0.5, .patience = 1};
  a.ema = 0.8, a.accumulate = 3, a.validate_every_epochs = 2, a.average_best = 3;
  b.optimizer = {.kind = "sgd", .lr = 0.4, .momentum = 0.9, .averaged = true, .average_start = 8};
  b.schedule = {.kind = "cosine", .warmup = 2};
  b.save_every = 5, b.max_epochs = 3;
  c.optimizer = {.kind = "radam", .lr = 0.5, .weight_decay = 0.01};
  c.schedule = {.kind = "exponential", .decay = 0.7};
  c.patience = 2, c.max_steps = 60, c.validate_every = 3;
  d.on_nonfinite = "rollback", d.save_every = 4, d.optimizer = {.kind = "sgd", .lr = 0.3};
  // By this score the model gets worse as it learns, so that the mean begins in the middle.
  e.optimizer = {.kind = "sgd", .lr = 0.1, .averaged = true, .average_trigger = 2}, e.validate_every = 2;
  e.keep = "score";
  return {a, b, c, d, e};
}

TrainResult run(const TrainOptions& options, const std::string& folder, FolderMode mode,
                const std::function<int()>& stop = {}, Observer* observer = nullptr) {
  FakeTrainable model;
  model.carries = options.on_nonfinite == "stop";
  if (options.on_nonfinite == "rollback") {
    // Bad as long as the rate is not cut: what rollback is for.
    model.bad_gradient = [&model](int64_t epoch, int64_t batch) {
      return epoch == 1 && batch == 3 && model.w.value().data<float>()[0] > 0.2749f ? NAN : 0;
    };
  }
  return train(model, options, {.folder = folder, .mode = mode, .observer = observer, .stop_requested = stop});
}

TEST(Resume, StoppedAfterAnyStepItEndsWithTheSameBits) {
  for (size_t c = 0; c < configurations().size(); ++c) {
    const TrainOptions options = configurations()[c];
    const TemporaryFolder folder;
    const TrainResult straight = run(options, folder / "straight", FolderMode::create);
    EXPECT_EQ(straight.rollbacks, options.on_nonfinite == "rollback" ? 1 : 0);
    const RunState last = read_checkpoint_state(folder / str_cat("straight/training/checkpoint-", straight.steps));
    EXPECT_EQ(last.average_begun > 0, options.optimizer.average_trigger > 0);
    EXPECT_LT(last.average_begun, straight.steps - 4);
    for (const int64_t n : stops(c, straight.steps)) {
      const std::string here = folder / str_cat("stopped-", n);
      int64_t steps = 0;
      const auto first = run(options, here, FolderMode::create, [&] { return ++steps == n ? SIGTERM : 0; });
      EXPECT_EQ(first.reason, "interrupted");
      EXPECT_EQ(first.interrupted_by, SIGTERM);
      EXPECT_TRUE(fs::exists(here + "/model.safetensors"));
      const auto second = run(options, here, FolderMode::resume);
      EXPECT_EQ(second.steps, straight.steps);
      EXPECT_EQ(second.best_score, straight.best_score);
      EXPECT_EQ(second.reason, straight.reason);
      EXPECT_EQ(second.history.size(), straight.history.size());
      // Other files may differ: the stop made one more checkpoint, which may be among the newest two.
      const auto newest = here + str_cat("/training/checkpoint-", straight.steps);
      for (const std::string file : {"/model.safetensors", "/config.json"})
        EXPECT_EQ(read_all(here + file), read_all(folder / "straight" + file)) << n;
      for (const std::string file : {"/weights.safetensors", "/optimizer.safetensors"})
        EXPECT_EQ(read_all(newest + file),
                  read_all(folder / str_cat("straight/training/checkpoint-", straight.steps) + file));
      EXPECT_EQ(log_without_time(here), log_without_time(folder / "straight")) << n;
      fs::remove_all(here);
    }
  }
}

TEST(Resume, AbandonedAfterAnyStepItEndsWithTheSameBits) {
  for (size_t c = 0; c < configurations().size(); ++c) {
    const TrainOptions options = configurations()[c];
    const TemporaryFolder folder;
    const TrainResult straight = run(options, folder / "straight", FolderMode::create);
    const std::string expected = fingerprint(folder / "straight");
    for (const int64_t n : stops(c, straight.steps)) {
      const std::string here = folder / "crashed";
      int64_t steps = 0;
      EXPECT_THROW(run(options, here, FolderMode::create, [&]() -> int { return ++steps == n ? throw Crash() : 0; }),
                   Crash);
      run(options, here, FolderMode::resume);
      EXPECT_EQ(fingerprint(here), expected) << "after step " << n;
      fs::remove_all(here);
    }
  }
}

TEST(Resume, KilledAnywhereItEndsWithTheSameBits) {
  const TrainOptions options = configurations()[0];
  const TemporaryFolder folder;
  run(options, folder / "straight", FolderMode::create);
  const std::string expected = fingerprint(folder / "straight");
  Rng rng(4);
  int kills = 0;
  for (int round = 0; round < 5; ++round) {
    const std::string here = folder / "killed";
    uint64_t patience = 20'000;  // microseconds; grows, so that a slow machine gets anywhere between two kills
    for (bool done = false; !done; patience += patience / 4) {
      const pid_t child = ::fork();
      if (child == 0) {
        const ThreadScope one(1);
        const FolderMode mode = fs::exists(here + "/training") ? FolderMode::resume : FolderMode::overwrite;
        run(options, here, mode, [] { return ::usleep(500), 0; });  // long enough to be met at work
        ::_exit(0);
      }
      ::usleep(static_cast<useconds_t>(rng.below(patience)));
      ::kill(child, SIGKILL);
      int status = 0;
      ::waitpid(child, &status, 0);
      done = WIFEXITED(status);
      EXPECT_TRUE(!done || WEXITSTATUS(status) == 0);
      kills += !done;
    }
    EXPECT_EQ(fingerprint(here), expected);
    fs::remove_all(here);
  }
  EXPECT_GT(kills, 0);
}

TEST(Resume, ADamagedCheckpointCostsOnlyTheStepsSinceTheOneBefore) {
  const TrainOptions options = configurations()[0];
  const TemporaryFolder folder;
  run(options, folder / "straight", FolderMode::create);
  const std::string here = folder / "damaged", newest = here + "/training/checkpoint-18";
  int64_t steps = 0;
  EXPECT_THROW(run(options, here, FolderMode::create, [&]() -> int { return ++steps == 19 ? throw Crash() : 0; }),
               Crash);
  std::string bytes = read_all(newest + "/optimizer.safetensors");
  bytes.back() ^= 1;
  write_all(newest + "/optimizer.safetensors", bytes);
  Recorder seen;
  run(options, here, FolderMode::resume, {}, &seen);
  EXPECT_NE(seen.all().find("checkpoint-18"), std::string::npos) << seen.all();
  EXPECT_NE(seen.all().find("resumed after step 12"), std::string::npos) << seen.all();
  EXPECT_EQ(fingerprint(here), fingerprint(folder / "straight"));
}

TEST(Resume, WithoutAWholeCheckpointNothingIsStartedOver) {
  const TemporaryFolder folder;
  const std::string here = folder / "model";
  run(configurations()[1], here, FolderMode::create);
  for (const auto& e : fs::directory_iterator(here + "/training"))
    if (e.is_directory()) fs::remove(e.path().string() + "/manifest.json");
  EXPECT_NE(message_or_none<FormatError>([&] {
              run(configurations()[1], here, FolderMode::resume);
            }).find("none of its checkpoints is whole"),
            std::string::npos);
}

TEST(Resume, WithoutAnyCheckpointTrainingStarts) {
  const TemporaryFolder folder;
  const TrainOptions options = configurations()[1];
  run(options, folder / "straight", FolderMode::create);
  fs::create_directories(folder / "early/training");
  Recorder seen;
  run(options, folder / "early", FolderMode::resume, {}, &seen);
  run(options, folder / "new", FolderMode::resume);
  EXPECT_NE(seen.all().find("no checkpoint yet"), std::string::npos);
  EXPECT_EQ(fingerprint(folder / "early"), fingerprint(folder / "straight"));
  EXPECT_EQ(fingerprint(folder / "new"), fingerprint(folder / "straight"));
}

TEST(Resume, AFinishedRunGoesOnWithAHigherLimit) {
  TrainOptions options = configurations()[0];
  const TemporaryFolder folder;
  run(options, folder / "straight", FolderMode::create);
  options.max_steps = 14;  // not a scheduled validation: the one at the end must leave no trace
  run(options, folder / "longer", FolderMode::create);
  options.max_steps = 26;
  Recorder seen;
  run(options, folder / "longer", FolderMode::resume, {}, &seen);
  EXPECT_NE(seen.all().find("max_steps = 26 (was 14)"), std::string::npos) << seen.all();
  EXPECT_EQ(fingerprint(folder / "longer"), fingerprint(folder / "straight"));
  const std::string once = fingerprint(folder / "straight");
  run(options, folder / "straight", FolderMode::resume);
  EXPECT_EQ(fingerprint(folder / "straight"), once);
}

TEST(Resume, WhatMayNotChangeIsRefused) {
  const TemporaryFolder folder;
  const TrainOptions before = configurations()[0];
  run(before, folder / "model", FolderMode::create);
  const auto refused = [&](const std::function<void(TrainOptions&)>& change) {
    TrainOptions now = before;
    now.max_steps = 40;
    change(now);
    return message_or_none<ConfigError>([&] { run(now, folder / "model", FolderMode::resume); });
  };
  const std::string untouched = fingerprint(folder / "model");
  EXPECT_EQ(
      refused([](auto& o) { o.seed = 2, o.optimizer.lr = 0.1; }),
      "the run was started with other options: train.optimizer.lr = 0.1 (was 0.2), train.seed = 2 (was 1); leave these "
      "as "
      "they were, or start another run; only limits (train.max_*, train.patience), saving and logging may change");
  EXPECT_NE(refused([](auto& o) { o.optimizer.kind = "sgd"; }).find("optimizer.kind = \"sgd\""), std::string::npos);
  EXPECT_NE(refused([](auto& o) { o.ema = 0; }).find("ema = 0"), std::string::npos);
  EXPECT_NE(refused([](auto& o) { o.validate_every = 3; }).find("validate_every = 3"), std::string::npos);
  EXPECT_EQ(fingerprint(folder / "model"), untouched);
  EXPECT_EQ(refused([](auto& o) { o.patience = 1000, o.save_every = 9, o.log_every = 3, o.samples = 0; }), "");
}

TEST(Resume, WhatElseTheRunWasStartedWithHolds) {
  const TemporaryFolder folder;
  const TrainOptions options{.max_steps = 4, .validate_every = 2};
  const auto sit = [&](int64_t steps, FolderMode mode, const StringList& settings) {
    TrainOptions now = options;
    now.max_steps = steps;
    FakeTrainable model;
    train(model, now, {.folder = folder / "model", .mode = mode, .settings = settings});
  };
  sit(4, FolderMode::create, {"model.hidden = 8", "data = \"a = b\""});
  EXPECT_NE(message_or_none<ConfigError>([&] {
              sit(8, FolderMode::resume, {"model.hidden = 9", "data = \"a = c\"", "new = 1"});
            }).find("data = \"a = c\" (was \"a = b\"), model.hidden = 9 (was 8)"),
            std::string::npos);
  sit(8, FolderMode::resume, {"model.hidden = 8", "data = \"a = b\"", "new = 1"});
}

TEST(Resume, ACosineKeepsTheEndItStartedWith) {
  const TemporaryFolder folder;
  TrainOptions options{.max_steps = 10, .validate_every = 5, .schedule = {.kind = "cosine"}};
  run(options, folder / "model", FolderMode::create);
  options.max_steps = 15;
  run(options, folder / "model", FolderMode::resume);
  EXPECT_EQ(newest_state(folder / "model/training")->options.schedule.total, 10);
}

// By the clock a batch takes 10 ms and a validation 50.
RunContext timed(const std::string& folder, FolderMode mode, FakeTrainable& model, Recorder& seen) {
  const auto validations = std::make_shared<int>(0);
  model.on_validate = [validations] { ++*validations; };
  return {.folder = folder, .mode = mode, .observer = &seen, .clock = [validations, &model] {
            return 0.01 * static_cast<double>(model.runs) + 0.05 * *validations;
          }};
}

TEST(Resume, ACosineFillsTheMinutesAsTheRunOfThatManySteps) {
  const TemporaryFolder folder;
  TrainOptions options{.max_minutes = 0.2,
                       .validate_every_epochs = 2,
                       .optimizer = {.lr = 0.05},
                       .schedule = {.kind = "cosine", .warmup = 5},
                       .ema = 0.9};
  FakeTrainable measured, told;
  measured.carries = told.carries = true;
  Recorder seen;
  const TrainResult result = train(measured, options, timed(folder / "measured", FolderMode::create, measured, seen));
  const auto state = newest_state(folder / "measured/training");
  const int64_t total = state->options.schedule.total;
  EXPECT_NE(seen.all().find(str_cat("schedule.total = ", total, ": the steps")), std::string::npos) << seen.all();
  EXPECT_NEAR(static_cast<double>(result.steps), static_cast<double>(total), 0.03 * static_cast<double>(total));
  EXPECT_EQ(seen.steps.front().step, 1);
  options.schedule.total = total, options.max_minutes = 0, options.max_steps = result.steps;
  train(told, options, {.folder = folder / "told"});
  EXPECT_EQ(read_all(folder / "measured/model.safetensors"), read_all(folder / "told/model.safetensors"));
  // Epochs that end sooner end the schedule, too; they are counted.
  FakeTrainable few;
  TrainOptions of_epochs = options;
  of_epochs.schedule.total = 0, of_epochs.max_steps = 0, of_epochs.max_minutes = 0, of_epochs.max_epochs = 3;
  of_epochs.accumulate = 2;
  train(few, of_epochs, {.folder = folder / "epochs"});
  EXPECT_EQ(newest_state(folder / "epochs/training")->options.schedule.total, 3 * 4);
  // Who goes on keeps the number.
  options.schedule.total = 0, options.max_minutes = 0.4, options.max_steps = 0;
  FakeTrainable again;
  again.carries = true;
  train(again, options, timed(folder / "measured", FolderMode::resume, again, seen));
  EXPECT_EQ(newest_state(folder / "measured/training")->options.schedule.total, total);
}

TEST(Resume, AMeasureThatIsInterruptedIsTakenAnew) {
  const TemporaryFolder folder;
  const TrainOptions options{
      .max_minutes = 0.2, .validate_every = 20, .schedule = {.kind = "cosine"}, .on_nonfinite = "skip"};
  FakeTrainable model;
  const Tensor start = model.w.value().clone();
  Recorder seen;
  RunContext context = timed(folder / "model", FolderMode::create, model, seen);
  int looks = 0;
  context.stop_requested = [&] { return ++looks == 5 ? SIGINT : 0; };
  const TrainResult result = train(model, options, context);
  EXPECT_EQ(result.reason, "interrupted");
  EXPECT_EQ(result.steps, 0);
  EXPECT_TRUE(std::ranges::equal(model.w.value().span<float>(), start.span<float>()));
  EXPECT_EQ(newest_state(folder / "model/training")->options.schedule.total, 0);
  context.mode = FolderMode::resume, context.stop_requested = nullptr;
  EXPECT_EQ(train(model, options, context).reason, "max_minutes");
  EXPECT_GT(newest_state(folder / "model/training")->options.schedule.total, 0);
}

TEST(Resume, NoLinkIsFollowed) {
  const TemporaryFolder folder;
  TrainOptions options{.max_steps = 4, .validate_every = 2};
  for (const std::string name : {"training", "training/checkpoint-4", "training/checkpoint-4/weights.safetensors",
                                 "training/checkpoint-4/state.json", "training/events", "training/lock"}) {
    const std::string model = folder / "model", elsewhere = folder / "elsewhere";
    fs::remove_all(model), fs::remove_all(elsewhere);
    run(options, model, FolderMode::create);
    fs::rename(model + "/" + name, elsewhere);
    fs::create_symlink(elsewhere, model + "/" + name);
    options.max_steps = 6;
    Recorder seen;
    const auto outcome = [&]() -> std::string {
      try {
        run(options, model, FolderMode::resume, {}, &seen);
      } catch (const Error& e) {
        return e.what();
      }
      return seen.all();
    };
    const std::string said = outcome();
    EXPECT_TRUE(said.find("is a link") != std::string::npos || said.find("Too many levels") != std::string::npos)
        << name << ": " << said;
    options.max_steps = 4;
  }
}

TEST(Resume, TheWeightsOfAnAbandonedFutureDoNotStay) {
  const TemporaryFolder folder;
  TrainOptions options{.max_steps = 20, .validate_every = 5, .optimizer = {.lr = 0.05}};
  const std::string here = folder / "model";
  run(options, here, FolderMode::create);
  for (const int s : {15, 20}) EXPECT_TRUE(fs::exists(here + str_cat("/training/checkpoint-", s)));
  fs::remove(here + "/training/checkpoint-20/state.json");
  options.max_steps = 15;  // nothing is trained any more
  const TrainResult result = run(options, here, FolderMode::resume);
  EXPECT_EQ(result.best_step, 15);
  EXPECT_EQ(io::SafetensorsFile(here + "/model.safetensors").metadata().at("step"), "15");
}

}  // namespace
}  // namespace lookback::train
