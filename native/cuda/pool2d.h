// Windows of the pools, seen from both sides, for avg_pool2d.cu and max_pool2d.cu. Checked in
// test/kernels/pool2d.test.ts.
#pragma once

#include "core/pool2d.h"
#include "cuda/four.h"

namespace igcnet::simt {

struct PoolSizes {
  int64_t N;
  int H, W, C, P, Q, kernel, stride, padding;
};

inline PoolSizes pool_sizes(const Pool2dSizes& z) {
  const auto narrow = [](int64_t value) { return static_cast<int>(value); };
  return {z.N,         narrow(z.H),      narrow(z.W),      narrow(z.C),      narrow(z.P),
          narrow(z.Q), narrow(z.kernel), narrow(z.stride), narrow(z.padding)};
}

// A range of rows or columns.
struct Range {
  int first, end;
};

// The cells inside of the image (of `size`) of window number `window`.
__device__ inline Range cells_of(const PoolSizes& z, int window, int size) {
  const int64_t start = static_cast<int64_t>(window) * z.stride - z.padding, end = start + z.kernel;
  return {static_cast<int>(start < 0 ? 0 : start), static_cast<int>(end < size ? end : size)};
}

// The windows (of `count`) that a cell is in.
__device__ inline Range windows_of(const PoolSizes& z, int cell, int count) {
  const int64_t from = static_cast<int64_t>(cell) + z.padding - z.kernel + 1;
  const int64_t first = from <= 0 ? 0 : (from + z.stride - 1) / z.stride;
  const int64_t last = (static_cast<int64_t>(cell) + z.padding) / z.stride + 1;
  return {static_cast<int>(first), static_cast<int>(last < count ? last : count)};
}

// The place of element i of a map [N, height, width, C].
struct MapPlace {
  int64_t n;
  int row, column, c;
};
__device__ inline MapPlace map_place(int64_t i, int height, int width, int C) {
  const int64_t pixel = i / C, line = pixel / width;
  return {line / height, remainder_of(line, height), remainder_of(pixel, width), remainder_of(i, C)};
}

}  // namespace igcnet::simt
