// conv2d: dense convolutions in oneDNN, grouped ones (and dense ones of an odd geometry) in our own kernels. Checked
// against `reference`, bit for bit on small integers. An empty batch has a weight gradient of 0.
#include "core/conv2d.h"

#include <algorithm>

#include "cpu/cpu_backend.h"
#include "cpu/norm.h"
#include "cpu/parallel.h"

namespace igcnet {

void CpuBackend::conv2d_forward(const Conv2dParams& p, const Input& x, const Input& w, const Output& y) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, x.shape, w.shape);
  if (z.N == 0) return;
  if (Dense::takes(z)) {
    dense_.conv_forward(z, x.as<float>(), w.as<float>(), y.as<float>());
  } else {
    plans_.of(z, 0).forward({.x = x.as<float>(), .primary_weight = w.as<float>(), .y = y.as<float>()}, group_);
  }
}

// The norm goes into the weights and a bias where oneDNN convolves.
void CpuBackend::conv2d_norm_forward(const Conv2dParams& p, const Input& x, const Input& w, const Norm& norm,
                                     const Output& y) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, x.shape, w.shape);
  if (z.N == 0 || !conv2d_takes_norm(z)) return Backend::conv2d_norm_forward(p, x, w, norm, y);
  constexpr int64_t kGrain = 1 << 15;  // weights: below this a team is slower than one thread
  const int64_t row = z.R * z.S * z.C;
  float* scale = coefficients_.take<float>(static_cast<size_t>(2 * z.K));
  float* bias = scale + z.K;
  float* folded = folded_weights_.take<float>(static_cast<size_t>(z.K * row));
  norm_scales(norm, scale);
  parallel_ranges(z.K, kGrain / row + 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      bias[k] = norm.beta.as<float>()[k] - norm.mean.as<float>()[k] * scale[k];
      for (int64_t i = k * row; i < (k + 1) * row; ++i) folded[i] = w.as<float>()[i] * scale[k];
    }
  });
  dense_.conv_forward(z, x.as<float>(), folded, y.as<float>(), bias, norm.relu);
}

void CpuBackend::conv2d_backward_input(const Conv2dParams& p, const Input& dy, const Input& w, const Output& dx) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, dx.shape, w.shape);
  if (z.N == 0) return;
  if (Dense::takes(z)) {
    dense_.conv_backward_input(z, dy.as<float>(), w.as<float>(), dx.as<float>());
  } else {
    plans_.of(z, 0).backward({.dy = dy.as<float>(), .primary_weight = w.as<float>(), .dx = dx.as<float>()}, group_);
  }
}

void CpuBackend::conv2d_backward_weight(const Conv2dParams& p, const Input& dy, const Input& x, const Output& dw) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, x.shape, dw.shape);
  if (z.N == 0) {
    std::fill_n(dw.as<float>(), dw.elements(), 0.0f);
  } else if (Dense::takes(z)) {
    dense_.conv_backward_weight(z, dy.as<float>(), x.as<float>(), dw.as<float>());
  } else {
    plans_.of(z, 0).backward({.dy = dy.as<float>(), .x = x.as<float>(), .primary_dw = dw.as<float>()}, group_);
  }
}

}  // namespace igcnet
