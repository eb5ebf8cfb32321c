// softmax over the last dimension. Checked in test/kernels/.
#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

void check_rank(const Tensor& x) {
  if (x.shape.rank() < 1) {
    throw Error(ErrorCode::kShape, "softmax: expected x with at least one dimension but received x []");
  }
}

Napi::Value softmax_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "softmax");
  const Tensor x = args.tensor(0, "x");
  args.floating({{"x", &x}});
  check_rank(x);
  const Tensor y = Arguments::beside(x, x.shape);
  if (y.empty()) return args.handle(y);
  x.device().submit([x = x.input(), y = y.output()](Backend& backend) { backend.softmax_forward(x, y); });
  return args.handle(y);
}

// softmaxBackwardInput(dy, y)
Napi::Value softmax_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "softmax");
  const Tensor dy = args.tensor(0, "dy"), y = args.tensor(1, "y");
  args.floating({{"dy", &dy}, {"y", &y}});
  check_rank(y);
  args.shaped({"dy", &dy}, y.shape);
  const Tensor dx = Arguments::beside(y, y.shape);
  if (dx.empty()) return args.handle(dx);
  y.device().submit([dy = dy.input(), y = y.input(), dx = dx.output()](Backend& backend) {
    backend.softmax_backward_input(dy, y, dx);
  });
  return args.handle(dx);
}

}  // namespace

void define_softmax(Napi::Object& exports) {
  define<softmax_forward>(exports, "softmaxForward");
  define<softmax_backward_input>(exports, "softmaxBackwardInput");
}

}  // namespace igcnet::binding
