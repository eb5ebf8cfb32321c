// max_pool2d: the maximum of windows (core/pool2d.h). Checked in test/kernels/pool2d.test.ts.
#include "binding/addon.h"
#include "binding/arguments.h"
#include "core/pool2d.h"

namespace igcnet::binding {
namespace {

Pool2dParams max_pool2d_params(const Params& p) {
  return {p.integer("kernel"), p.integer("stride"), p.integer("padding")};
}

// maxPool2dForward(x, { kernel, stride, padding })
Napi::Value max_pool2d_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "maxPool2d");
  const Pool2dParams p = max_pool2d_params(args.params(1));
  const Tensor x = args.tensor(0, "x");
  args.maps({{"x", &x}});
  const Pool2dSizes sizes = pool2d_sizes(args.op(), p, x.shape);
  const Tensor y = Arguments::beside(x, {sizes.N, sizes.P, sizes.Q, sizes.C});
  x.device().submit([p, x = x.input(), y = y.output()](Backend& backend) { backend.max_pool2d_forward(p, x, y); });
  return args.handle(y);
}

// maxPool2dBackwardInput(dy, x, { kernel, stride, padding })
Napi::Value max_pool2d_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "maxPool2d");
  const Pool2dParams p = max_pool2d_params(args.params(2));
  const Tensor dy = args.tensor(0, "dy"), x = args.tensor(1, "x");
  args.maps({{"dy", &dy}, {"x", &x}});
  const Pool2dSizes sizes = pool2d_sizes(args.op(), p, x.shape);
  args.shaped({"dy", &dy}, {sizes.N, sizes.P, sizes.Q, sizes.C});
  const Tensor dx = Arguments::beside(x, x.shape);
  x.device().submit([p, dy = dy.input(), x = x.input(), dx = dx.output()](Backend& backend) {
    backend.max_pool2d_backward_input(p, dy, x, dx);
  });
  return args.handle(dx);
}

}  // namespace

void define_max_pool2d(Napi::Object& exports) {
  define<max_pool2d_forward>(exports, "maxPool2dForward");
  define<max_pool2d_backward_input>(exports, "maxPool2dBackwardInput");
}

}  // namespace igcnet::binding
