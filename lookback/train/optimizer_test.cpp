#include "lookback/train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <sstream>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"
#include "lookback/io/json.h"
#include "lookback/train/average.h"
#include "lookback/train/fake_trainable.h"
#include "lookback/train/parameters.h"

namespace lookback::train {
namespace {

std::vector<double> numbers(const std::string& words) {
  std::istringstream in(words);
  std::vector<double> out;
  for (std::string w; in >> w;) out.push_back(std::stod(w));
  return out;
}

Tensor tensor_of(const std::string& words, Dtype dtype) {
  const auto values = numbers(words);
  return Tensor::of({static_cast<int64_t>(values.size())}, values).to(dtype);
}

// A golden file: case -> key -> value.
std::map<std::string, std::map<std::string, FieldValue>> golden(const std::string& kind) {
  std::map<std::string, std::map<std::string, FieldValue>> out;
  for (const auto& kv :
       io::read_json_fields(io::File::open_regular(LOOKBACK_SOURCE_DIR "/tests/golden/optim/" + kind + ".json"))) {
    const size_t dot = kv.path.find('.');
    out[kv.path.substr(0, dot)][kv.path.substr(dot + 1)] = kv.value;
  }
  return out;
}

void expect_close(const Var& var, const std::string& words, double bound, const std::string& where) {
  const auto expected = numbers(words);
  const Tensor value = var.value().to(Dtype::f64);
  for (int64_t k = 0; k < value.size(); ++k) {
    const double e = expected[static_cast<size_t>(k)];
    EXPECT_LE(std::abs(value.data<double>()[k] - e), bound * std::max(1.0, std::abs(e))) << where << " element " << k;
  }
}

void replay(std::map<std::string, FieldValue>& g, Dtype dtype, const std::string& name) {
  OptimizerOptions options;
  auto fields = fields_of(options);
  for (const std::string& o : std::get<StringList>(g["options"])) {
    const size_t equals = o.find('=');
    set_field_text(find_field(fields, o.substr(0, equals), "golden"), o.substr(equals + 1), "golden");
  }
  std::vector<NamedVar> params;
  for (const std::string p : {"w", "b"})
    params.push_back({p, Var::parameter(tensor_of(std::get<std::string>(g[p + ".start"]), dtype))});
  const auto lr = numbers(std::get<std::string>(g["lr"]));
  const auto optimizer = make_optimizer(options, params);
  auto average = WeightAverage::mean(options.average_start, params);
  GradNorm norm;
  for (size_t step = 0; step < lr.size(); ++step) {
    for (const NamedVar& p : params) {
      p.var.clear_grad();
      const std::string grad = std::get<StringList>(g[p.name + ".grads"])[step];
      if (grad != "-")
        std::copy_n(tensor_of(grad, dtype).bytes(), p.var.value().byte_size(), p.var.grad_buffer().bytes());
    }
    optimizer->step(lr[step], clip_scale(norm(params), options.clip));
    average.update();
    for (const NamedVar& p : params) {
      const std::string where = str_cat(name, " ", name_of(dtype), " ", p.name, " step ", step);
      const auto& values = std::get<StringList>(g[p.name + (dtype == Dtype::f64 ? ".f64" : ".f32")]);
      expect_close(p.var, values[step], dtype == Dtype::f64 ? 1e-12 : 1e-6, where);
    }
    if (options.averaged && dtype == Dtype::f64) {
      average.swap();
      for (const NamedVar& p : params)
        expect_close(p.var, std::get<StringList>(g[p.name + ".f64_average"])[step], 1e-12, name + " average");
      average.swap();
    }
  }
}

TEST(Optimizer, TakesTheSameTenStepsAsTorch) {
  int cases = 0;
  for (const std::string kind : {"sgd", "adagrad", "adadelta", "adam", "adamw", "radam"})
    for (auto& [name, g] : golden(kind))
      for (const Dtype dtype : {Dtype::f32, Dtype::f64}) replay(g, dtype, kind + "/" + name), ++cases;
  EXPECT_EQ(cases, 44);
}

std::vector<NamedVar> random_params(int64_t n) {
  Rng rng(5);
  std::vector<NamedVar> out;
  for (const std::string name : {"x", "y"}) {
    out.push_back({name, Var::parameter(Tensor({n}))});
    for (float& v : out.back().var.value().span<float>()) v = static_cast<float>(rng.normal());
    for (float& v : out.back().var.grad_buffer().span<float>()) v = static_cast<float>(rng.normal());
  }
  return out;
}

std::string bytes_of(const std::vector<NamedVar>& params) {
  std::string out;
  for (const NamedVar& p : params)
    out.append(reinterpret_cast<const char*>(p.var.value().bytes()), static_cast<size_t>(p.var.value().byte_size()));
  return out;
}

TEST(Optimizer, ResultsDoNotDependOnThreads) {
  std::string bits[2];
  for (const int threads : {1, 2}) {
    const ThreadScope scope(threads);
    const auto params = random_params(100'003);
    GradNorm norm;
    Optimizer optimizer({.kind = "adam"}, params);
    auto average = WeightAverage::exponential(0.9, params);
    for (int step = 0; step < 3; ++step) optimizer.step(0.01, clip_scale(norm(params), 1.0)), average.update();
    average.swap();
    bits[threads - 1] = str_cat(norm(params)) + bytes_of(params);
  }
  EXPECT_EQ(bits[0], bits[1]);
}

// A table of which some rows were used, and the same with zeros for the others.
TEST(Optimizer, RowsOfATableGetTheBitsOfTheWholeGradient) {
  const std::vector<std::vector<int32_t>> used = {{0, 1, 2, 7, 149}, {}, {3, 60, 61, 148}};
  for (const std::string kind : {"sgd", "adagrad", "adadelta", "adam", "adamw", "radam"})
    for (const int64_t width : {1, 70, 20'000}) {
      const OptimizerOptions options{
          .kind = kind, .momentum = kind == "sgd" ? 0.9 : 0.0, .epsilon = 0.01, .weight_decay = 0.1};
      Rng rng(6);
      Tensor start({150, width});
      for (float& x : start.span<float>()) x = static_cast<float>(rng.normal());
      const std::vector<NamedVar> rows{{"table", Var::parameter(start.clone())}},
          whole{{"table", Var::parameter(start)}};
      OptimizerOptions own = options;
      if (kind == "sgd") own.epsilon = 0;
      Optimizer a(own, rows), b(own, whole);
      GradNorm norm;
      for (const auto& ids : used) {
        Tensor values({std::ssize(ids), width});
        for (float& x : values.span<float>()) x = static_cast<float>(rng.normal());
        for (const auto* params : {&rows, &whole}) {
          const Var& v = (*params)[0].var;
          v.clear_grad();
          v.node().row_grad = std::make_unique<RowGrad>(RowGrad{ids, values});
        }
        whole[0].var.grad();
        ASSERT_EQ(whole[0].var.row_grad(), nullptr);
        EXPECT_NEAR(norm(rows), norm(whole), 1e-9 * norm(whole));
        a.step(0.1, 0.5), b.step(0.1, 0.5);
        ASSERT_NE(rows[0].var.row_grad(), nullptr);
      }
      EXPECT_EQ(bytes_of(rows), bytes_of(whole)) << kind << " " << width;
      for (size_t k = 0; k < a.state().size(); ++k) {
        const Tensor s = a.state()[k].value, t = b.state()[k].value;
        EXPECT_TRUE(std::equal(s.bytes(), s.bytes() + s.byte_size(), t.bytes())) << kind << " " << a.state()[k].name;
      }
    }
}

TEST(Optimizer, StateTakenUpGoesOnToTheSameBits) {
  for (const std::string kind : {"sgd", "adagrad", "adadelta", "adam", "adamw", "radam"}) {
    const OptimizerOptions options{.kind = kind, .momentum = kind == "sgd" ? 0.9 : 0.0};
    const auto straight = random_params(100), first = random_params(100), second = random_params(100);
    Optimizer a(options, straight), b(options, first), c(options, second);
    for (int step = 0; step < 10; ++step) a.step(0.01);
    for (int step = 0; step < 4; ++step) b.step(0.01);
    for (size_t p = 0; p < second.size(); ++p) second[p].var.set_value(first[p].var.value().clone());
    std::vector<io::NamedTensor> copies;
    for (const auto& t : b.state()) copies.push_back({t.name, t.value.clone()});
    c.load_state(copies, "test");
    for (int step = 4; step < 10; ++step) c.step(0.01);
    EXPECT_EQ(bytes_of(straight), bytes_of(second)) << kind;
  }
}

TEST(Optimizer, StateThatDoesNotFitIsRefusedByName) {
  const auto params = random_params(10), others = random_params(11);
  Optimizer adam({.kind = "adam"}, params), larger({.kind = "adam"}, others), sgd({.kind = "sgd"}, params);
  EXPECT_EQ(message_or_none<FormatError>([&] { adam.load_state(sgd.state(), "o.safetensors"); }),
            "o.safetensors: holds 1 tensors, adam needs 5; was the run started with another optimizer?");
  EXPECT_EQ(message_or_none<FormatError>([&] { adam.load_state(larger.state(), "o.safetensors"); }),
            "o.safetensors: exp_avg.x is f32[11], expected f32[10]");
  auto renamed = adam.state();
  renamed[1].name = "exp_avg.z";
  EXPECT_EQ(message_or_none<FormatError>([&] { adam.load_state(renamed, "o.safetensors"); }),
            "o.safetensors: has no tensor 'exp_avg.x'; was the run started with other options?");
}

TEST(Optimizer, UnusedParametersKeepValueAndState) {
  const auto params = random_params(10);
  Optimizer optimizer({.kind = "adam", .weight_decay = 0.1}, params);
  params[1].var.clear_grad();
  const float before = params[1].var.value().data<float>()[3];
  optimizer.step(0.1);
  EXPECT_EQ(params[1].var.value().data<float>()[3], before);
  EXPECT_EQ(optimizer.state()[0].value.data<int32_t>()[0], 1);
  EXPECT_EQ(optimizer.state()[0].value.data<int32_t>()[1], 0);
}

TEST(Optimizer, TiedParametersAreUpdatedOnceAndFrozenOnesNever) {
  FakeTrainable model;
  const Var frozen{Tensor::full({2}, 1)};
  const auto unique = unique_parameters({{"a", model.w}, {"b", model.w}, {"c", frozen}});
  ASSERT_EQ(unique.size(), 1u);
  EXPECT_EQ(unique[0].name, "a");
  EXPECT_EQ(message_or_none<ConfigError>([&] {
              unique_parameters({{"a", model.w}, {"a", model.b}});
            }),
            "two parameters are called 'a'");
  model.w.grad_buffer().data<float>()[0] = 1;
  const float before = model.w.value().data<float>()[0];
  Optimizer({.kind = "sgd"}, {{"a", model.w}, {"b", model.w}}).step(0.5);
  EXPECT_FLOAT_EQ(model.w.value().data<float>()[0], before - 0.5f);
}

TEST(Optimizer, UpdatingMakesANewVersion) {
  const auto params = random_params(3);
  const auto version = params[0].var.node().version;
  Optimizer({.kind = "sgd"}, params).step(0.1);
  EXPECT_NE(params[0].var.node().version, version);
}

TEST(OptimizerOptions, ContradictionsAreRefusedByName) {
  const auto refused = [](const OptimizerOptions& o) { return message_or_none<ConfigError>([&] { resolved(o); }); };
  EXPECT_EQ(refused({.kind = "adam", .momentum = 0.9}),
            "optimizer.momentum has no meaning for kind 'adam', which has beta2, beta1, epsilon, lr, weight_decay and "
            "clip; leave it out");
  EXPECT_NE(refused({.kind = "sgd", .beta1 = 0.5}).find("optimizer.beta1"), std::string::npos);
  EXPECT_NE(refused({.kind = "sgd", .epsilon = 0.5}).find("optimizer.epsilon"), std::string::npos);
  EXPECT_NE(refused({.kind = "adagrad", .rho = 0.5}).find("optimizer.rho"), std::string::npos);
  EXPECT_NE(refused({.kind = "adadelta", .nesterov = true}).find("optimizer.nesterov"), std::string::npos);
  EXPECT_NE(refused({.kind = "sgd", .nesterov = true}).find("needs optimizer.momentum"), std::string::npos);
  EXPECT_NE(refused({.average_start = 9}).find("optimizer.average_start"), std::string::npos);
  EXPECT_EQ(refused({.kind = "adams"}), "optimizer.kind = 'adams' is not known; did you mean 'adam'?");
  EXPECT_EQ(refused({.kind = "sgd", .momentum = 0.9, .nesterov = true, .averaged = true, .average_start = 9}), "");
  EXPECT_EQ(resolved(OptimizerOptions{.kind = "adadelta"}).lr, 1.0);
  EXPECT_EQ(resolved(OptimizerOptions{.kind = "adagrad"}).epsilon, 1e-10);
}

TEST(GradNorm, IsTheNormOverAllParametersAndNamesWhatIsNotFinite) {
  const auto params = random_params(10'000);
  double sum = 0;
  for (const NamedVar& p : params)
    for (const float g : p.var.grad().span<float>()) sum += static_cast<double>(g) * g;
  GradNorm norm;
  EXPECT_NEAR(norm(params), std::sqrt(sum), 1e-9);
  EXPECT_EQ(first_non_finite_grad(params), std::nullopt);
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    params[1].var.grad_buffer().data<float>()[9'999] = bad;
    EXPECT_FALSE(std::isfinite(norm(params)));
    EXPECT_EQ(first_non_finite_grad(params), "y");
  }
  const NamedVar table{"table", Var::parameter(Tensor::zeros({3, 2}))};
  table.var.node().row_grad = std::make_unique<RowGrad>(RowGrad{{2}, Tensor::full({1, 2}, 3)});
  EXPECT_NEAR(norm({table}), std::sqrt(18.0), 1e-9);
  table.var.node().row_grad->rows.data<float>()[1] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(first_non_finite_grad({table}), "table");
  EXPECT_NE(table.var.row_grad(), nullptr);
  params[1].var.grad_buffer().data<float>()[9'999] = 1e30f;  // its square is no float
  EXPECT_NEAR(norm(params) / 1e30, 1, 1e-6);
}

TEST(Clip, ScalesToTheNormAndLeavesSmallOnesAlone) {
  EXPECT_EQ(clip_scale(0.5, 1), 1);
  EXPECT_NEAR(clip_scale(4, 1), 0.25, 1e-6);
  EXPECT_EQ(clip_scale(1e9, 0), 1);
}

}  // namespace
}  // namespace lookback::train
