// conv2d with the norms around it (Backend::conv2d_fused_forward) as ops of their own, for backends that fuse them
// where they can. Checked through the devices that use it, in test/kernels and test/cuda.
#pragma once

#include "core/backend.h"
#include "core/between_maps.h"

namespace igcnet {

// Parameters as of the methods of Backend.
void conv2d_composed_forward(Backend& backend, BetweenMaps& between, const Conv2dParams& p, const Input& x,
                             const Norm* x_norm, const Input& w, const Output& y, const BatchStatistics* y_statistics);
void conv2d_composed_backward(Backend& backend, BetweenMaps& between, const Conv2dParams& p, const Input& dy,
                              const NormGradient* dy_norm, const Input& x, const Norm* x_norm, const Input& w,
                              const Output& dx, const Output& dw, const NormWeights* x_norm_gradients);

}  // namespace igcnet
