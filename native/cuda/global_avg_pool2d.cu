// global_avg_pool2d: y[n, c] = the mean of x[n, :, :, c], one element a thread; neighbouring threads read neighbouring
// channels. Checked in test/kernels/pool2d.test.ts.
#include "cuda/four.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

template <class T>
__global__ void global_avg_pool2d_forward_kernel(int64_t n_c, int64_t H, int64_t W, int C, const T* x, T* y) {
  const int64_t i = global_thread();
  if (i >= n_c) return;
  const int c = remainder_of(i, C);
  const T* image = x + (i - c) * H * W + c;
  float sum = 0;
  for (int64_t h = 0; h < H; ++h) {
    float row = 0;
    for (int64_t w = 0; w < W; ++w) row += read(image + (h * W + w) * C);
    sum += row;
  }
  write(y + i, sum / static_cast<float>(H * W));
}

template <class T>
__global__ void global_avg_pool2d_backward_input_kernel(int64_t n, int64_t pixels, int C, const T* dy, T* dx) {
  const int64_t i = global_thread();
  if (i >= n) return;
  write(dx + i, read(dy + i / (pixels * C) * C + remainder_of(i, C)) / static_cast<float>(pixels));
}

}  // namespace

void SimtBackend::global_avg_pool2d_forward(const Input& x, const Output& y) {
  dispatch_map(y.dtype, [&]<class T>() {
    launch(independent(y.elements()), stream(), global_avg_pool2d_forward_kernel<T>, y.elements(), x.shape[1],
           x.shape[2], static_cast<int>(x.shape[3]), x.as<T>(), y.as<T>());
  });
}

void SimtBackend::global_avg_pool2d_backward_input(const Input& dy, const Output& dx) {
  dispatch_map(dx.dtype, [&]<class T>() {
    launch(independent(dx.elements()), stream(), global_avg_pool2d_backward_input_kernel<T>, dx.elements(),
           dx.shape[1] * dx.shape[2], static_cast<int>(dx.shape[3]), dy.as<T>(), dx.as<T>());
  });
}

}  // namespace igcnet::simt
