// sgd_step: the optimiser's step, in place (core/sgd.h). Checked in test/kernels/sgd-step.test.ts.
#include "binding/addon.h"
#include "binding/arguments.h"
#include "core/sgd.h"

namespace igcnet::binding {
namespace {

// sgdStep(g, w, v, { lr, momentum, weightDecay, nesterov }): updates w and v.
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
  w.device().submit(
      [p, g = g.input(), w = w.output(), v = v.output()](Backend& backend) { backend.sgd_step(p, g, w, v); });
  return info.Env().Undefined();
}

}  // namespace

void define_sgd_step(Napi::Object& exports) { define<sgd_step>(exports, "sgdStep"); }

}  // namespace igcnet::binding
