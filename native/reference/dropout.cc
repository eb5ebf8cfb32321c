// dropout: y = kept ? x * scale : 0 with the numbers of core/dropout.h; dx likewise from dy.
// Checked against the numbers of random_uniform in test/kernels/dropout.test.ts.
#include "core/dropout.h"

#include "core/dispatch.h"
#include "reference/reference_backend.h"

namespace igcnet {
namespace {

void drop(const DropoutParams& p, const Input& x, const Output& y) {
  dispatch_floating(x.dtype, [&]<class T>() {
    const T scale = static_cast<T>(1.0 / (1.0 - p.rate));
    for (int64_t i = 0; i < x.elements(); ++i) {
      const bool kept = dropout_keeps(p, p.offset + static_cast<uint64_t>(i / 2))[static_cast<size_t>(i % 2)];
      y.as<T>()[i] = kept ? x.as<T>()[i] * scale : 0;
    }
  });
}

}  // namespace

void ReferenceBackend::dropout_forward(const DropoutParams& p, const Input& x, const Output& y) { drop(p, x, y); }

void ReferenceBackend::dropout_backward_input(const DropoutParams& p, const Input& dy, const Output& dx) {
  drop(p, dy, dx);
}

}  // namespace igcnet
