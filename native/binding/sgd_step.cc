// sgd_step: the optimiser's step, in place (core/sgd.h). Checked in test/kernels/sgd-step.test.ts.
#include <algorithm>
#include <unordered_set>

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

// What is updated shares its memory with nothing else: kernels go through parameters side by side.
void check_separate(const Arguments& args, const std::vector<Tensor>& gs, const std::vector<Tensor>& ws,
                    const std::vector<Tensor>& vs) {
  std::unordered_set<const Storage*> updated;
  for (size_t i = 0; i < ws.size(); ++i) {
    args.separate({"w", &ws[i]}, {{"g", &gs[i]}, {"v", &vs[i]}});
    args.separate({"v", &vs[i]}, {{"g", &gs[i]}});
    updated.insert(ws[i].storage.get());
    updated.insert(vs[i].storage.get());
  }
  const bool read_too =
      std::any_of(gs.begin(), gs.end(), [&](const Tensor& g) { return updated.count(g.storage.get()); });
  if (updated.size() != 2 * ws.size() || read_too) {
    throw Error(ErrorCode::kArgument,
                std::string(args.op()) + ": expected parameters in memory of their own but received two that share it");
  }
}

// sgdStep([g...], [w...], [v...], { lr, momentum, weightDecay, nesterov }, scale?, found?): updates all w and v, or
// none.
Napi::Value sgd_step(const Napi::CallbackInfo& info) {
  const Arguments args(info, "sgdStep");
  const Params params = args.params(3);
  const SgdParams p = {params.finite("lr"), params.finite("momentum"), params.finite("weightDecay"),
                       params.boolean("nesterov")};
  const auto arrays = args.tensors({{0, "g"}, {1, "w"}, {2, "v"}});
  const std::vector<Tensor>&gs = arrays[0], &ws = arrays[1], &vs = arrays[2];
  if (gs.size() != ws.size() || vs.size() != ws.size()) {
    throw Error(ErrorCode::kArgument, std::string(args.op()) + ": expected as many g and v as w but received " +
                                          std::to_string(gs.size()) + ", " + std::to_string(vs.size()) + " and " +
                                          std::to_string(ws.size()));
  }
  if (ws.empty()) return info.Env().Undefined();
  for (size_t i = 0; i < ws.size(); ++i) {
    args.floating({{"w", &ws[0]}, {"g", &gs[i]}, {"w", &ws[i]}, {"v", &vs[i]}});
    args.shaped({"g", &gs[i]}, ws[i].shape);
    args.shaped({"v", &vs[i]}, ws[i].shape);
  }
  check_separate(args, gs, ws, vs);
  std::optional<GradientScale> scaling;
  if (const std::optional<Tensor> scale = args.optional_tensor(4, "scale")) {
    const Tensor found = args.tensor(5, "found");
    check_scalar(args, "scale", *scale, ws[0]);
    check_scalar(args, "found", found, ws[0]);
    for (size_t i = 0; i < ws.size(); ++i) {
      args.separate({"w", &ws[i]}, {{"scale", &*scale}, {"found", &found}});
      args.separate({"v", &vs[i]}, {{"scale", &*scale}, {"found", &found}});
    }
    scaling = {scale->input(), found.input()};
  }
  std::vector<SgdParameter> parameters;
  for (size_t i = 0; i < ws.size(); ++i) parameters.push_back({gs[i].input(), ws[i].updated(), vs[i].updated()});
  ws[0].device().submit([p, scaling, parameters = std::move(parameters)](Backend& backend) {
    backend.sgd_step(p, parameters, scaling ? &*scaling : nullptr);
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
