// igc_block: the interleaved group convolution, with the norms around it (core/igc_block.h, core/batch_norm2d.h).
// Checked in test/kernels/igc-block.test.ts.
#include "core/igc_block.h"

#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

IgcBlockParams igc_block_params(const Params& p) {
  return {p.integer("primaryPartitions"), p.integer("secondaryPartitions"), p.integer("stride"), p.integer("padding")};
}

// igcBlockForward(x, primaryWeight, secondaryWeight,
//   { primaryPartitions, secondaryPartitions, stride, padding, xRelu, needsStatistics, needsZ }, xNorm?)
// -> { y, statistics?, z? }
// xNorm [4, C], with its ReLU when xRelu, is applied to x first; statistics [2, K] are those of y; z is there where the
// device gains by it, for igcBlockBackward.
Napi::Value igc_block_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "igcBlock");
  const Params params = args.params(3);
  const IgcBlockParams p = igc_block_params(params);
  const bool x_relu = params.boolean("xRelu"), needs_statistics = params.boolean("needsStatistics"),
             needs_z = params.boolean("needsZ");
  const Tensor x = args.tensor(0, "x"), wp = args.tensor(1, "primaryWeight"), ws = args.tensor(2, "secondaryWeight");
  args.maps({{"x", &x}}, {{"primaryWeight", &wp}, {"secondaryWeight", &ws}});
  const Conv2dSizes sizes = igc_block_sizes(args.op(), p, x.shape, wp.shape, ws.shape);
  const Shape output = conv2d_output(sizes);
  const std::optional<Norm> x_norm = args.optional_norm(4, "xNorm", {"x", &x}, x_relu);
  const Tensor y = Arguments::beside(x, output);
  auto result = Napi::Object::New(args.env());
  result.Set("y", args.handle(Tensor(y)));
  std::optional<Output> rows, z;
  if (needs_statistics) {
    const Tensor statistics = Arguments::parameter_beside(x, {2, output[3]});
    rows = statistics.output();
    result.Set("statistics", args.handle(Tensor(statistics)));
  }
  if (needs_z && x.device().backend().igc_block_keeps_z(p, sizes)) {
    const Tensor kept = Arguments::beside(x, output);
    z = kept.output();
    result.Set("z", args.handle(Tensor(kept)));
  }
  x.device().submit(
      [p, x_norm, rows, z, x = x.input(), wp = wp.input(), ws = ws.input(), y = y.output()](Backend& backend) {
        const std::optional<BatchStatistics> statistics = rows ? std::optional(statistics_of(*rows)) : std::nullopt;
        backend.igc_block_forward(p, x, x_norm ? &*x_norm : nullptr, wp, ws, y, statistics ? &*statistics : nullptr,
                                  z ? &*z : nullptr);
      });
  return result;
}

// igcBlockBackward(dy, x, primaryWeight, secondaryWeight,
//   { …, xRelu, yRelu, yTraining, needsInput, needsPrimary, needsSecondary, overwriteDy }, xNorm?, yNorm?, y?, dgamma?,
//   dbeta?, z?, more?, side?, sideNorm?)
// -> { dx?, primary?, secondary?, gamma?, beta? }
// With yNorm, dy is the gradient behind the batch norm of y, whose own sums are dgamma and dbeta. gamma and beta are
// the gradients of xNorm's, there when dx is and x has a norm. overwriteDy: nobody reads dy any more, so dx may take
// its memory over. With more, x = relu(a + b), dx is wanted, and dx is that of addReluBackward with the gradient of x
// and more; side, a or b, has the norm sideNorm [4, C], of which gamma and beta are the gradients then. z is what
// igcBlockForward gave for the same inputs.
Napi::Value igc_block_backward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "igcBlock");
  const Params params = args.params(4);
  const IgcBlockParams p = igc_block_params(params);
  const bool x_relu = params.boolean("xRelu"), needs_input = params.boolean("needsInput"),
             needs_primary = params.boolean("needsPrimary"), needs_secondary = params.boolean("needsSecondary"),
             overwrites = params.boolean("overwriteDy"), y_relu = params.boolean("yRelu"),
             y_training = params.boolean("yTraining");
  const Tensor dy = args.tensor(0, "dy"), x = args.tensor(1, "x"), wp = args.tensor(2, "primaryWeight"),
               ws = args.tensor(3, "secondaryWeight");
  args.maps({{"dy", &dy}, {"x", &x}}, {{"primaryWeight", &wp}, {"secondaryWeight", &ws}});
  const Conv2dSizes sizes = igc_block_sizes(args.op(), p, x.shape, wp.shape, ws.shape);
  args.shaped({"dy", &dy}, conv2d_output(sizes));
  const std::optional<Norm> x_norm = args.optional_norm(5, "xNorm", {"x", &x}, x_relu);
  const std::optional<NormGradient> y_norm = args.optional_norm_gradient(6, dy, y_relu, y_training);

  const auto sum = args.optional_relu_sum(11, {"x", &x}, x_norm.has_value(), needs_input);
  const std::optional<Tensor> kept = args.optional_tensor(10, "z");
  std::optional<Input> z;
  if (kept) {
    args.maps({{"x", &x}, {"z", &*kept}}, {});
    args.shaped({"z", &*kept}, dy.shape);
    if (x.device().backend().igc_block_keeps_z(p, sizes)) z = kept->input();
  }

  std::vector<std::pair<const char*, Tensor>> made;
  const auto output = [&](bool needed, const char* name, const Shape& shape) {
    if (!needed) return Output{nullptr, parameter_dtype(x.dtype), shape};
    made.emplace_back(name, Arguments::parameter_beside(x, shape));
    return made.back().second.output();
  };
  if (needs_input) {
    const bool over = overwrites && x.device().backend().igc_block_overwrites_dy(p, sizes);
    made.emplace_back("dx", Arguments::beside_or_over(dy, over, x.shape, sum, y_norm));
  }
  const Output dx = needs_input ? made.back().second.output() : Output{nullptr, x.dtype, x.shape};
  const Output primary_dw = output(needs_primary, "primary", wp.shape),
               secondary_dw = output(needs_secondary, "secondary", ws.shape);
  const bool needs_sums = needs_input && (x_norm.has_value() || (sum && sum->side_norm));
  const NormWeights sums = {output(needs_sums, "gamma", {x.shape[3]}), output(needs_sums, "beta", {x.shape[3]})};
  x.device().submit([p, x_norm, y_norm, needs_sums, z, sums, sum, dy = dy.input(), x = x.input(), wp = wp.input(),
                     ws = ws.input(), dx, primary_dw, secondary_dw](Backend& backend) {
    if (sum) {
      return backend.igc_block_backward_through(sum->with(sums), p, dy, y_norm ? &*y_norm : nullptr, x, wp, ws, dx,
                                                primary_dw, secondary_dw, z ? &*z : nullptr);
    }
    backend.igc_block_backward(p, dy, y_norm ? &*y_norm : nullptr, x, x_norm ? &*x_norm : nullptr, wp, ws, dx,
                               primary_dw, secondary_dw, needs_sums ? &sums : nullptr, z ? &*z : nullptr);
  });
  auto result = Napi::Object::New(args.env());
  for (auto& [name, tensor] : made) result.Set(name, args.handle(std::move(tensor)));
  return result;
}

}  // namespace

void define_igc_block(Napi::Object& exports) {
  define<igc_block_forward>(exports, "igcBlockForward");
  define<igc_block_backward>(exports, "igcBlockBackward");
}

}  // namespace igcnet::binding
