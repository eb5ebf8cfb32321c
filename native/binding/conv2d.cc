// conv2d: the (grouped) convolution (core/conv2d.h). Checked in test/kernels/conv2d.test.ts.
#include "core/conv2d.h"

#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

Conv2dParams conv2d_params(const Params& p) { return {p.integer("stride"), p.integer("padding"), p.integer("groups")}; }

// conv2dForward(x, w, { stride, padding, groups })
Napi::Value conv2d_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Conv2dParams p = conv2d_params(args.params(2));
  const Tensor x = args.tensor(0, "x"), w = args.tensor(1, "w");
  args.maps({{"x", &x}}, {{"w", &w}});
  const Tensor y = Arguments::beside(x, conv2d_output(conv2d_sizes(args.op(), p, x.shape, w.shape)));
  x.device().submit(
      [p, x = x.input(), w = w.input(), y = y.output()](Backend& backend) { backend.conv2d_forward(p, x, w, y); });
  return args.handle(y);
}

// conv2dTakesNorm(x, w, { stride, padding, groups }) -> whether conv2dNormForward spares a pass;
// conv2dFuses likewise -> whether conv2dFusedForward and -Backward spare passes
template <bool (Backend::*question)(const Conv2dSizes&) const>
Napi::Value conv2d_answer(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Conv2dParams p = conv2d_params(args.params(2));
  const Tensor x = args.tensor(0, "x"), w = args.tensor(1, "w");
  args.maps({{"x", &x}}, {{"w", &w}});
  const Conv2dSizes sizes = conv2d_sizes(args.op(), p, x.shape, w.shape);
  return Napi::Boolean::New(args.env(), (x.device().backend().*question)(sizes));
}

// conv2dNormForward(x, w, norm, { stride, padding, groups, relu }): norm [4, K] behind it, with a ReLU if `relu`.
Napi::Value conv2d_norm_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Conv2dParams p = conv2d_params(args.params(3));
  const bool relu = args.params(3).boolean("relu");
  const Tensor x = args.tensor(0, "x"), w = args.tensor(1, "w"), norm = args.tensor(2, "norm");
  args.maps({{"x", &x}}, {{"w", &w}, {"norm", &norm}});
  const Tensor y = Arguments::beside(x, conv2d_output(conv2d_sizes(args.op(), p, x.shape, w.shape)));
  args.shaped({"norm", &norm}, {4, w.shape[0]});
  if (y.empty()) return args.handle(y);
  x.device().submit([p, relu, x = x.input(), w = w.input(), norm = norm.input(), y = y.output()](Backend& backend) {
    backend.conv2d_norm_forward(p, x, w, norm_of(norm, relu), y);
  });
  return args.handle(y);
}

// conv2dBackwardInput(dy, w, { stride, padding, groups, shape }): shape is that of x.
Napi::Value conv2d_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Conv2dParams p = conv2d_params(args.params(2));
  const Shape x_shape = args.params(2).shape("shape");
  const Tensor dy = args.tensor(0, "dy"), w = args.tensor(1, "w");
  args.maps({{"dy", &dy}}, {{"w", &w}});
  args.shaped({"dy", &dy}, conv2d_output(conv2d_sizes(args.op(), p, x_shape, w.shape)));
  const Tensor dx = Arguments::beside(dy, x_shape);
  dy.device().submit([p, dy = dy.input(), w = w.input(), dx = dx.output()](Backend& backend) {
    backend.conv2d_backward_input(p, dy, w, dx);
  });
  return args.handle(dx);
}

// conv2dBackwardWeight(dy, x, { stride, padding, groups, shape }): shape is that of w.
Napi::Value conv2d_backward_weight(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Conv2dParams p = conv2d_params(args.params(2));
  const Shape w_shape = args.params(2).shape("shape");
  const Tensor dy = args.tensor(0, "dy"), x = args.tensor(1, "x");
  args.maps({{"dy", &dy}, {"x", &x}});
  args.shaped({"dy", &dy}, conv2d_output(conv2d_sizes(args.op(), p, x.shape, w_shape)));
  const Tensor dw = Arguments::parameter_beside(x, w_shape);
  x.device().submit([p, dy = dy.input(), x = x.input(), dw = dw.output()](Backend& backend) {
    backend.conv2d_backward_weight(p, dy, x, dw);
  });
  return args.handle(dw);
}

// conv2dFusedForward(x, w, { stride, padding, groups, xRelu, needsStatistics }, xNorm?) -> { y, statistics? }
// xNorm and statistics as of igcBlockForward.
Napi::Value conv2d_fused_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Params params = args.params(2);
  const Conv2dParams p = conv2d_params(params);
  const bool x_relu = params.boolean("xRelu"), needs_statistics = params.boolean("needsStatistics");
  const Tensor x = args.tensor(0, "x"), w = args.tensor(1, "w");
  args.maps({{"x", &x}}, {{"w", &w}});
  const Shape output = conv2d_output(conv2d_sizes(args.op(), p, x.shape, w.shape));
  const std::optional<Norm> x_norm = args.optional_norm(3, "xNorm", {"x", &x}, x_relu);
  const Tensor y = Arguments::beside(x, output);
  auto result = Napi::Object::New(args.env());
  result.Set("y", args.handle(Tensor(y)));
  std::optional<Output> rows;
  if (needs_statistics) {
    const Tensor statistics = Arguments::parameter_beside(x, {2, output[3]});
    rows = statistics.output();
    result.Set("statistics", args.handle(Tensor(statistics)));
  }
  x.device().submit([p, x_norm, rows, x = x.input(), w = w.input(), y = y.output()](Backend& backend) {
    const std::optional<BatchStatistics> statistics = rows ? std::optional(statistics_of(*rows)) : std::nullopt;
    backend.conv2d_fused_forward(p, x, x_norm ? &*x_norm : nullptr, w, y, statistics ? &*statistics : nullptr);
  });
  return result;
}

// conv2dFusedBackward(dy,
//   { stride, padding, groups, xShape, wShape, xRelu, yRelu, yTraining, needsInput, needsWeight, overwriteDy },
//   x?, w?, xNorm?, yNorm?, y?, dgamma?, dbeta?, more?, side?, sideNorm?) -> { dx?, dw?, gamma?, beta? }
// x is there for dw, for xNorm and for more, w for dx; the norms, overwriteDy and more as of igcBlockBackward.
Napi::Value conv2d_fused_backward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "conv2d");
  const Params params = args.params(1);
  const Conv2dParams p = conv2d_params(params);
  const bool x_relu = params.boolean("xRelu"), y_relu = params.boolean("yRelu"),
             y_training = params.boolean("yTraining"), needs_input = params.boolean("needsInput"),
             needs_weight = params.boolean("needsWeight");
  const Shape x_shape = params.shape("xShape"), w_shape = params.shape("wShape");
  const bool overwrites = params.boolean("overwriteDy");
  const Tensor dy = args.tensor(0, "dy");
  args.maps({{"dy", &dy}});
  const Conv2dSizes sizes = conv2d_sizes(args.op(), p, x_shape, w_shape);
  args.shaped({"dy", &dy}, conv2d_output(sizes));
  const bool has_norm = args.optional_tensor(4, "xNorm").has_value();
  const bool has_sum = args.optional_tensor(9, "more").has_value();
  Input x{nullptr, dy.dtype, x_shape}, w{nullptr, parameter_dtype(dy.dtype), w_shape};
  std::optional<Norm> x_norm;
  std::optional<GivenReluSum> sum;
  if (needs_weight || has_norm || has_sum) {
    const Tensor given = args.tensor(2, "x");
    args.maps({{"dy", &dy}, {"x", &given}});
    args.shaped({"x", &given}, x_shape);
    x_norm = args.optional_norm(4, "xNorm", {"x", &given}, x_relu);
    sum = args.optional_relu_sum(9, {"x", &given}, has_norm, needs_input);
    x = given.input();
  }
  if (needs_input) {
    const Tensor given = args.tensor(3, "w");
    args.maps({{"dy", &dy}}, {{"w", &given}});
    args.shaped({"w", &given}, w_shape);
    w = given.input();
  }
  const std::optional<NormGradient> y_norm = args.optional_norm_gradient(5, dy, y_relu, y_training);

  auto result = Napi::Object::New(args.env());
  const auto put = [&](const char* name, const Tensor& made) {
    result.Set(name, args.handle(Tensor(made)));
    return made.output();
  };
  const auto parameter = [&](bool needed, const char* name, const Shape& shape) {
    return needed ? put(name, Arguments::parameter_beside(dy, shape))
                  : Output{nullptr, parameter_dtype(dy.dtype), shape};
  };
  const bool over = overwrites && y_norm && dy.device().backend().conv2d_overwrites_dy(sizes);
  const Output dx = needs_input ? put("dx", Arguments::beside_or_over(dy, over, x_shape, sum, y_norm))
                                : Output{nullptr, dy.dtype, x_shape};
  const Output dw = parameter(needs_weight, "dw", w_shape);
  const bool needs_sums = needs_input && (has_norm || (sum && sum->side_norm));
  const NormWeights sums = {parameter(needs_sums, "gamma", {x_shape[3]}), parameter(needs_sums, "beta", {x_shape[3]})};
  if (!needs_input && !needs_weight) return result;
  dy.device().submit([p, x_norm, y_norm, needs_sums, sums, sum, dy = dy.input(), x, w, dx, dw](Backend& backend) {
    if (sum) {
      return backend.conv2d_fused_backward_through(sum->with(sums), p, dy, y_norm ? &*y_norm : nullptr, x, w, dx, dw);
    }
    backend.conv2d_fused_backward(p, dy, y_norm ? &*y_norm : nullptr, x, x_norm ? &*x_norm : nullptr, w, dx, dw,
                                  needs_sums ? &sums : nullptr);
  });
  return result;
}

}  // namespace

void define_conv2d(Napi::Object& exports) {
  define<conv2d_forward>(exports, "conv2dForward");
  define<conv2d_answer<&Backend::conv2d_takes_norm>>(exports, "conv2dTakesNorm");
  define<conv2d_norm_forward>(exports, "conv2dNormForward");
  define<conv2d_backward_input>(exports, "conv2dBackwardInput");
  define<conv2d_backward_weight>(exports, "conv2dBackwardWeight");
  define<conv2d_answer<&Backend::conv2d_fuses>>(exports, "conv2dFuses");
  define<conv2d_fused_forward>(exports, "conv2dFusedForward");
  define<conv2d_fused_backward>(exports, "conv2dFusedBackward");
}

}  // namespace igcnet::binding
