// Kernels that go through arrays element by element: a thread takes four neighbours, in 16-byte accesses, and the last
// up to three elements are taken one by one. Every tensor begins at a multiple of 16 bytes (core/allocator.h).
// Checked in test/kernels/elementwise.test.ts for every length around the width.
#pragma once

#include "cuda/simt.h"

namespace igcnet::simt {

inline Launch by_four(int64_t n) { return independent((n + 3) / 4); }

__device__ inline int64_t global_thread() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

// i % C, in 32 bits where that is enough: 64-bit division is slow on a GPU.
__device__ inline int remainder_of(int64_t i, int C) {
  if (i >> 32 == 0) return static_cast<int>(static_cast<uint32_t>(i) % static_cast<uint32_t>(C));
  return static_cast<int>(i % C);
}

// y[i] = f(x[i], i)
template <class F>
__global__ void map_kernel(int64_t n, const float* x, float* y, F f) {
  const int64_t i = 4 * global_thread();
  if (i + 4 <= n) {
    const float4 v = *reinterpret_cast<const float4*>(x + i);
    *reinterpret_cast<float4*>(y + i) = make_float4(f(v.x, i), f(v.y, i + 1), f(v.z, i + 2), f(v.w, i + 3));
  } else {
    for (int64_t j = i; j < n; ++j) y[j] = f(x[j], j);
  }
}

// y[i] = f(a[i], b[i], i)
template <class F>
__global__ void map2_kernel(int64_t n, const float* a, const float* b, float* y, F f) {
  const int64_t i = 4 * global_thread();
  if (i + 4 <= n) {
    const float4 u = *reinterpret_cast<const float4*>(a + i), v = *reinterpret_cast<const float4*>(b + i);
    *reinterpret_cast<float4*>(y + i) =
        make_float4(f(u.x, v.x, i), f(u.y, v.y, i + 1), f(u.z, v.z, i + 2), f(u.w, v.w, i + 3));
  } else {
    for (int64_t j = i; j < n; ++j) y[j] = f(a[j], b[j], j);
  }
}

}  // namespace igcnet::simt
