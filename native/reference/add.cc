// add: y = a + b, element by element; a, b and y have one shape. Its gradient is dy for both inputs.
// Checked against PyTorch (test/golden). add_relu composes the norms, this and relu, and is checked so.
#include <vector>

#include "core/dispatch.h"
#include "reference/reference_backend.h"

namespace igcnet {

void ReferenceBackend::add_forward(const Input& a, const Input& b, const Output& y) {
  dispatch_floating(y.dtype, [&]<class T>() {
    for (int64_t i = 0; i < y.elements(); ++i) y.as<T>()[i] = a.as<T>()[i] + b.as<T>()[i];
  });
}

void ReferenceBackend::add_relu_forward(const Input& a, const Norm* a_norm, const Input& b, const Norm* b_norm,
                                        const Output& y) {
  dispatch_floating(y.dtype, [&]<class T>() {
    std::vector<T> b_values(static_cast<size_t>(y.elements()));
    const auto apply = [&](const Input& x, const Norm* norm, const Output& to) {
      if (norm == nullptr) return x;
      batch_norm2d_apply(x, *norm, to);
      return Input(to);
    };
    add_forward(apply(a, a_norm, y), apply(b, b_norm, {b_values.data(), y.dtype, y.shape}), y);
    relu_forward(y, y);
  });
}

}  // namespace igcnet
