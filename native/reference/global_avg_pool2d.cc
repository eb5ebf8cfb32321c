// global_avg_pool2d: y[n, c] = 1/(H*W) * the sum over h of the sums of x[n, h, w, c] over w: sums of few numbers, which
// round little. An image without pixels (H or W = 0)
// has no mean: y is 0/0 = NaN. Checked against PyTorch (test/golden).
#include "core/dispatch.h"
#include "reference/array.h"
#include "reference/reference_backend.h"

namespace igcnet {

void ReferenceBackend::global_avg_pool2d_forward(const Input& x, const Output& y) {
  dispatch_floating(x.dtype, [&]<class T>() {
    const int64_t N = x.shape[0], H = x.shape[1], W = x.shape[2], C = x.shape[3];
    const auto input = array4<T>(x);
    const auto output = array2<T>(y);
    for (int64_t n = 0; n < N; ++n) {
      for (int64_t c = 0; c < C; ++c) {
        T sum = 0;
        for (int64_t h = 0; h < H; ++h) {
          T row = 0;
          for (int64_t w = 0; w < W; ++w) row += input(n, h, w, c);
          sum += row;
        }
        output(n, c) = sum / static_cast<T>(H * W);
      }
    }
  });
}

void ReferenceBackend::global_avg_pool2d_backward_input(const Input& dy, const Output& dx) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    const int64_t N = dx.shape[0], H = dx.shape[1], W = dx.shape[2], C = dx.shape[3];
    const auto output_gradient = array2<T>(dy);
    const auto input_gradient = array4<T>(dx);
    for (int64_t n = 0; n < N; ++n) {
      for (int64_t h = 0; h < H; ++h) {
        for (int64_t w = 0; w < W; ++w) {
          for (int64_t c = 0; c < C; ++c) input_gradient(n, h, w, c) = output_gradient(n, c) / static_cast<T>(H * W);
        }
      }
    }
  });
}

}  // namespace igcnet
