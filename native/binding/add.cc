// add: y = a + b, same shapes. Checked in test/kernels/.
#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

Napi::Value add_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "add");
  const Tensor a = args.tensor(0, "a"), b = args.tensor(1, "b");
  args.floating({{"a", &a}, {"b", &b}});
  args.shaped({"b", &b}, a.shape);
  const Tensor y = Arguments::beside(a, a.shape);
  a.device().submit([a = a.input(), b = b.input(), y = y.output()](Backend& backend) { backend.add_forward(a, b, y); });
  return args.handle(y);
}

}  // namespace

void define_add(Napi::Object& exports) { define<add_forward>(exports, "addForward"); }

}  // namespace igcnet::binding
