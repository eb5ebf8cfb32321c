// fill, copy and cast: moving values. Checked in test/kernels/cast.test.ts.
#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

// fill(x, { value }): in place.
Napi::Value fill(const Napi::CallbackInfo& info) {
  const Arguments args(info, "fill");
  const double value = args.params(1).number("value");
  const Tensor x = args.tensor(0, "x");
  x.device().submit([value, x = x.updated()](Backend& backend) { backend.fill(value, x); });
  return info.Env().Undefined();
}

// copyInto(x, y): the values of x into y, in place. Same dtype, shape and device. Nothing to do when they share memory.
Napi::Value copy_into(const Napi::CallbackInfo& info) {
  const Arguments args(info, "copy");
  const Tensor x = args.tensor(0, "x"), y = args.tensor(1, "y");
  args.same_device({{"x", &x}, {"y", &y}});
  args.shaped({"x", &x}, y.shape);
  if (x.dtype != y.dtype) {
    throw Error(ErrorCode::kDType, "copy: expected x of dtype " + std::string(name_of(y.dtype)) + " but received " +
                                       std::string(name_of(x.dtype)));
  }
  if (x.storage == y.storage) return info.Env().Undefined();
  x.device().submit([x = x.input(), y = y.updated()](Backend& backend) { backend.copy(x, y); });
  return info.Env().Undefined();
}

// cast(x, { dtype }): also the copy, when the dtype is the same.
Napi::Value cast(const Napi::CallbackInfo& info) {
  const Arguments args(info, "cast");
  const DType dtype = args.params(1).dtype("dtype");
  const Tensor x = args.tensor(0, "x");
  const Tensor y = make_tensor(x.storage->shared_device(), dtype, x.shape);
  x.device().submit([x = x.input(), y = y.output()](Backend& backend) {
    if (x.dtype == y.dtype) {
      backend.copy(x, y);
    } else {
      backend.cast(x, y);
    }
  });
  return args.handle(y);
}

}  // namespace

void define_cast(Napi::Object& exports) {
  define<fill>(exports, "fill");
  define<copy_into>(exports, "copyInto");
  define<cast>(exports, "cast");
}

}  // namespace igcnet::binding
