// Batch norm (and ReLU) applied to rows of pixels [rows, C] while they are in the cache, and the sums over pixels that
// batch norm needs, for kernels that do them beside their own work. Checked through batch_norm2d and igc_block.
#pragma once

#include <cstdint>

namespace igcnet {

// v = (x - mean) * scale + beta, then max(v, 0) if relu. mean null: x as it is.
struct ChannelNorm {
  const float* mean = nullptr;
  const float* scale = nullptr;  // inv_std * gamma
  const float* beta = nullptr;
  bool relu = false;
};

// The gradient of batch norm (and ReLU) with regard to its input x: scale * (g - ((x - mean) * slope + offset)), where
// g is the incoming gradient, 0 where the ReLU was. x null: g as it is; slope null: scale * g, as in inference.
struct ChannelNormGradient {
  const float* x = nullptr;
  ChannelNorm norm;
  const float* slope = nullptr;   // inv_std * dgamma / count
  const float* offset = nullptr;  // dbeta / count
};

void normalise_rows(const ChannelNorm& norm, const float* x, int64_t rows, int64_t C, float* y);

// Likewise without a norm if its mean is null, with a slab of out for each vector of channels: out[u * slab + row *
// lanes + i] = y[row][u * step + i]. Reads whole vectors; with a norm C is a multiple of the lanes, and `step` the
// lanes.
void normalise_units(const ChannelNorm& norm, const float* x, int64_t rows, int64_t C, int64_t step, float* out,
                     int64_t slab);

// x, g and out begin with the first of the rows.
void norm_gradient_rows(const ChannelNormGradient& norm, const float* x, const float* g, int64_t rows, int64_t C,
                        float* out);

// Of rows that stay in the L1 cache, sums [3][C]: their mean, rounded to f32, and the sums of x - mean and its square.
// The first tells what the rounding left out: with it, means and variances are right for channels far from 0 too.
void statistics_rows(const float* x, int64_t rows, int64_t C, float* sums);

// dv = g, 0 where the ReLU was, and its sums over rows, which are added to sums [2][C]: dv, dv * (x - mean). dv may be
// g, or null: not wanted.
void mask_and_sum_rows(const ChannelNorm& norm, const float* x, const float* g, float* dv, int64_t rows, int64_t C,
                       float* sums);

// The gradient of relu(a + b) = y: dv = y > 0 ? dy + more : 0; more null: dy alone. With x, the sums over the rows
// of dv and dv * (x - mean) are added to sums [2][C].
struct ReluSumGradient {
  const float* dy = nullptr;
  const float* more = nullptr;
  const float* y = nullptr;
  float* dv = nullptr;
  const float* x = nullptr;
  const float* mean = nullptr;
};
void relu_sum_gradient_rows(const ReluSumGradient& gradient, int64_t rows, int64_t C, float* sums);

}  // namespace igcnet
