// Grouped convolution with our own kernels: any number of channels per group, any geometry. oneDNN and the other
// libraries are slow at the few channels per group that interleaved group convolutions have, and some versions of
// oneDNN have computed wrong weight gradients at 24n groups. Checked through conv2d and igc_block.
#pragma once

#include <cstdint>

#include "core/conv2d.h"
#include "cpu/scratch.h"

namespace igcnet {

struct GroupConvScratch {
  Scratch weights, rows, partials;
};

void group_conv_forward(const Conv2dSizes& z, const float* x, const float* w, float* y, GroupConvScratch& scratch);
void group_conv_backward_input(const Conv2dSizes& z, const float* dy, const float* w, float* dx,
                               GroupConvScratch& scratch);
// The sums over the batch run in an order that depends on the sizes alone, not on the number of threads.
void group_conv_backward_weight(const Conv2dSizes& z, const float* dy, const float* x, float* dw,
                                GroupConvScratch& scratch);

// The part of igc_block behind the primary convolution when K = L*M, both permutations included, in one pass:
//   forward:         out[p, l'*M + m] = sum over l  of w[m*L + l', l] * in[p, l*M + m]
//   backward input:  out[p, l*M + m]  = sum over l' of w[m*L + l', l] * in[p, l'*M + m]
//   backward weight: dw[m*L + l', l]  = sum over p  of dy[p, l'*M + m] * z[p, l*M + m]
struct SecondarySizes {
  int64_t pixels, L, M;
};
void secondary_forward(const SecondarySizes& s, const float* z, const float* w, float* y, GroupConvScratch& scratch);
void secondary_backward_input(const SecondarySizes& s, const float* dy, const float* w, float* dz,
                              GroupConvScratch& scratch);
void secondary_backward_weight(const SecondarySizes& s, const float* dy, const float* z, float* dw,
                               GroupConvScratch& scratch);

}  // namespace igcnet
