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
  const std::optional<Tensor> a_rows = args.optional_tensor(3, "aNorm"), b_rows = args.optional_tensor(4, "bNorm");
  args.maps({{"a", &a}, {"b", &b}});
  args.shaped({"b", &b}, a.shape);
  const auto norm = [&](const std::optional<Tensor>& rows, const char* name, bool relu) -> std::optional<Norm> {
    if (!rows) return std::nullopt;
    args.maps({{"a", &a}}, {{name, &*rows}});
    if (a.shape.rank() < 2) {
      throw Error(ErrorCode::kShape,
                  "addRelu: expected a [.., C] with at least two dimensions but received a " + a.shape.to_string());
    }
    args.shaped({name, &*rows}, {4, a.shape[a.shape.rank() - 1]});
    return norm_of(rows->input(), relu);
  };
  const std::optional<Norm> a_norm = norm(a_rows, "aNorm", a_relu), b_norm = norm(b_rows, "bNorm", b_relu);
  const Tensor y = Arguments::beside(a, a.shape);
  if (y.empty()) return args.handle(y);
  a.device().submit([a_norm, b_norm, a = a.input(), b = b.input(), y = y.output()](Backend& backend) {
    backend.add_relu_forward(a, a_norm ? &*a_norm : nullptr, b, b_norm ? &*b_norm : nullptr, y);
  });
  return args.handle(y);
}

}  // namespace

void define_add(Napi::Object& exports) {
  define<add_forward>(exports, "addForward");
  define<add_relu_forward>(exports, "addReluForward");
}

}  // namespace igcnet::binding
