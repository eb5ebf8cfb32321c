// batch_norm2d: batch normalisation, step by step (core/batch_norm2d.h). A norm is one tensor [4, C] (mean, invStd,
// gamma, beta), statistics one [2, C] (mean, var). Checked in test/kernels/batch-norm2d.test.ts.
#include "core/batch_norm2d.h"

#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

BatchNorm2dParams batch_norm2d_params(const char* op, const Params& p) {
  const BatchNorm2dParams result = {p.boolean("training"), p.finite("momentum"), p.finite("epsilon")};
  if (result.momentum < 0 || result.momentum > 1) {
    throw Error(ErrorCode::kRange,
                std::string(op) + ": expected a momentum from 0 to 1 but received " + std::to_string(result.momentum));
  }
  if (result.epsilon < 0) {
    throw Error(ErrorCode::kRange,
                std::string(op) + ": expected an epsilon of 0 or more but received " + std::to_string(result.epsilon));
  }
  return result;
}

// C of x [.., C].
int64_t channels_of(const char* op, const Tensor& x) {
  if (x.shape.rank() < 2) {
    throw Error(
        ErrorCode::kShape,
        std::string(op) + ": expected x [.., C] with at least two dimensions but received x " + x.shape.to_string());
  }
  return x.shape[x.shape.rank() - 1];
}

// batchNorm2dStatistics(x) -> statistics [2, C]
Napi::Value batch_norm2d_statistics(const Napi::CallbackInfo& info) {
  const Arguments args(info, "batchNorm2d");
  const Tensor x = args.tensor(0, "x");
  args.maps({{"x", &x}});
  const Tensor statistics = Arguments::parameter_beside(x, {2, channels_of(args.op(), x)});
  if (statistics.empty()) return args.handle(statistics);
  x.device().submit([x = x.input(), statistics = statistics.output()](Backend& backend) {
    backend.batch_norm2d_statistics(x, statistics_of(statistics));
  });
  return args.handle(statistics);
}

// batchNorm2dPrepare(x, gamma, beta, runningMean, runningVar, { training, momentum, epsilon }, statistics?) -> norm [4,
// C] In training the statistics are needed, and runningMean and runningVar are updated in place. x is not read: its
// shape tells that there is something to train on.
Napi::Value batch_norm2d_prepare(const Napi::CallbackInfo& info) {
  const Arguments args(info, "batchNorm2d");
  const BatchNorm2dParams p = batch_norm2d_params(args.op(), args.params(5));
  const Tensor x = args.tensor(0, "x"), gamma = args.tensor(1, "gamma"), beta = args.tensor(2, "beta");
  const Tensor running_mean = args.tensor(3, "runningMean"), running_var = args.tensor(4, "runningVar");
  args.maps({{"x", &x}},
            {{"gamma", &gamma}, {"beta", &beta}, {"runningMean", &running_mean}, {"runningVar", &running_var}});
  const int64_t C = channels_of(args.op(), x);
  args.shaped({"gamma", &gamma}, {C});
  args.shaped({"beta", &beta}, {C});
  args.shaped({"runningMean", &running_mean}, {C});
  args.shaped({"runningVar", &running_var}, {C});
  Input statistics;
  if (p.training) {
    const Tensor given = args.tensor(6, "statistics");
    args.maps({{"x", &x}}, {{"statistics", &given}});
    args.shaped({"statistics", &given}, {2, C});
    statistics = given.input();
    const auto others = {Arguments::Named{"x", &x}, {"gamma", &gamma}, {"beta", &beta}, {"statistics", &given}};
    args.separate({"runningMean", &running_mean}, others);
    args.separate({"runningVar", &running_var}, others);
    args.separate({"runningVar", &running_var}, {{"runningMean", &running_mean}});
    if (x.shape.elements() == 0) {
      throw Error(ErrorCode::kShape,
                  "batchNorm2d: expected a batch with at least one value per channel to train on but "
                  "received x " +
                      x.shape.to_string());
    }
  }
  const Tensor norm = Arguments::parameter_beside(x, {4, C});
  if (norm.empty()) return args.handle(norm);
  const Output mean = p.training ? running_mean.updated() : running_mean.output(),
               var = p.training ? running_var.updated() : running_var.output();
  x.device().submit(
      [p, statistics, mean, var, gamma = gamma.input(), beta = beta.input(), norm = norm.output()](Backend& backend) {
        backend.batch_norm2d_prepare(p, statistics, gamma, beta, mean, var, norm);
      });
  return args.handle(norm);
}

// batchNorm2dApply(x, norm, { relu }) -> y
Napi::Value batch_norm2d_apply(const Napi::CallbackInfo& info) {
  const Arguments args(info, "batchNorm2d");
  const bool relu = args.params(2).boolean("relu");
  const Tensor x = args.tensor(0, "x"), norm = args.tensor(1, "norm");
  args.maps({{"x", &x}}, {{"norm", &norm}});
  args.shaped({"norm", &norm}, {4, channels_of(args.op(), x)});
  const Tensor y = Arguments::beside(x, x.shape);
  if (y.empty()) return args.handle(y);
  x.device().submit([relu, x = x.input(), norm = norm.input(), y = y.output()](Backend& backend) {
    backend.batch_norm2d_apply(x, norm_of(norm, relu), y);
  });
  return args.handle(y);
}

// batchNorm2dBackwardWeight(dy, x, norm, { relu }) -> { gamma, beta }
Napi::Value batch_norm2d_backward_weight(const Napi::CallbackInfo& info) {
  const Arguments args(info, "batchNorm2d");
  const bool relu = args.params(3).boolean("relu");
  const Tensor dy = args.tensor(0, "dy"), x = args.tensor(1, "x"), norm = args.tensor(2, "norm");
  args.maps({{"dy", &dy}, {"x", &x}}, {{"norm", &norm}});
  const int64_t C = channels_of(args.op(), x);
  args.shaped({"dy", &dy}, x.shape);
  args.shaped({"norm", &norm}, {4, C});
  const Tensor dgamma = Arguments::parameter_beside(x, {C}), dbeta = Arguments::parameter_beside(x, {C});
  if (dgamma.empty()) return args.object({{"gamma", dgamma}, {"beta", dbeta}});
  x.device().submit([relu, dy = dy.input(), x = x.input(), norm = norm.input(), dgamma = dgamma.output(),
                     dbeta = dbeta.output()](Backend& backend) {
    backend.batch_norm2d_backward_weight(dy, x, norm_of(norm, relu), {dgamma, dbeta});
  });
  return args.object({{"gamma", dgamma}, {"beta", dbeta}});
}

// batchNorm2dBackwardInput(dy, x, norm, dgamma, dbeta, { relu, training }) -> dx
Napi::Value batch_norm2d_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "batchNorm2d");
  const bool relu = args.params(5).boolean("relu"), training = args.params(5).boolean("training");
  const Tensor dy = args.tensor(0, "dy"), x = args.tensor(1, "x"), norm = args.tensor(2, "norm"),
               dgamma = args.tensor(3, "dgamma"), dbeta = args.tensor(4, "dbeta");
  args.maps({{"dy", &dy}, {"x", &x}}, {{"norm", &norm}, {"dgamma", &dgamma}, {"dbeta", &dbeta}});
  const int64_t C = channels_of(args.op(), x);
  args.shaped({"dy", &dy}, x.shape);
  args.shaped({"norm", &norm}, {4, C});
  args.shaped({"dgamma", &dgamma}, {C});
  args.shaped({"dbeta", &dbeta}, {C});
  const Tensor dx = Arguments::beside(x, x.shape);
  if (dx.empty()) return args.handle(dx);
  x.device().submit([relu, training, dy = dy.input(), x = x.input(), norm = norm.input(), dgamma = dgamma.input(),
                     dbeta = dbeta.input(), dx = dx.output()](Backend& backend) {
    backend.batch_norm2d_backward_input(dy, {x, norm_of(norm, relu), dgamma, dbeta, training}, dx);
  });
  return args.handle(dx);
}

}  // namespace

void define_batch_norm2d(Napi::Object& exports) {
  define<batch_norm2d_statistics>(exports, "batchNorm2dStatistics");
  define<batch_norm2d_prepare>(exports, "batchNorm2dPrepare");
  define<batch_norm2d_apply>(exports, "batchNorm2dApply");
  define<batch_norm2d_backward_weight>(exports, "batchNorm2dBackwardWeight");
  define<batch_norm2d_backward_input>(exports, "batchNorm2dBackwardInput");
}

}  // namespace igcnet::binding
