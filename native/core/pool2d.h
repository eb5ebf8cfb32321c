// avg_pool2d and max_pool2d: square windows over NHWC.
//   x [N, H, W, C], y [N, P, Q, C], P = (H + 2 padding - kernel) / stride + 1 (rounded down), Q likewise
// Average: the padding counts as zeros (as in MXNet and PyTorch's default). Maximum: the padding never wins;
// among equal values the first in row-major order takes the gradient. padding <= kernel / 2.
#pragma once

#include "core/tensor.h"

namespace igcnet {

struct Pool2dParams {
  int64_t kernel = 2;
  int64_t stride = 2;
  int64_t padding = 0;
};

struct Pool2dSizes {
  int64_t N, H, W, C, P, Q;
  int64_t kernel, stride, padding;
};

// Throws ShapeError.
Pool2dSizes pool2d_sizes(const char* op, const Pool2dParams& params, const Shape& x);

}  // namespace igcnet
