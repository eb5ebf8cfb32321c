// A warp that works on one row of a matrix [rows, K]: lane l takes the columns l, l + 32, ... Sums and maxima over the
// row go by exchanges between lanes, in the same order at every run. Checked in test/kernels/softmax.test.ts.
#pragma once

#include "cuda/simt.h"

namespace igcnet::simt {

inline constexpr int kWarp = 32;
inline constexpr int kRowsOfBlock = 4;  // warps of a block
inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;

inline Launch by_row(int64_t rows) {
  return cooperative((rows + kRowsOfBlock - 1) / kRowsOfBlock, kWarp * kRowsOfBlock, 0);
}
__device__ inline int64_t row_of_warp() {
  return static_cast<int64_t>(blockIdx.x) * kRowsOfBlock + threadIdx.x / kWarp;
}
__device__ inline int lane_of_warp() { return static_cast<int>(threadIdx.x % kWarp); }

// Every lane receives the result. All lanes of a warp call them.
__device__ inline float warp_sum(float value) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(kAllLanes, value, distance);
  return value;
}
__device__ inline float warp_max(float value) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, distance));
  }
  return value;
}

// The largest value of a row, and the sum of exp(value - largest). A NaN of the row shows in the sum.
struct RowExponents {
  float largest, sum;
};
__device__ inline RowExponents row_exponents(const float* row, int K, int lane) {
  float largest = -INFINITY, sum = 0;
  for (int k = lane; k < K; k += kWarp) largest = fmaxf(largest, row[k]);
  largest = warp_max(largest);
  for (int k = lane; k < K; k += kWarp) sum += expf(row[k] - largest);
  return {largest, warp_sum(sum)};
}

}  // namespace igcnet::simt
