// linear: y = x w^T + b. x [N, C], w [K, C], b [K], y [N, K]. Checked in test/kernels/linear.test.ts.
#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

// linearForward(x, w, b?)
Napi::Value linear_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "linear");
  const Tensor x = args.tensor(0, "x"), w = args.tensor(1, "w");
  const std::optional<Tensor> b = args.optional_tensor(2, "b");
  args.floating({{"x", &x}, {"w", &w}, {"b", b ? &*b : &x}});
  args.ranked({"x", &x}, 2, "[N, C]");
  args.ranked({"w", &w}, 2, "[K, C]");
  args.shaped({"w", &w}, {w.shape[0], x.shape[1]});
  if (b) args.shaped({"b", &*b}, {w.shape[0]});
  const Tensor y = Arguments::beside(x, {x.shape[0], w.shape[0]});
  if (y.empty()) return args.handle(y);
  const Input bias = b ? b->input() : Input{nullptr, x.dtype, {w.shape[0]}};
  x.device().submit([x = x.input(), w = w.input(), bias, y = y.output()](Backend& backend) {
    backend.linear_forward(x, w, bias, y);
  });
  return args.handle(y);
}

// linearBackwardInput(dy, w)
Napi::Value linear_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "linear");
  const Tensor dy = args.tensor(0, "dy"), w = args.tensor(1, "w");
  args.floating({{"dy", &dy}, {"w", &w}});
  args.ranked({"dy", &dy}, 2, "[N, K]");
  args.ranked({"w", &w}, 2, "[K, C]");
  args.shaped({"dy", &dy}, {dy.shape[0], w.shape[0]});
  const Tensor dx = Arguments::beside(dy, {dy.shape[0], w.shape[1]});
  if (dx.empty()) return args.handle(dx);
  dy.device().submit([dy = dy.input(), w = w.input(), dx = dx.output()](Backend& backend) {
    backend.linear_backward_input(dy, w, dx);
  });
  return args.handle(dx);
}

// linearBackwardWeight(dy, x)
Napi::Value linear_backward_weight(const Napi::CallbackInfo& info) {
  const Arguments args(info, "linear");
  const Tensor dy = args.tensor(0, "dy"), x = args.tensor(1, "x");
  args.floating({{"dy", &dy}, {"x", &x}});
  args.ranked({"dy", &dy}, 2, "[N, K]");
  args.ranked({"x", &x}, 2, "[N, C]");
  args.shaped({"dy", &dy}, {x.shape[0], dy.shape[1]});
  const Tensor dw = Arguments::beside(x, {dy.shape[1], x.shape[1]});
  if (dw.empty()) return args.handle(dw);
  x.device().submit([dy = dy.input(), x = x.input(), dw = dw.output()](Backend& backend) {
    backend.linear_backward_weight(dy, x, dw);
  });
  return args.handle(dw);
}

// linearBackwardBias(dy)
Napi::Value linear_backward_bias(const Napi::CallbackInfo& info) {
  const Arguments args(info, "linear");
  const Tensor dy = args.tensor(0, "dy");
  args.floating({{"dy", &dy}});
  args.ranked({"dy", &dy}, 2, "[N, K]");
  const Tensor db = Arguments::beside(dy, {dy.shape[1]});
  if (db.empty()) return args.handle(db);
  dy.device().submit([dy = dy.input(), db = db.output()](Backend& backend) { backend.linear_backward_bias(dy, db); });
  return args.handle(db);
}

}  // namespace

void define_linear(Napi::Object& exports) {
  define<linear_forward>(exports, "linearForward");
  define<linear_backward_input>(exports, "linearBackwardInput");
  define<linear_backward_weight>(exports, "linearBackwardWeight");
  define<linear_backward_bias>(exports, "linearBackwardBias");
}

}  // namespace igcnet::binding
