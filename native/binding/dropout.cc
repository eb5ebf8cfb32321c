// dropout: parts of a tensor set to zero at random (core/dropout.h). Checked in test/kernels/dropout.test.ts.
#include "core/dropout.h"

#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

// Both take (x, { rate, seed, offset }); backwards with dy in the place of x.
template <void (Backend::*kDrop)(const DropoutParams&, const Input&, const Output&)>
Napi::Value dropped(const Arguments& args, const char* name) {
  const Params params = args.params(1);
  const DropoutParams p = {params.finite("rate"), params.counter("seed"), params.counter("offset")};
  const Tensor x = args.tensor(0, name);
  args.maps({{name, &x}});
  dropout_check(args.op(), p);
  x.device().refuse_recording("dropout would drop the same elements again");
  const Tensor y = Arguments::beside(x, x.shape);
  x.device().submit([p, x = x.input(), y = y.output()](Backend& backend) { (backend.*kDrop)(p, x, y); });
  return args.handle(y);
}

Napi::Value dropout_forward(const Napi::CallbackInfo& info) {
  return dropped<&Backend::dropout_forward>(Arguments(info, "dropout"), "x");
}

Napi::Value dropout_backward_input(const Napi::CallbackInfo& info) {
  return dropped<&Backend::dropout_backward_input>(Arguments(info, "dropout"), "dy");
}

}  // namespace

void define_dropout(Napi::Object& exports) {
  define<dropout_forward>(exports, "dropoutForward");
  define<dropout_backward_input>(exports, "dropoutBackwardInput");
}

}  // namespace igcnet::binding
