// Kernels that go through arrays element by element: a thread takes four neighbours at once, and the last up to three
// elements are taken one by one. Every tensor begins at a multiple of 16 bytes (core/allocator.h).
// Checked in test/kernels/elementwise.test.ts for every length around the width.
#pragma once

#include "core/tensor.h"
#include "cuda/map_value.h"
#include "cuda/simt.h"

namespace igcnet::simt {

inline Launch by_four(int64_t n) { return independent((n + 3) / 4); }

__device__ inline int64_t global_thread() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

// i % C, in 32 bits where that is enough: 64-bit division is slow on a GPU.
__device__ inline int remainder_of(int64_t i, int C) {
  if (i >> 32 == 0) return static_cast<int>(static_cast<uint32_t>(i) % static_cast<uint32_t>(C));
  return static_cast<int>(i % C);
}

// y[i] = f(x[i], i), computed in f32
template <class T, class F>
__global__ void map_kernel(int64_t n, const T* x, T* y, F f) {
  const int64_t i = 4 * global_thread();
  if (i + 4 <= n) {
    const auto v = read_neighbours<4>(x + i);
    Neighbours<4, T> made;
#pragma unroll
    for (int k = 0; k < 4; ++k) made.at[k] = stored_as<T>(f(value_of(v.at[k]), i + k));
    write_neighbours(y + i, made);
  } else {
    for (int64_t j = i; j < n; ++j) write(y + j, f(read(x + j), j));
  }
}

// y[i] = f(a[i], b[i], i)
template <class T, class F>
__global__ void map2_kernel(int64_t n, const T* a, const T* b, T* y, F f) {
  const int64_t i = 4 * global_thread();
  if (i + 4 <= n) {
    const auto u = read_neighbours<4>(a + i), v = read_neighbours<4>(b + i);
    Neighbours<4, T> made;
#pragma unroll
    for (int k = 0; k < 4; ++k) made.at[k] = stored_as<T>(f(value_of(u.at[k]), value_of(v.at[k]), i + k));
    write_neighbours(y + i, made);
  } else {
    for (int64_t j = i; j < n; ++j) write(y + j, f(read(a + j), read(b + j), j));
  }
}

// The same over tensors of maps, of one dtype.
template <class F>
void map(Stream stream, const Input& x, const Output& y, F f) {
  dispatch_map(y.dtype, [&]<class T>() {
    launch(by_four(y.elements()), stream, map_kernel<T, F>, y.elements(), x.as<T>(), y.as<T>(), f);
  });
}
template <class F>
void map2(Stream stream, const Input& a, const Input& b, const Output& y, F f) {
  dispatch_map(y.dtype, [&]<class T>() {
    launch(by_four(y.elements()), stream, map2_kernel<T, F>, y.elements(), a.as<T>(), b.as<T>(), y.as<T>(), f);
  });
}

}  // namespace igcnet::simt
