// batch_norm2d: batch normalisation (core/batch_norm2d.h). Checked in test/kernels/batch-norm2d.test.ts.
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
  if (result.epsilon < 0) throw Error(ErrorCode::kRange, std::string(op) + ": expected an epsilon of 0 or more");
  return result;
}

// The channels of x [.., C].
Shape channels_of(const char* op, const Tensor& x) {
  if (x.shape.rank() < 2) {
    throw Error(
        ErrorCode::kShape,
        std::string(op) + ": expected x [.., C] with at least two dimensions but received x " + x.shape.to_string());
  }
  return {x.shape[x.shape.rank() - 1]};
}

// batchNorm2dForward(x, gamma, beta, runningMean, runningVar, { training, momentum, epsilon })
// -> { y, mean, invStd }; in training runningMean and runningVar are updated in place.
Napi::Value batch_norm2d_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "batchNorm2d");
  const BatchNorm2dParams p = batch_norm2d_params(args.op(), args.params(5));
  const Tensor x = args.tensor(0, "x"), gamma = args.tensor(1, "gamma"), beta = args.tensor(2, "beta");
  const Tensor running_mean = args.tensor(3, "runningMean"), running_var = args.tensor(4, "runningVar");
  args.floating(
      {{"x", &x}, {"gamma", &gamma}, {"beta", &beta}, {"runningMean", &running_mean}, {"runningVar", &running_var}});
  const Shape channels = channels_of(args.op(), x);
  args.shaped({"gamma", &gamma}, channels);
  args.shaped({"beta", &beta}, channels);
  args.shaped({"runningMean", &running_mean}, channels);
  args.shaped({"runningVar", &running_var}, channels);
  if (p.training) {
    const auto others = {Arguments::Named{"x", &x}, {"gamma", &gamma}, {"beta", &beta}};
    args.separate({"runningMean", &running_mean}, others);
    args.separate({"runningVar", &running_var}, others);
    args.separate({"runningVar", &running_var}, {{"runningMean", &running_mean}});
  }
  if (p.training && x.shape.elements() == 0) {
    throw Error(ErrorCode::kShape,
                "batchNorm2d: expected a batch with at least one value per channel to train on but "
                "received x " +
                    x.shape.to_string());
  }
  const Tensor y = Arguments::beside(x, x.shape), mean = Arguments::beside(x, channels),
               inv_std = Arguments::beside(x, channels);
  if (mean.empty()) return args.object({{"y", y}, {"mean", mean}, {"invStd", inv_std}});
  x.device().submit([p, x = x.input(), gamma = gamma.input(), beta = beta.input(), running_mean = running_mean.output(),
                     running_var = running_var.output(), y = y.output(), mean = mean.output(),
                     inv_std = inv_std.output()](Backend& backend) {
    backend.batch_norm2d_forward(p, x, gamma, beta, running_mean, running_var, y, mean, inv_std);
  });
  return args.object({{"y", y}, {"mean", mean}, {"invStd", inv_std}});
}

// batchNorm2dBackwardWeight(dy, x, mean, invStd) -> { gamma, beta }
Napi::Value batch_norm2d_backward_weight(const Napi::CallbackInfo& info) {
  const Arguments args(info, "batchNorm2d");
  const Tensor dy = args.tensor(0, "dy"), x = args.tensor(1, "x"), mean = args.tensor(2, "mean"),
               inv_std = args.tensor(3, "invStd");
  args.floating({{"dy", &dy}, {"x", &x}, {"mean", &mean}, {"invStd", &inv_std}});
  const Shape channels = channels_of(args.op(), x);
  args.shaped({"dy", &dy}, x.shape);
  args.shaped({"mean", &mean}, channels);
  args.shaped({"invStd", &inv_std}, channels);
  const Tensor dgamma = Arguments::beside(x, channels), dbeta = Arguments::beside(x, channels);
  if (dgamma.empty()) return args.object({{"gamma", dgamma}, {"beta", dbeta}});
  x.device().submit([dy = dy.input(), x = x.input(), mean = mean.input(), inv_std = inv_std.input(),
                     dgamma = dgamma.output(), dbeta = dbeta.output()](Backend& backend) {
    backend.batch_norm2d_backward_weight(dy, x, mean, inv_std, dgamma, dbeta);
  });
  return args.object({{"gamma", dgamma}, {"beta", dbeta}});
}

// batchNorm2dBackwardInput(dy, x, gamma, mean, invStd, dgamma, dbeta, { training, momentum, epsilon })
Napi::Value batch_norm2d_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "batchNorm2d");
  const BatchNorm2dParams p = batch_norm2d_params(args.op(), args.params(7));
  const Tensor dy = args.tensor(0, "dy"), x = args.tensor(1, "x"), gamma = args.tensor(2, "gamma"),
               mean = args.tensor(3, "mean"), inv_std = args.tensor(4, "invStd"), dgamma = args.tensor(5, "dgamma"),
               dbeta = args.tensor(6, "dbeta");
  args.floating({{"dy", &dy},
                 {"x", &x},
                 {"gamma", &gamma},
                 {"mean", &mean},
                 {"invStd", &inv_std},
                 {"dgamma", &dgamma},
                 {"dbeta", &dbeta}});
  const Shape channels = channels_of(args.op(), x);
  args.shaped({"dy", &dy}, x.shape);
  for (const Arguments::Named& named :
       {Arguments::Named{"gamma", &gamma}, Arguments::Named{"mean", &mean}, Arguments::Named{"invStd", &inv_std},
        Arguments::Named{"dgamma", &dgamma}, Arguments::Named{"dbeta", &dbeta}}) {
    args.shaped(named, channels);
  }
  const Tensor dx = Arguments::beside(x, x.shape);
  if (dx.empty()) return args.handle(dx);
  x.device().submit([p, dy = dy.input(), x = x.input(), gamma = gamma.input(), mean = mean.input(),
                     inv_std = inv_std.input(), dgamma = dgamma.input(), dbeta = dbeta.input(),
                     dx = dx.output()](Backend& backend) {
    backend.batch_norm2d_backward_input(p, dy, x, gamma, mean, inv_std, dgamma, dbeta, dx);
  });
  return args.handle(dx);
}

}  // namespace

void define_batch_norm2d(Napi::Object& exports) {
  define<batch_norm2d_forward>(exports, "batchNorm2dForward");
  define<batch_norm2d_backward_weight>(exports, "batchNorm2dBackwardWeight");
  define<batch_norm2d_backward_input>(exports, "batchNorm2dBackwardInput");
}

}  // namespace igcnet::binding
