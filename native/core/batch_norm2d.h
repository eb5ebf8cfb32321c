// batch_norm2d: per-channel normalisation over the last dimension of x [.., C].
//   training:  mean, var = batch statistics (biased variance);  running = momentum*running + (1 - momentum)*batch
//   inference: mean, var = running statistics
//   y = (x - mean) * inv_std * gamma + beta,  inv_std = 1/sqrt(var + epsilon)
// Momentum is MXNet's: the share of the old value. The running variance is the biased one, as in MXNet.
#pragma once

#include "core/tensor.h"

namespace igcnet {

struct BatchNorm2dParams {
  bool training = true;
  double momentum = 0.9;
  double epsilon = 2e-5;
};

}  // namespace igcnet
