// random_uniform, random_normal: Philox4x32-10 (core/random.h). Checked in test/kernels/random.test.ts.
#include "core/random.h"

#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

// Both take { device, dtype, shape, seed, offset, a, b }: low and high, or mean and standard deviation.
template <void (Backend::*kFill)(const RandomParams&, const Output&)>
Napi::Value random_tensor(const Arguments& args) {
  const Params params = args.params(0);
  const RandomParams p = {params.counter("seed"), params.counter("offset"), params.finite("a"), params.finite("b")};
  const auto& device = Addon::of(args.env()).device(params.text("device"));
  device->refuse_recording("random numbers would be the same again");
  const Tensor y = make_tensor(device, params.dtype("dtype"), params.shape("shape"));
  args.maps({{"y", &y}});
  device->submit([p, y = y.output()](Backend& backend) { (backend.*kFill)(p, y); });
  return args.handle(y);
}

Napi::Value random_uniform(const Napi::CallbackInfo& info) {
  return random_tensor<&Backend::random_uniform>(Arguments(info, "randomUniform"));
}

Napi::Value random_normal(const Napi::CallbackInfo& info) {
  return random_tensor<&Backend::random_normal>(Arguments(info, "randomNormal"));
}

}  // namespace

void define_random(Napi::Object& exports) {
  define<random_uniform>(exports, "randomUniform");
  define<random_normal>(exports, "randomNormal");
}

}  // namespace igcnet::binding
