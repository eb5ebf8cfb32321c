// relu6: y = min(max(x, 0), 6). Checked in test/kernels/.
#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

Napi::Value relu6_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "relu6");
  const Tensor x = args.tensor(0, "x");
  args.maps({{"x", &x}});
  const Tensor y = Arguments::beside(x, x.shape);
  x.device().submit([x = x.input(), y = y.output()](Backend& backend) { backend.relu6_forward(x, y); });
  return args.handle(y);
}

// relu6BackwardInput(dy, y)
Napi::Value relu6_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "relu6");
  const Tensor dy = args.tensor(0, "dy"), y = args.tensor(1, "y");
  args.maps({{"dy", &dy}, {"y", &y}});
  args.shaped({"dy", &dy}, y.shape);
  const Tensor dx = Arguments::beside(y, y.shape);
  y.device().submit([dy = dy.input(), y = y.input(), dx = dx.output()](Backend& backend) {
    backend.relu6_backward_input(dy, y, dx);
  });
  return args.handle(dx);
}

}  // namespace

void define_relu6(Napi::Object& exports) {
  define<relu6_forward>(exports, "relu6Forward");
  define<relu6_backward_input>(exports, "relu6BackwardInput");
}

}  // namespace igcnet::binding
