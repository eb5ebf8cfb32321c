// dropout: a thread takes the two elements of one block of the generator, by the code that every device shares
// (core/dropout.h). Checked in test/kernels/dropout.test.ts.
#include "core/dropout.h"
#include "cuda/four.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

template <class T>
__global__ void dropout_kernel(DropoutParams p, float scale, int64_t n, const T* x, T* y) {
  const int64_t pair = global_thread();
  if (2 * pair >= n) return;
  const auto kept = dropout_keeps(p, p.offset + static_cast<uint64_t>(pair));
  write(y + 2 * pair, kept[0] ? read(x + 2 * pair) * scale : 0.0F);
  if (2 * pair + 1 < n) write(y + 2 * pair + 1, kept[1] ? read(x + 2 * pair + 1) * scale : 0.0F);
}

}  // namespace

void SimtBackend::dropout_forward(const DropoutParams& p, const Input& x, const Output& y) {
  const float scale = static_cast<float>(1.0 / (1.0 - p.rate));
  dispatch_map(y.dtype, [&]<class T>() {
    launch(independent((y.elements() + 1) / 2), stream(), dropout_kernel<T>, p, scale, y.elements(), x.as<T>(),
           y.as<T>());
  });
}

// The same function of dy: what was kept follows from p alone.
void SimtBackend::dropout_backward_input(const DropoutParams& p, const Input& dy, const Output& dx) {
  dropout_forward(p, dy, dx);
}

}  // namespace igcnet::simt
