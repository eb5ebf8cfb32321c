// avg_pool2d: the mean of windows (core/pool2d.h). Checked in test/kernels/pool2d.test.ts.
#include "binding/addon.h"
#include "binding/arguments.h"
#include "core/pool2d.h"

namespace igcnet::binding {
namespace {

Pool2dParams avg_pool2d_params(const Params& p) {
  return {p.integer("kernel"), p.integer("stride"), p.integer("padding")};
}

// avgPool2dForward(x, { kernel, stride, padding })
Napi::Value avg_pool2d_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "avgPool2d");
  const Pool2dParams p = avg_pool2d_params(args.params(1));
  const Tensor x = args.tensor(0, "x");
  args.maps({{"x", &x}});
  const Pool2dSizes sizes = pool2d_sizes(args.op(), p, x.shape);
  const Tensor y = Arguments::beside(x, {sizes.N, sizes.P, sizes.Q, sizes.C});
  x.device().submit([p, x = x.input(), y = y.output()](Backend& backend) { backend.avg_pool2d_forward(p, x, y); });
  return args.handle(y);
}

// avgPool2dBackwardInput(dy, { kernel, stride, padding, shape }): shape is that of x.
Napi::Value avg_pool2d_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "avgPool2d");
  const Pool2dParams p = avg_pool2d_params(args.params(1));
  const Shape x_shape = args.params(1).shape("shape");
  const Tensor dy = args.tensor(0, "dy");
  args.maps({{"dy", &dy}});
  const Pool2dSizes sizes = pool2d_sizes(args.op(), p, x_shape);
  args.shaped({"dy", &dy}, {sizes.N, sizes.P, sizes.Q, sizes.C});
  const Tensor dx = Arguments::beside(dy, x_shape);
  dy.device().submit(
      [p, dy = dy.input(), dx = dx.output()](Backend& backend) { backend.avg_pool2d_backward_input(p, dy, dx); });
  return args.handle(dx);
}

}  // namespace

void define_avg_pool2d(Napi::Object& exports) {
  define<avg_pool2d_forward>(exports, "avgPool2dForward");
  define<avg_pool2d_backward_input>(exports, "avgPool2dBackwardInput");
}

}  // namespace igcnet::binding
