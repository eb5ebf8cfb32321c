// sgd_step: the formula of core/sgd.h, element by element; w and v are updated. Checked against PyTorch's SGD over ten
// steps (test/golden).
#include <cmath>

#include "core/dispatch.h"
#include "core/sgd.h"
#include "reference/reference_backend.h"

namespace igcnet {

void ReferenceBackend::sgd_step(const SgdParams& p, const std::vector<SgdParameter>& parameters,
                                const GradientScale* scaling) {
  if (parameters.empty() || (scaling != nullptr && *scaling->found.as<float>() != 0)) return;
  dispatch_floating(parameters[0].w.dtype, [&]<class T>() {
    const T lr = static_cast<T>(p.lr), momentum = static_cast<T>(p.momentum);
    const T weight_decay = static_cast<T>(p.weight_decay);
    const T inverse = scaling == nullptr ? T{1} : 1 / static_cast<T>(*scaling->scale.as<float>());
    for (const SgdParameter& parameter : parameters) {
      const Input& g = parameter.g;
      const Output &w = parameter.w, &v = parameter.v;
      for (int64_t i = 0; i < w.elements(); ++i) {
        T &weight = w.as<T>()[i], &velocity = v.as<T>()[i];
        const T d = g.as<T>()[i] * inverse + weight_decay * weight;
        velocity = momentum * velocity + d;
        weight -= lr * (p.nesterov ? d + momentum * velocity : velocity);
      }
    }
  });
}

void ReferenceBackend::note_non_finite(const Input& x, const Output& found) {
  dispatch_floating(x.dtype, [&]<class T>() {
    for (int64_t i = 0; i < x.elements(); ++i) {
      if (!std::isfinite(x.as<T>()[i])) *found.as<float>() = 1;
    }
  });
}

}  // namespace igcnet
