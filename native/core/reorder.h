// reorder: the authors' channel permutation on the last dimension (size C), as in the MXNet operator.
//   y[.., q*b + p] = x[.., p*(C/b) + q], p < b, q < C/b, for the factor b, a divisor of C.
// The same as torch.nn.ChannelShuffle(b). Its inverse, and so its gradient, is the factor C/b.
#pragma once

#include "core/tensor.h"

namespace igcnet {

struct ReorderParams {
  int64_t factor = 1;  // b >= 1, divides C
};

// Throws ShapeError unless x has a last dimension that `factor` divides.
void reorder_check(const char* op, const ReorderParams& params, const Shape& x);

}  // namespace igcnet
