// conv2d: two-dimensional (cross-)correlation with groups, NHWC, no bias.
//   x [N, H, W, C], w [K, R, S, C/G], y [N, P, Q, K]
//   P = (H + 2 padding - R) / stride + 1 (rounded down), Q likewise from W and S
//   y[n, p, q, k] = sum over r < R, s < S, c < C/G of
//     x[n, p*stride + r - padding, q*stride + s - padding, g*C/G + c] * w[k, r, s, c]
//   with g = k / (K/G); x outside of the image is 0.
#pragma once

#include "core/tensor.h"

namespace igcnet {

struct Conv2dParams {
  int64_t stride = 1;   // >= 1
  int64_t padding = 0;  // >= 0, on all four sides
  int64_t groups = 1;   // >= 1, divides C and K
};

// All sizes of one convolution, with the letters of the papers.
struct Conv2dSizes {
  int64_t N, H, W, C, K, R, S, G, P, Q;
  int64_t stride, padding;
};

// Checks x and w against each other and gives the sizes; `op` names the caller in the error. Throws ShapeError.
Conv2dSizes conv2d_sizes(const char* op, const Conv2dParams& params, const Shape& x, const Shape& w);

inline Shape conv2d_output(const Conv2dSizes& z) { return {z.N, z.P, z.Q, z.K}; }

}  // namespace igcnet
