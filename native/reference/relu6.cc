// relu6: y = x <= 0 ? 0 : x >= 6 ? 6 : x, so a NaN stays NaN (as in PyTorch and MXNet) and -0 becomes 0.
// dx = 0 < y < 6 ? dy : 0: no gradient at x = 0 and x = 6, nor where y is NaN. Checked against PyTorch (test/golden).
#include "core/dispatch.h"
#include "reference/reference_backend.h"

namespace igcnet {

void ReferenceBackend::relu6_forward(const Input& x, const Output& y) {
  dispatch_floating(x.dtype, [&]<class T>() {
    for (int64_t i = 0; i < x.elements(); ++i) {
      const T value = x.as<T>()[i];
      y.as<T>()[i] = value <= 0 ? 0 : value >= 6 ? 6 : value;
    }
  });
}

void ReferenceBackend::relu6_backward_input(const Input& dy, const Input& y, const Output& dx) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    for (int64_t i = 0; i < dy.elements(); ++i) {
      const T value = y.as<T>()[i];
      dx.as<T>()[i] = value > 0 && value < 6 ? dy.as<T>()[i] : 0;
    }
  });
}

}  // namespace igcnet
