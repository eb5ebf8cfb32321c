// sgd_step: the formula of core/sgd.h, element by element; w and v are updated. Checked against PyTorch's SGD over ten
// steps (test/golden).
#include "core/dispatch.h"
#include "core/sgd.h"
#include "reference/reference_backend.h"

namespace igcnet {

void ReferenceBackend::sgd_step(const SgdParams& p, const Input& g, const Output& w, const Output& v) {
  dispatch_floating(w.dtype, [&]<class T>() {
    const T lr = static_cast<T>(p.lr), momentum = static_cast<T>(p.momentum);
    const T weight_decay = static_cast<T>(p.weight_decay);
    for (int64_t i = 0; i < w.elements(); ++i) {
      T &weight = w.as<T>()[i], &velocity = v.as<T>()[i];
      const T d = g.as<T>()[i] + weight_decay * weight;
      velocity = momentum * velocity + d;
      weight -= lr * (p.nesterov ? d + momentum * velocity : velocity);
    }
  });
}

}  // namespace igcnet
