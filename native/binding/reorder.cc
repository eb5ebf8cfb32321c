// reorder: the channel permutation (core/reorder.h). Checked in test/kernels/reorder.test.ts.
#include "core/reorder.h"

#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

// reorderForward(x, { factor })
Napi::Value reorder_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "reorder");
  const ReorderParams p = {args.params(1).integer("factor")};
  const Tensor x = args.tensor(0, "x");
  args.maps({{"x", &x}});
  reorder_check(args.op(), p, x.shape);
  const Tensor y = Arguments::beside(x, x.shape);
  x.device().submit([p, x = x.input(), y = y.output()](Backend& backend) { backend.reorder_forward(p, x, y); });
  return args.handle(y);
}

// reorderBackwardInput(dy, { factor }): factor is that of the forward direction.
Napi::Value reorder_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "reorder");
  const ReorderParams p = {args.params(1).integer("factor")};
  const Tensor dy = args.tensor(0, "dy");
  args.maps({{"dy", &dy}});
  reorder_check(args.op(), p, dy.shape);
  const Tensor dx = Arguments::beside(dy, dy.shape);
  dy.device().submit(
      [p, dy = dy.input(), dx = dx.output()](Backend& backend) { backend.reorder_backward_input(p, dy, dx); });
  return args.handle(dx);
}

}  // namespace

void define_reorder(Napi::Object& exports) {
  define<reorder_forward>(exports, "reorderForward");
  define<reorder_backward_input>(exports, "reorderBackwardInput");
}

}  // namespace igcnet::binding
