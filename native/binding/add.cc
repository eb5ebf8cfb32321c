// add: y = a + b, and addRelu: y = relu(a + b), same shapes. Checked in test/kernels/.
#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

Napi::Value add_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "add");
  const Tensor a = args.tensor(0, "a"), b = args.tensor(1, "b");
  args.maps({{"a", &a}, {"b", &b}});
  args.shaped({"b", &b}, a.shape);
  const Tensor y = Arguments::beside(a, a.shape);
  a.device().submit([a = a.input(), b = b.input(), y = y.output()](Backend& backend) { backend.add_forward(a, b, y); });
  return args.handle(y);
}

// addReluForward(a, b, { aRelu, bRelu }, aNorm?, bNorm?) -> relu(a + b), a and b behind their norms [4, C]
// (core/batch_norm2d.h) where there is one.
Napi::Value add_relu_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "addRelu");
  const bool a_relu = args.params(2).boolean("aRelu"), b_relu = args.params(2).boolean("bRelu");
  const Tensor a = args.tensor(0, "a"), b = args.tensor(1, "b");
  args.maps({{"a", &a}, {"b", &b}});
  args.shaped({"b", &b}, a.shape);
  const std::optional<Norm> a_norm = args.optional_norm(3, "aNorm", {"a", &a}, a_relu),
                            b_norm = args.optional_norm(4, "bNorm", {"b", &b}, b_relu);
  const Tensor y = Arguments::beside(a, a.shape);
  if (y.empty()) return args.handle(y);
  a.device().submit([a_norm, b_norm, a = a.input(), b = b.input(), y = y.output()](Backend& backend) {
    backend.add_relu_forward(a, a_norm ? &*a_norm : nullptr, b, b_norm ? &*b_norm : nullptr, y);
  });
  return args.handle(y);
}

// addReluBackward(dy, y, { overwriteDy }, more?, x?, xNorm?) -> { dv, gamma?, beta? }: dv is the gradient of both
// sides, of dy or dy + more, whose memory it may take over as of igcBlockBackward. With one side x and its norm [4, C]
// (both or none), which has no ReLU, gamma and beta are the gradients of the norm's.
Napi::Value add_relu_backward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "addRelu");
  const bool over = args.params(2).boolean("overwriteDy");
  const Tensor dy = args.tensor(0, "dy"), y = args.tensor(1, "y");
  args.maps({{"dy", &dy}, {"y", &y}});
  args.shaped({"y", &y}, dy.shape);
  const auto same = [&](size_t index, const char* name) {
    const std::optional<Tensor> tensor = args.optional_tensor(index, name);
    if (tensor) {
      args.maps({{"dy", &dy}, {name, &*tensor}});
      args.shaped({name, &*tensor}, dy.shape);
    }
    return tensor;
  };
  const std::optional<Tensor> more = same(3, "more"), x = same(4, "x");
  if (x.has_value() != args.optional_tensor(5, "xNorm").has_value())
    args.tensor(x ? 5 : 4, x ? "xNorm" : "x");  // throws
  const std::optional<Norm> x_norm = x ? args.optional_norm(5, "xNorm", {"x", &*x}, false) : std::nullopt;
  const Tensor dv = Arguments::beside_or_over(dy, over, dy.shape);
  auto result = Napi::Object::New(args.env());
  result.Set("dv", args.handle(Tensor(dv)));
  std::optional<NormWeights> sums;
  if (x_norm) {
    const Shape channels = {x_norm->mean.elements()};
    const Tensor gamma = Arguments::parameter_beside(dy, channels), beta = Arguments::parameter_beside(dy, channels);
    sums = NormWeights{gamma.output(), beta.output()};
    result.Set("gamma", args.handle(Tensor(gamma)));
    result.Set("beta", args.handle(Tensor(beta)));
  }
  const Input none{nullptr, dy.dtype, dy.shape};
  dy.device().submit([x_norm, sums, dy = dy.input(), y = y.input(), dv = dv.output(),
                      more = more ? more->input() : none, x = x ? x->input() : none](Backend& backend) {
    backend.add_relu_backward(dy, more, y, dv, x, x_norm ? &*x_norm : nullptr, sums ? &*sums : nullptr);
  });
  return result;
}

}  // namespace

void define_add(Napi::Object& exports) {
  define<add_forward>(exports, "addForward");
  define<add_relu_forward>(exports, "addReluForward");
  define<add_relu_backward>(exports, "addReluBackward");
}

}  // namespace igcnet::binding
