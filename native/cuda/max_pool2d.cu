// max_pool2d: the largest cell of a window, the first of equals and of NaNs, one element a thread; backwards a thread
// adds up the gradients of the windows that its cell wins. Checked in test/kernels/pool2d.test.ts.
#include "cuda/pool2d.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

// The place in x of the winner of window (p, q) in channel c of image n.
template <class T>
__device__ int64_t winner(const PoolSizes& z, const T* x, int64_t n, int p, int q, int c) {
  const Range rows = cells_of(z, p, z.H), columns = cells_of(z, q, z.W);
  int64_t best = ((n * z.H + rows.first) * z.W + columns.first) * z.C + c;
  float record = read(x + best);
  for (int64_t h = rows.first; h < rows.end; ++h) {
    for (int64_t w = columns.first; w < columns.end; ++w) {
      const int64_t place = ((n * z.H + h) * z.W + w) * z.C + c;
      const float value = read(x + place);
      if (value > record || (value != value && record == record)) {
        best = place;
        record = value;
      }
    }
  }
  return best;
}

template <class T>
__global__ void max_pool2d_forward_kernel(PoolSizes z, const T* x, T* y) {
  const int64_t i = global_thread();
  if (i >= z.N * z.P * z.Q * z.C) return;
  const MapPlace at = map_place(i, z.P, z.Q, z.C);
  y[i] = x[winner(z, x, at.n, at.row, at.column, at.c)];
}

template <class T>
__global__ void max_pool2d_backward_input_kernel(PoolSizes z, const T* dy, const T* x, T* dx) {
  const int64_t i = global_thread();
  if (i >= z.N * z.H * z.W * z.C) return;
  const MapPlace at = map_place(i, z.H, z.W, z.C);
  const Range rows = windows_of(z, at.row, z.P), columns = windows_of(z, at.column, z.Q);
  float sum = 0;
  for (int p = rows.first; p < rows.end; ++p) {
    for (int q = columns.first; q < columns.end; ++q) {
      if (winner(z, x, at.n, p, q, at.c) == i) sum += read(dy + ((at.n * z.P + p) * z.Q + q) * z.C + at.c);
    }
  }
  write(dx + i, sum);
}

}  // namespace

void SimtBackend::max_pool2d_forward(const Pool2dParams& p, const Input& x, const Output& y) {
  const PoolSizes z = pool_sizes(pool2d_sizes("maxPool2d", p, x.shape));
  dispatch_map(y.dtype, [&]<class T>() {
    launch(independent(y.elements()), stream(), max_pool2d_forward_kernel<T>, z, x.as<T>(), y.as<T>());
  });
}

void SimtBackend::max_pool2d_backward_input(const Pool2dParams& p, const Input& dy, const Input& x, const Output& dx) {
  const PoolSizes z = pool_sizes(pool2d_sizes("maxPool2d", p, x.shape));
  dispatch_map(dx.dtype, [&]<class T>() {
    launch(independent(dx.elements()), stream(), max_pool2d_backward_input_kernel<T>, z, dy.as<T>(), x.as<T>(),
           dx.as<T>());
  });
}

}  // namespace igcnet::simt
