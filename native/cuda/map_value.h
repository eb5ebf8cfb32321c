// Elements of maps, which are stored as f32, bf16 or f16 and computed with in f32. Read and written here alone.
// Checked in test/cuda/simt-half.test.ts.
#pragma once

#include "core/dispatch.h"
#include "core/half.h"
#include "cuda/simt.h"

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace igcnet::simt {

#if defined(__CUDACC__)
__device__ inline float value_of(float stored) { return stored; }
__device__ inline float value_of(BF16 stored) { return __bfloat162float(__ushort_as_bfloat16(stored.bits)); }
__device__ inline float value_of(F16 stored) { return __half2float(__ushort_as_half(stored.bits)); }

template <class T>
__device__ T stored_as(float value) {
  if constexpr (std::is_same_v<T, BF16>) {
    return {__bfloat16_as_ushort(__float2bfloat16_rn(value))};
  } else if constexpr (std::is_same_v<T, F16>) {
    return {__half_as_ushort(__float2half_rn(value))};
  } else {
    return value;
  }
}
#else
template <class T>
float value_of(T stored) {
  return to_float(stored);
}
template <class T>
T stored_as(float value) {
  return from_float<T>(value);
}
#endif

template <class T>
__device__ float read(const T* from) {
  return value_of(*from);
}
template <class T>
__device__ void write(T* to, float value) {
  *to = stored_as<T>(value);
}

// V neighbours, from or to a multiple of their size.
template <int V, class T>
struct alignas(V * sizeof(T)) Neighbours {
  T at[V];
};
template <int V, class T>
__device__ Neighbours<V, T> read_neighbours(const T* from) {
  return *reinterpret_cast<const Neighbours<V, T>*>(from);
}
template <int V, class T>
__device__ void write_neighbours(T* to, const Neighbours<V, T>& values) {
  *reinterpret_cast<Neighbours<V, T>*>(to) = values;
}

}  // namespace igcnet::simt
