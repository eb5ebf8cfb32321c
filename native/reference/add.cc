// add: y = a + b, element by element; a, b and y have one shape. Its gradient is dy for both inputs.
// Checked against PyTorch (test/golden).
#include "core/dispatch.h"
#include "reference/reference_backend.h"

namespace igcnet {

void ReferenceBackend::add_forward(const Input& a, const Input& b, const Output& y) {
  dispatch_floating(y.dtype, [&]<class T>() {
    for (int64_t i = 0; i < y.elements(); ++i) y.as<T>()[i] = a.as<T>()[i] + b.as<T>()[i];
  });
}

}  // namespace igcnet
