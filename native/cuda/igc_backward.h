// The two kernels of igc_block backward, as igc_block_backward.cu launches them.
#pragma once

#include "core/batch_norm2d.h"
#include "cuda/igc_tile.h"

namespace igcnet::simt {

// igc_backward_weight.cu. Launched right behind pack_weights().
struct IgcBackwardWeight {
  Input dy;
  const NormGradient* dy_norm;  // null: dy is the gradient
  Input x;
  const Norm* x_norm;  // null: none
  PackedWeights packed;
  bool needs_primary, needs_secondary;
  Output dz;       // without data: not wanted
  float* partial;  // [blocks][primary_dw, secondary_dw]
  int64_t blocks;
};
void igc_backward_weight(Stream stream, const IgcPlan& plan, const IgcBackwardWeight& b);

// igc_backward_input.cu, where plan.has_back.
struct IgcBackwardInput {
  Input dz, x;
  PackedWeights packed;
  const Norm* x_norm;  // null: none
  Output dx;
  float* partial;  // [tiles][dgamma, dbeta]; null: not wanted
};
void igc_backward_input(Stream stream, const IgcPlan& plan, const IgcBackwardInput& b);

}  // namespace igcnet::simt
