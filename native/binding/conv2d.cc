// conv2d: the (grouped) convolution (core/conv2d.h). Checked in test/kernels/conv2d.test.ts.
#include "core/conv2d.h"

#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

Conv2dParams conv2d_params(const Params& p) { return {p.integer("stride"), p.integer("padding"), p.integer("groups")}; }

// conv2dForward(x, w, { stride, padding, groups })
Napi::Value conv2d_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Conv2dParams p = conv2d_params(args.params(2));
  const Tensor x = args.tensor(0, "x"), w = args.tensor(1, "w");
  args.maps({{"x", &x}}, {{"w", &w}});
  const Tensor y = Arguments::beside(x, conv2d_output(conv2d_sizes(args.op(), p, x.shape, w.shape)));
  x.device().submit(
      [p, x = x.input(), w = w.input(), y = y.output()](Backend& backend) { backend.conv2d_forward(p, x, w, y); });
  return args.handle(y);
}

// conv2dTakesNorm(x, w, { stride, padding, groups }) -> whether conv2dNormForward spares a pass
Napi::Value conv2d_takes_norm(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Conv2dParams p = conv2d_params(args.params(2));
  const Tensor x = args.tensor(0, "x"), w = args.tensor(1, "w");
  args.maps({{"x", &x}}, {{"w", &w}});
  const Conv2dSizes sizes = conv2d_sizes(args.op(), p, x.shape, w.shape);
  return Napi::Boolean::New(args.env(), x.device().backend().conv2d_takes_norm(sizes));
}

// conv2dNormForward(x, w, norm, { stride, padding, groups, relu }): norm [4, K] behind it, with a ReLU if `relu`.
Napi::Value conv2d_norm_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Conv2dParams p = conv2d_params(args.params(3));
  const bool relu = args.params(3).boolean("relu");
  const Tensor x = args.tensor(0, "x"), w = args.tensor(1, "w"), norm = args.tensor(2, "norm");
  args.maps({{"x", &x}}, {{"w", &w}, {"norm", &norm}});
  const Tensor y = Arguments::beside(x, conv2d_output(conv2d_sizes(args.op(), p, x.shape, w.shape)));
  args.shaped({"norm", &norm}, {4, w.shape[0]});
  if (y.empty()) return args.handle(y);
  x.device().submit([p, relu, x = x.input(), w = w.input(), norm = norm.input(), y = y.output()](Backend& backend) {
    backend.conv2d_norm_forward(p, x, w, norm_of(norm, relu), y);
  });
  return args.handle(y);
}

// conv2dBackwardInput(dy, w, { stride, padding, groups, shape }): shape is that of x.
Napi::Value conv2d_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Conv2dParams p = conv2d_params(args.params(2));
  const Shape x_shape = args.params(2).shape("shape");
  const Tensor dy = args.tensor(0, "dy"), w = args.tensor(1, "w");
  args.maps({{"dy", &dy}}, {{"w", &w}});
  args.shaped({"dy", &dy}, conv2d_output(conv2d_sizes(args.op(), p, x_shape, w.shape)));
  const Tensor dx = Arguments::beside(dy, x_shape);
  dy.device().submit([p, dy = dy.input(), w = w.input(), dx = dx.output()](Backend& backend) {
    backend.conv2d_backward_input(p, dy, w, dx);
  });
  return args.handle(dx);
}

// conv2dBackwardWeight(dy, x, { stride, padding, groups, shape }): shape is that of w.
Napi::Value conv2d_backward_weight(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Conv2dParams p = conv2d_params(args.params(2));
  const Shape w_shape = args.params(2).shape("shape");
  const Tensor dy = args.tensor(0, "dy"), x = args.tensor(1, "x");
  args.maps({{"dy", &dy}, {"x", &x}});
  args.shaped({"dy", &dy}, conv2d_output(conv2d_sizes(args.op(), p, x.shape, w_shape)));
  const Tensor dw = Arguments::parameter_beside(x, w_shape);
  x.device().submit([p, dy = dy.input(), x = x.input(), dw = dw.output()](Backend& backend) {
    backend.conv2d_backward_weight(p, dy, x, dw);
  });
  return args.handle(dw);
}

}  // namespace

void define_conv2d(Napi::Object& exports) {
  define<conv2d_forward>(exports, "conv2dForward");
  define<conv2d_takes_norm>(exports, "conv2dTakesNorm");
  define<conv2d_norm_forward>(exports, "conv2dNormForward");
  define<conv2d_backward_input>(exports, "conv2dBackwardInput");
  define<conv2d_backward_weight>(exports, "conv2dBackwardWeight");
}

}  // namespace igcnet::binding
