// sgd_step: the optimiser's step, in place (core/sgd.h). Checked in test/kernels/sgd-step.test.ts.
#include "binding/addon.h"
#include "binding/arguments.h"
#include "core/sgd.h"

namespace igcnet::binding {
namespace {

// Scalars of a scaled loss beside w: f32, also where w is not.
void check_scalar(const Arguments& args, const char* name, const Tensor& scalar, const Tensor& w) {
  args.same_device({{"w", &w}, {name, &scalar}});
  if (scalar.dtype != DType::kF32) {
    throw Error(ErrorCode::kDType, std::string(args.op()) + ": expected f32 for " + name + " but received " +
                                       std::string(name_of(scalar.dtype)));
  }
  args.shaped({name, &scalar}, {});
}

// sgdStep(g, w, v, { lr, momentum, weightDecay, nesterov }, scale?, found?): updates w and v.
Napi::Value sgd_step(const Napi::CallbackInfo& info) {
  const Arguments args(info, "sgdStep");
  const Params params = args.params(3);
  const SgdParams p = {params.finite("lr"), params.finite("momentum"), params.finite("weightDecay"),
                       params.boolean("nesterov")};
  const Tensor g = args.tensor(0, "g"), w = args.tensor(1, "w"), v = args.tensor(2, "v");
  args.floating({{"g", &g}, {"w", &w}, {"v", &v}});
  args.shaped({"g", &g}, w.shape);
  args.shaped({"v", &v}, w.shape);
  args.separate({"w", &w}, {{"g", &g}, {"v", &v}});
  args.separate({"v", &v}, {{"g", &g}});
  std::optional<GradientScale> scaling;
  if (const std::optional<Tensor> scale = args.optional_tensor(4, "scale")) {
    const Tensor found = args.tensor(5, "found");
    check_scalar(args, "scale", *scale, w);
    check_scalar(args, "found", found, w);
    args.separate({"w", &w}, {{"scale", &*scale}, {"found", &found}});
    args.separate({"v", &v}, {{"scale", &*scale}, {"found", &found}});
    scaling = {scale->input(), found.input()};
  }
  w.device().submit([p, scaling, g = g.input(), w = w.updated(), v = v.updated()](Backend& backend) {
    backend.sgd_step(p, g, w, v, scaling ? &*scaling : nullptr);
  });
  return info.Env().Undefined();
}

// noteNonFinite(x, found): found [], f32, becomes 1 when x has an infinity or NaN.
Napi::Value note_non_finite(const Napi::CallbackInfo& info) {
  const Arguments args(info, "noteNonFinite");
  const Tensor x = args.tensor(0, "x"), found = args.tensor(1, "found");
  args.floating({{"x", &x}});
  check_scalar(args, "found", found, x);
  args.separate({"found", &found}, {{"x", &x}});
  if (x.empty()) return info.Env().Undefined();
  x.device().submit([x = x.input(), found = found.updated()](Backend& backend) { backend.note_non_finite(x, found); });
  return info.Env().Undefined();
}

}  // namespace

void define_sgd_step(Napi::Object& exports) {
  define<sgd_step>(exports, "sgdStep");
  define<note_non_finite>(exports, "noteNonFinite");
}

}  // namespace igcnet::binding
