// batch_norm2d: per-channel normalisation over the last dimension of x [.., C], and a ReLU behind it where asked for.
//   training:  mean, var = batch statistics (biased variance);  running = momentum*running + (1 - momentum)*batch
//   inference: mean, var = running statistics
//   y = act((x - mean) * inv_std * gamma + beta),  inv_std = 1/sqrt(var + epsilon),  act = ReLU or the identity
// Momentum is MXNet's: the share of the old value. The running variance is the biased one, as in MXNet.
// The op is cut into steps (core/backend.h), so that another op can make the statistics of what it writes, and apply
// the norm of what it reads, without a pass over memory: see core/igc_block.h.
#pragma once

#include "core/dtype.h"
#include "core/tensor.h"

namespace igcnet {

struct BatchNorm2dParams {
  bool training = true;
  double momentum = 0.9;
  double epsilon = 2e-5;
};

// mean and biased variance of a batch, [C] each.
struct BatchStatistics {
  Output mean, var;
};

// What batch norm does to x, ready to be applied; [C] each. The ReLU, y = v <= 0 ? 0 : v of the normalised value v,
// keeps a NaN; its gradient is dy where v > 0, else 0 (also where v is NaN). A backend computes v by one formula
// everywhere, so that forward and backward agree on its sign to the last bit.
struct Norm {
  Input mean, inv_std, gamma, beta;
  bool relu = false;
};

// Sums over all rows: dgamma = sum dv * (x - mean) * inv_std, dbeta = sum dv, [C] each.
struct NormWeights {
  Output dgamma, dbeta;
};

// Of relu(a + b): the gradient of its result so far, and of a side that has a norm without a ReLU, that side and what
// its norm's own gradients are wanted in (null: none).
struct ReluSum {
  Input more, side;
  const Norm* side_norm = nullptr;
  const NormWeights* side_gradients = nullptr;
};

// A gradient dx = batch_norm2d_backward_input(dy, x, norm, dgamma, dbeta) that was not carried out yet; dy stands
// beside.
struct NormGradient {
  Input x;
  Norm norm;
  Input dgamma, dbeta;
  bool training = true;
};

// A norm is kept as one tensor [4, C] with the rows mean, inv_std, gamma, beta; statistics as [2, C]: mean, var.
inline Output row_of(const Output& rows, int64_t row) {
  const int64_t C = rows.shape[1];
  const int64_t offset = row * C * static_cast<int64_t>(size_of(rows.dtype));
  return {static_cast<char*>(rows.data) + offset, rows.dtype, Shape{C}};
}
inline Input row_of(const Input& rows, int64_t row) {
  const int64_t C = rows.shape[1];
  const int64_t offset = row * C * static_cast<int64_t>(size_of(rows.dtype));
  return {static_cast<const char*>(rows.data) + offset, rows.dtype, Shape{C}};
}
inline Norm norm_of(const Input& rows, bool relu) {
  return {row_of(rows, 0), row_of(rows, 1), row_of(rows, 2), row_of(rows, 3), relu};
}
inline BatchStatistics statistics_of(const Output& rows) { return {row_of(rows, 0), row_of(rows, 1)}; }

}  // namespace igcnet
