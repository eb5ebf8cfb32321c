// igc_block as the four operators of core/igc_block.h, for backends that fuse it where they can: two convolutions, two
// permutations, and batch norm as ops of their own. Each step backwards is the adjoint of a step forwards.
// Checked through the devices that use it, in test/kernels and test/cuda.
#pragma once

#include "core/backend.h"
#include "core/between_maps.h"
#include "core/igc_block.h"

namespace igcnet {

// Parameters as of the methods of Backend.
void igc_block_composed_forward(Backend& backend, BetweenMaps& between, const IgcBlockParams& p, const Input& x,
                                const Norm* x_norm, const Input& primary_weight, const Input& secondary_weight,
                                const Output& y, const BatchStatistics* y_statistics);
void igc_block_composed_backward(Backend& backend, BetweenMaps& between, const IgcBlockParams& p, const Input& dy,
                                 const NormGradient* dy_norm, const Input& x, const Norm* x_norm,
                                 const Input& primary_weight, const Input& secondary_weight, const Output& dx,
                                 const Output& primary_dw, const Output& secondary_dw,
                                 const NormWeights* x_norm_gradients);

}  // namespace igcnet
