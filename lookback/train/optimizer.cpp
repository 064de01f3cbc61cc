#include "lookback/train/optimizer.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/train/parameters.h"
#include "lookback/train/update_rules.h"

namespace lookback::train {
namespace detail {

struct UpdateRule {
  const char* kind;
  double usual_lr, usual_epsilon;
  StringList own;    // the options that this kind has and others do not
  StringList slots;  // names of s and t, as torch calls them
  UpdateKind update;
};

}  // namespace detail
namespace {

using detail::UpdateRule;

constexpr int64_t kGrain = 16384;
constexpr const char* kOfSomeKinds[] = {"momentum", "nesterov", "beta1", "beta2", "epsilon", "rho"};

// The whole list of kinds. A kind with a second entry has it for momentum > 0.
const std::vector<UpdateRule>& rules() {
  using namespace detail;
  static const std::vector<UpdateRule> list = {
      {"sgd", 1e-2, 0, {"momentum", "nesterov"}, {}, UpdateKind::sgd},
      {"adagrad", 1e-2, 1e-10, {"epsilon"}, {"sum"}, UpdateKind::adagrad},
      {"adadelta", 1.0, 1e-6, {"epsilon", "rho"}, {"square_avg", "acc_delta"}, UpdateKind::adadelta},
      {"adam", 1e-3, 1e-8, {"epsilon", "beta1", "beta2"}, {"exp_avg", "exp_avg_sq"}, UpdateKind::adam},
      {"adamw", 1e-3, 1e-8, {"epsilon", "beta1", "beta2"}, {"exp_avg", "exp_avg_sq"}, UpdateKind::adamw},
      {"radam", 1e-3, 1e-8, {"epsilon", "beta1", "beta2"}, {"exp_avg", "exp_avg_sq"}, UpdateKind::radam},
      {"sgd", 1e-2, 0, {"momentum", "nesterov"}, {"momentum_buffer"}, UpdateKind::sgd_momentum},
  };
  return list;
}

const UpdateRule& rule_for(const OptimizerOptions& o) {
  const UpdateRule* found = nullptr;
  StringList kinds;
  for (const UpdateRule& rule : rules()) {
    if (std::find(kinds.begin(), kinds.end(), rule.kind) == kinds.end()) kinds.push_back(rule.kind);
    if (o.kind == rule.kind && (!found || o.momentum > 0)) found = &rule;
  }
  check<ConfigError>(found != nullptr, "optimizer.kind = '", o.kind, "' is not known", nearest_match(o.kind, kinds));
  return *found;
}

// update(begin, end, g) for all elements of a table: rows without a gradient have zeros.
template <class R, class F>
void for_each_row(const Tensor& table, const RowGrad& grad, F&& update) {
  constexpr int64_t kZeros = 2048;
  static constexpr R zeros[kZeros] = {};
  const int64_t C = table.dim(1);
  parallel_for(table.dim(0), kGrain / std::max<int64_t>(1, C), [&](int64_t row, int64_t end) {
    auto next = std::ranges::lower_bound(grad.ids, row);
    while (row < end) {
      int64_t stop = row;
      const auto first = next;
      for (; next != grad.ids.end() && *next == stop && stop < end; ++next) ++stop;
      if (stop > row) {
        update(row * C, stop * C, grad.rows.data<R>() + (first - grad.ids.begin()) * C);
      } else {
        stop = next == grad.ids.end() ? end : std::min<int64_t>(end, *next);
        for (int64_t k = row * C; k < stop * C; k += kZeros) update(k, std::min(k + kZeros, stop * C), zeros);
      }
      row = stop;
    }
  });
}

}  // namespace

void OptimizerOptions::fields(FieldVisitor& v) {
  v("kind", kind, "how gradients become updates").choices({"sgd", "adagrad", "adadelta", "adam", "adamw", "radam"});
  v("lr", lr, "learning rate; 0 takes the usual one: sgd, adagrad 0.01, adadelta 1, the others 0.001").range(0, 1000);
  v("momentum", momentum, "sgd: share of the previous update that is kept; 0 is off").range(0, 0.99999);
  v("nesterov", nesterov, "sgd: look ahead along the momentum");
  v("averaged", averaged,
    "validate and save the mean of the weights after each update since average_start (Polyak and Juditsky 1992; "
    "torch.optim.ASGD with lambd 0)");
  v("average_trigger", average_trigger,
    "averaged: the mean begins once a validation's `keep` is worse than the best of all but the last so many before it "
    "(NT-ASGD, Merity et al. 2018: 5); 0: with average_start")
      .range(0, 1e9);
  v("average_start", average_start, "averaged: the first update whose weights are in the mean").range(1, 1e15);
  v("beta1", beta1, "adam, adamw, radam: decay of the mean of gradients").range(0, 0.9999999);
  v("beta2", beta2, "adam, adamw, radam: decay of the mean of squared gradients").range(0, 0.9999999);
  v("epsilon", epsilon, "added to the denominator; 0 takes the usual one: adagrad 1e-10, adadelta 1e-6, adams 1e-8")
      .range(0, 1);
  v("rho", rho, "adadelta: decay of both means of squares").range(0, 0.9999999);
  v("weight_decay", weight_decay, "pulls weights to zero: decoupled from the gradient for adamw, L2 for the others")
      .range(0, 100);
  v("clip", clip, "largest global norm of the gradient; 0 is off").range(0, 1e9);
}

OptimizerOptions resolved(OptimizerOptions o) {
  const UpdateRule& rule = rule_for(o);
  OptimizerOptions usual;
  const auto given = fields_of(o), defaults = fields_of(usual);
  std::string own = "lr, weight_decay and clip";
  for (const std::string& name : rule.own) own = name + ", " + own;
  for (size_t k = 0; k < given.size(); ++k) {
    const std::string& name = given[k].path;
    const bool of_some_kinds =
        std::find(std::begin(kOfSomeKinds), std::end(kOfSomeKinds), name) != std::end(kOfSomeKinds);
    const bool has_it = !of_some_kinds || std::find(rule.own.begin(), rule.own.end(), name) != rule.own.end();
    check<ConfigError>(has_it || field_value(given[k]) == field_value(defaults[k]), "optimizer.", name,
                       " has no meaning for kind '", o.kind, "', which has ", own, "; leave it out");
  }
  check<ConfigError>(!o.nesterov || o.momentum > 0,
                     "optimizer.nesterov needs optimizer.momentum above 0, for example 0.9");
  check<ConfigError>(o.averaged || o.average_start == usual.average_start,
                     "optimizer.average_start has no meaning without optimizer.averaged = true");
  check<ConfigError>(o.averaged || o.average_trigger == 0,
                     "optimizer.average_trigger has no meaning without optimizer.averaged = true");
  check<ConfigError>(o.average_trigger == 0 || o.average_start == usual.average_start,
                     "optimizer.average_start and average_trigger both say when the mean begins: choose one");
  if (o.lr == 0) o.lr = rule.usual_lr;
  if (o.epsilon == 0) o.epsilon = rule.usual_epsilon;
  return o;
}

Optimizer::Optimizer(const OptimizerOptions& options, const std::vector<NamedVar>& params)
    : options_(resolved(options)),
      params_(unique_parameters(params)),
      rule_(&rule_for(options_)),
      slot_names_(rule_->slots),
      steps_(Tensor::zeros({static_cast<int64_t>(params_.size())}, Dtype::i32)) {
  for (const NamedVar& p : params_) {
    auto& slots = slots_.emplace_back();
    for (size_t k = 0; k < slot_names_.size(); ++k) slots.push_back(Tensor::zeros(p.var.shape(), p.var.dtype()));
  }
}

void Optimizer::step(double lr, double grad_scale) {
  const detail::Updates updates = detail::updates_of(rule_->update);
  detail::UpdateScalars a{.lr = lr,
                          .grad_scale = grad_scale,
                          .weight_decay = options_.weight_decay,
                          .momentum = options_.momentum,
                          .beta1 = options_.beta1,
                          .beta2 = options_.beta2,
                          .epsilon = options_.epsilon,
                          .rho = options_.rho,
                          .nesterov = options_.nesterov};
  for (size_t p = 0; p < params_.size(); ++p) {
    const Var& var = params_[p].var;
    if (!var.row_grad() && var.grad().empty()) continue;
    a.set_step(++steps_.data<int32_t>()[p]);
    with_float(var.dtype(), [&]<class R>() {
      R* w = var.value().data<R>();
      R* s = slot_names_.size() > 0 ? slots_[p][0].data<R>() : nullptr;
      R* t = slot_names_.size() > 1 ? slots_[p][1].data<R>() : nullptr;
      detail::Update<R> rule;
      if constexpr (std::is_same_v<R, double>)
        rule = updates.f64;
      else
        rule = updates.f32;
      // g: of the elements from begin on
      const auto update = [&](int64_t begin, int64_t end, const R* g) {
        rule(end - begin, w + begin, g, s ? s + begin : nullptr, t ? t + begin : nullptr, a);
      };
      if (const RowGrad* rows = var.row_grad())
        for_each_row<R>(var.value(), *rows, update);
      else
        parallel_for(var.value().size(), kGrain,
                     [&, g = var.grad().data<R>()](int64_t begin, int64_t end) { update(begin, end, g + begin); });
    });
    var.touch();
  }
}

std::vector<io::NamedTensor> Optimizer::state() const {
  std::vector<io::NamedTensor> out{{"steps", steps_}};
  for (size_t p = 0; p < params_.size(); ++p)
    for (size_t k = 0; k < slot_names_.size(); ++k)
      out.push_back({slot_names_[k] + "." + params_[p].name, slots_[p][k]});
  return out;
}

void Optimizer::load_state(const std::vector<io::NamedTensor>& state, const std::string& origin) {
  const auto mine = this->state();
  check<FormatError>(state.size() == mine.size(), origin, ": holds ", state.size(), " tensors, ", options_.kind,
                     " needs ", mine.size(), "; was the run started with another optimizer?");
  std::vector<Tensor> found;
  for (const io::NamedTensor& t : mine) found.push_back(find_tensor(state, t.name, t.value, origin));
  steps_ = found[0];
  size_t at = 1;
  for (auto& slots : slots_)
    for (Tensor& slot : slots) slot = found[at++];
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, const std::vector<NamedVar>& params) {
  return std::make_unique<Optimizer>(options, params);
}

double clip_scale(double norm, double clip) { return clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0; }

}  // namespace lookback::train
