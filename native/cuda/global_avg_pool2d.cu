// global_avg_pool2d: y[n, c] = the mean of x[n, :, :, c], one element a thread; neighbouring threads read neighbouring
// channels. Checked in test/kernels/pool2d.test.ts.
#include "cuda/four.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

__global__ void global_avg_pool2d_forward_kernel(int64_t n_c, int64_t pixels, int C, const float* x, float* y) {
  const int64_t i = global_thread();
  if (i >= n_c) return;
  const int c = remainder_of(i, C);
  const float* image = x + (i - c) * pixels + c;
  float sum = 0;
  for (int64_t pixel = 0; pixel < pixels; ++pixel) sum += image[pixel * C];
  y[i] = sum / static_cast<float>(pixels);
}

__global__ void global_avg_pool2d_backward_input_kernel(int64_t n, int64_t pixels, int C, const float* dy, float* dx) {
  const int64_t i = global_thread();
  if (i >= n) return;
  dx[i] = dy[i / (pixels * C) * C + remainder_of(i, C)] / static_cast<float>(pixels);
}

}  // namespace

void SimtBackend::global_avg_pool2d_forward(const Input& x, const Output& y) {
  launch(independent(y.elements()), stream(), global_avg_pool2d_forward_kernel, y.elements(), x.shape[1] * x.shape[2],
         static_cast<int>(x.shape[3]), x.as<float>(), y.as<float>());
}

void SimtBackend::global_avg_pool2d_backward_input(const Input& dy, const Output& dx) {
  launch(independent(dx.elements()), stream(), global_avg_pool2d_backward_input_kernel, dx.elements(),
         dx.shape[1] * dx.shape[2], static_cast<int>(dx.shape[3]), dy.as<float>(), dx.as<float>());
}

}  // namespace igcnet::simt
