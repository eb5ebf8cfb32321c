// sgd_step: stochastic gradient descent with momentum, as MXNet's NAG and PyTorch's SGD have it, in one pass.
// With a GradientScale, g stands for g / scale, and where `found` is not 0 nothing changes: maps of f16 hold gradients
// of a scaled loss, and a step whose gradients went beyond f16 is left out. note_non_finite sets `found`.
//   d = g + weight_decay * w;  v = momentum * v + d
//   w -= lr * (nesterov ? d + momentum * v : v)
#pragma once

#include "core/tensor.h"

namespace igcnet {

struct SgdParams {
  double lr = 0.1;
  double momentum = 0;
  double weight_decay = 0;
  bool nesterov = false;
};

// One parameter of a step: its gradient, itself and its velocity, of one shape; w and v are updated.
struct SgdParameter {
  Input g;
  Output w, v;
};

// Scalars in f32, in the memory of the device.
struct GradientScale {
  Input scale, found;
};

}  // namespace igcnet
