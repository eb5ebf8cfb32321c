// From the norms of core to what the kernels of this folder take (channel_norm.h), and back.
#pragma once

#include <cstdint>

#include "core/batch_norm2d.h"
#include "cpu/channel_norm.h"

namespace igcnet {

// scale[c] = inv_std[c] * gamma[c]
inline void norm_scales(const Norm& norm, float* scale) {
  const float *inv_std = norm.inv_std.as<float>(), *gamma = norm.gamma.as<float>();
  for (int64_t c = 0; c < norm.mean.elements(); ++c) scale[c] = inv_std[c] * gamma[c];
}

// `scale` has room for C floats.
inline ChannelNorm channel_norm(const Norm& norm, float* scale) {
  norm_scales(norm, scale);
  return {norm.mean.as<float>(), scale, norm.beta.as<float>(), norm.relu};
}

// `room` has 3 C floats; `rows` pixels were normalised together.
inline ChannelNormGradient channel_norm_gradient(const NormGradient& gradient, int64_t rows, float* room) {
  const int64_t C = gradient.norm.mean.elements();
  const ChannelNorm norm = channel_norm(gradient.norm, room);
  if (!gradient.training) return {gradient.x.as<float>(), norm, nullptr, nullptr};
  float *slope = room + C, *offset = slope + C;
  const double count = static_cast<double>(rows);
  const float *inv_std = gradient.norm.inv_std.as<float>(), *dgamma = gradient.dgamma.as<float>();
  for (int64_t c = 0; c < C; ++c) {
    slope[c] = static_cast<float>(static_cast<double>(inv_std[c]) * dgamma[c] / count);
    offset[c] = static_cast<float>(gradient.dbeta.as<float>()[c] / count);
  }
  return {gradient.x.as<float>(), norm, slope, offset};
}

// dgamma and dbeta from sums [2][C] of dv and of dv * (x - mean).
inline void put_norm_weights(const double* sums, const Norm& norm, const NormWeights& gradients) {
  const int64_t C = norm.mean.elements();
  for (int64_t c = 0; c < C; ++c) {
    gradients.dbeta.as<float>()[c] = static_cast<float>(sums[c]);
    gradients.dgamma.as<float>()[c] = static_cast<float>(sums[C + c] * norm.inv_std.as<float>()[c]);
  }
}

}  // namespace igcnet
