// avg_pool2d: y = the sum of the window's cells inside of the image / kernel^2, one element a thread; backwards a
// thread adds up what its cell gets from each window that it is in. Checked in test/kernels/pool2d.test.ts.
#include "cuda/pool2d.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

template <class T>
__global__ void avg_pool2d_forward_kernel(PoolSizes z, const T* x, T* y) {
  const int64_t i = global_thread();
  if (i >= z.N * z.P * z.Q * z.C) return;
  const MapPlace at = map_place(i, z.P, z.Q, z.C);
  const Range rows = cells_of(z, at.row, z.H), columns = cells_of(z, at.column, z.W);
  float sum = 0;
  for (int64_t h = rows.first; h < rows.end; ++h) {
    for (int64_t w = columns.first; w < columns.end; ++w) sum += read(x + ((at.n * z.H + h) * z.W + w) * z.C + at.c);
  }
  write(y + i, sum / static_cast<float>(static_cast<int64_t>(z.kernel) * z.kernel));
}

template <class T>
__global__ void avg_pool2d_backward_input_kernel(PoolSizes z, const T* dy, T* dx) {
  const int64_t i = global_thread();
  if (i >= z.N * z.H * z.W * z.C) return;
  const MapPlace at = map_place(i, z.H, z.W, z.C);
  const Range rows = windows_of(z, at.row, z.P), columns = windows_of(z, at.column, z.Q);
  const float area = static_cast<float>(static_cast<int64_t>(z.kernel) * z.kernel);
  float sum = 0;
  for (int64_t p = rows.first; p < rows.end; ++p) {
    for (int64_t q = columns.first; q < columns.end; ++q) {
      sum += read(dy + ((at.n * z.P + p) * z.Q + q) * z.C + at.c) / area;
    }
  }
  write(dx + i, sum);
}

}  // namespace

void SimtBackend::avg_pool2d_forward(const Pool2dParams& p, const Input& x, const Output& y) {
  const PoolSizes z = pool_sizes(pool2d_sizes("avgPool2d", p, x.shape));
  dispatch_map(y.dtype, [&]<class T>() {
    launch(independent(y.elements()), stream(), avg_pool2d_forward_kernel<T>, z, x.as<T>(), y.as<T>());
  });
}

void SimtBackend::avg_pool2d_backward_input(const Pool2dParams& p, const Input& dy, const Output& dx) {
  const PoolSizes z = pool_sizes(pool2d_sizes("avgPool2d", p, dx.shape));
  dispatch_map(dx.dtype, [&]<class T>() {
    launch(independent(dx.elements()), stream(), avg_pool2d_backward_input_kernel<T>, z, dy.as<T>(), dx.as<T>());
  });
}

}  // namespace igcnet::simt
