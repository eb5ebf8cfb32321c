// igc_block: the interleaved group convolution (Zhang et al. 2017, section 3), without batch norm and ReLU.
//   z = conv2d(x, wp, groups = L)                 primary: L groups, any kernel
//   y = reorder(conv2d(reorder(z, L), ws, groups = M), M)   secondary: M groups, 1x1
//   x [N, H, W, C], wp [K, R, S, C/L], z [N, P, Q, K], ws [K, 1, 1, K/M], y [N, P, Q, K]
// When K = L*M the two permutations cancel, and with channels c = l*M + m:
//   y[l'*M + m] = sum over l < L of ws[m*L + l', l] * z[l*M + m]
// When K != L*M (QUIRK: the authors' resnet_igc where the width changes has M = C/L, not K/L) they do not,
// and the four-step form above is the definition.
// Batch norm around it costs no pass where a backend fuses it: x may be given with a norm that the op applies as it
// reads, mean and variance of y may be asked for with it, and backwards dy may be a gradient of a batch norm that is
// carried out as it is read (core/batch_norm2d.h, core/backend.h). dz is never an output, and z only where a backend
// gains by it: otherwise backward makes z again.
#pragma once

#include "core/batch_norm2d.h"
#include "core/conv2d.h"
#include "core/tensor.h"

namespace igcnet {

struct IgcBlockParams {
  int64_t primary_partitions = 1;    // L, divides C and K
  int64_t secondary_partitions = 1;  // M, divides K
  int64_t stride = 1;                // of the primary convolution
  int64_t padding = 0;               // of the primary convolution
};

// Checks the shapes against each other and gives the primary convolution's sizes. Throws ShapeError.
Conv2dSizes igc_block_sizes(const char* op, const IgcBlockParams& params, const Shape& x, const Shape& primary_weight,
                            const Shape& secondary_weight);

}  // namespace igcnet
