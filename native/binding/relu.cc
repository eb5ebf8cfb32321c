// relu: y = max(x, 0). Checked in test/kernels/.
#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

Napi::Value relu_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "relu");
  const Tensor x = args.tensor(0, "x");
  args.maps({{"x", &x}});
  const Tensor y = Arguments::beside(x, x.shape);
  x.device().submit([x = x.input(), y = y.output()](Backend& backend) { backend.relu_forward(x, y); });
  return args.handle(y);
}

// reluBackwardInput(dy, y)
Napi::Value relu_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "relu");
  const Tensor dy = args.tensor(0, "dy"), y = args.tensor(1, "y");
  args.maps({{"dy", &dy}, {"y", &y}});
  args.shaped({"dy", &dy}, y.shape);
  const Tensor dx = Arguments::beside(y, y.shape);
  y.device().submit(
      [dy = dy.input(), y = y.input(), dx = dx.output()](Backend& backend) { backend.relu_backward_input(dy, y, dx); });
  return args.handle(dx);
}

}  // namespace

void define_relu(Napi::Object& exports) {
  define<relu_forward>(exports, "reluForward");
  define<relu_backward_input>(exports, "reluBackwardInput");
}

}  // namespace igcnet::binding
