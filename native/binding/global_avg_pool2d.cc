// global_avg_pool2d: the mean over the whole map, [N, H, W, C] to [N, C]. Checked in test/kernels/pool2d.test.ts.
#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

Shape pooled_shape(const char* op, const Shape& x) {
  if (x.rank() != 4) {
    throw Error(ErrorCode::kShape, std::string(op) + ": expected x [N, H, W, C] but received x " + x.to_string());
  }
  if (x[1] < 1 || x[2] < 1) {
    throw Error(ErrorCode::kShape,
                std::string(op) + ": expected a map of at least one pixel but received x " + x.to_string());
  }
  return {x[0], x[3]};
}

// globalAvgPool2dForward(x)
Napi::Value global_avg_pool2d_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "globalAvgPool2d");
  const Tensor x = args.tensor(0, "x");
  args.maps({{"x", &x}});
  const Tensor y = Arguments::beside(x, pooled_shape(args.op(), x.shape));
  if (y.empty()) return args.handle(y);
  x.device().submit([x = x.input(), y = y.output()](Backend& backend) { backend.global_avg_pool2d_forward(x, y); });
  return args.handle(y);
}

// globalAvgPool2dBackwardInput(dy, { shape }): shape is that of x.
Napi::Value global_avg_pool2d_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "globalAvgPool2d");
  const Shape x_shape = args.params(1).shape("shape");
  const Tensor dy = args.tensor(0, "dy");
  args.maps({{"dy", &dy}});
  args.shaped({"dy", &dy}, pooled_shape(args.op(), x_shape));
  const Tensor dx = Arguments::beside(dy, x_shape);
  if (dx.empty()) return args.handle(dx);
  dy.device().submit(
      [dy = dy.input(), dx = dx.output()](Backend& backend) { backend.global_avg_pool2d_backward_input(dy, dx); });
  return args.handle(dx);
}

}  // namespace

void define_global_avg_pool2d(Napi::Object& exports) {
  define<global_avg_pool2d_forward>(exports, "globalAvgPool2dForward");
  define<global_avg_pool2d_backward_input>(exports, "globalAvgPool2dBackwardInput");
}

}  // namespace igcnet::binding
