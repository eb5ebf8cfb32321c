// conv2d: dense convolutions in oneDNN where it is the faster one, all others in our own kernels. Checked against
// `reference`, bit for bit on small integers. An empty batch has a weight gradient of 0.
#include "core/conv2d.h"

#include <algorithm>

#include "core/conv2d_composed.h"
#include "cpu/cpu_backend.h"
#include "cpu/norm.h"
#include "cpu/parallel.h"
#include "cpu/row_kernels.h"

namespace igcnet {
namespace {

// Kernels that are no 1x1, with so many pixels and multiply-adds that our loops reach their speed: a call's packing of
// the weights weighs little then.
bool is_large(const Conv2dSizes& z) {
  constexpr int64_t kFewestPixels = 1 << 10, kFewestMultiplyAdds = 1 << 23;
  const int64_t pixels = z.N * z.P * z.Q;
  return z.K % simd_lanes() == 0 && z.R * z.S > 1 && pixels >= kFewestPixels &&
         pixels * z.K * z.R * z.S * z.C >= kFewestMultiplyAdds;
}

// With vectors of up to 8 lanes (AVX2) our kernels take 0.6 to 0.9 of the time of oneDNN 2.6 then, mostly; with 16
// (AVX-512) oneDNN takes 0.8 to 1.06 of ours (docs/kernels/grouped-convolution.md).
bool goes_to_onednn(const Conv2dSizes& z) {
  constexpr int64_t kMostLanes = 8;
  return Dense::takes(z) && !(simd_lanes() <= kMostLanes && z.C % simd_lanes() == 0 && is_large(z));
}

}  // namespace

void CpuBackend::conv2d_forward(const Conv2dParams& p, const Input& x, const Input& w, const Output& y) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, x.shape, w.shape);
  if (z.N == 0) return;
  if (goes_to_onednn(z)) {
    dense_.conv_forward(z, x.as<float>(), w.as<float>(), y.as<float>());
  } else {
    plans_.of(z, 0).forward({.x = x.as<float>(), .primary_weight = w.as<float>(), .y = y.as<float>()}, group_);
  }
}

// Where oneDNN convolves, the norm goes into the weights and a bias.
void CpuBackend::conv2d_norm_forward(const Conv2dParams& p, const Input& x, const Input& w, const Norm& norm,
                                     const Output& y) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, x.shape, w.shape);
  if (z.N == 0) return;
  if (!goes_to_onednn(z)) {
    const ChannelNorm y_norm = channel_norm(norm, coefficients_.take<float>(static_cast<size_t>(z.K)));
    return plans_.of(z, 0).forward(
        {.x = x.as<float>(), .primary_weight = w.as<float>(), .y = y.as<float>(), .y_norm = y_norm}, group_);
  }
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
  if (goes_to_onednn(z)) {
    dense_.conv_backward_input(z, dy.as<float>(), w.as<float>(), dx.as<float>());
  } else {
    plans_.of(z, 0).backward({.dy = dy.as<float>(), .primary_weight = w.as<float>(), .dx = dx.as<float>()}, group_);
  }
}

void CpuBackend::conv2d_backward_weight(const Conv2dParams& p, const Input& dy, const Input& x, const Output& dw) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, x.shape, dw.shape);
  if (z.N == 0) {
    std::fill_n(dw.as<float>(), dw.elements(), 0.0f);
  } else if (goes_to_onednn(z)) {
    dense_.conv_backward_weight(z, dy.as<float>(), x.as<float>(), dw.as<float>());
  } else {
    plans_.of(z, 0).backward({.dy = dy.as<float>(), .x = x.as<float>(), .primary_dw = dw.as<float>()}, group_);
  }
}

// The passes of norms that are spared are worth more than what oneDNN is faster by, and images of few channels gain,
// too.
bool CpuBackend::conv2d_fuses(const Conv2dSizes& z) const { return z.N > 0 && (!Dense::takes(z) || is_large(z)); }

bool CpuBackend::conv2d_overwrites_dy(const Conv2dSizes& z) const {
  return conv2d_fuses(z) && GroupConv::overwrites_dy(z);
}

void CpuBackend::conv2d_fused_forward(const Conv2dParams& p, const Input& x, const Norm* x_norm, const Input& w,
                                      const Output& y, const BatchStatistics* y_statistics) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, x.shape, w.shape);
  if (!conv2d_fuses(z)) return conv2d_composed_forward(*this, between_, p, x, x_norm, w, y, y_statistics);
  group_forward(plans_.of(z, 0), {.x = x.as<float>(), .primary_weight = w.as<float>(), .y = y.as<float>()}, x_norm,
                y_statistics);
}

namespace {

GroupConvBackward fused_task(const Input& dy, const Input& x, const Input& w, const Output& dx, const Output& dw) {
  GroupConvBackward task{.dy = dy.as<float>(), .primary_weight = w.as<float>()};
  if (x.data != nullptr) task.x = x.as<float>();
  if (dx.data != nullptr) task.dx = dx.as<float>();
  if (dw.data != nullptr) task.primary_dw = dw.as<float>();
  return task;
}

}  // namespace

void CpuBackend::conv2d_fused_backward(const Conv2dParams& p, const Input& dy, const NormGradient* dy_norm,
                                       const Input& x, const Norm* x_norm, const Input& w, const Output& dx,
                                       const Output& dw, const NormWeights* x_norm_gradients) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, x.shape, w.shape);
  if (!conv2d_fuses(z)) {
    return conv2d_composed_backward(*this, between_, p, dy, dy_norm, x, x_norm, w, dx, dw, x_norm_gradients);
  }
  group_backward(plans_.of(z, 0), z, fused_task(dy, x, w, dx, dw), dy_norm, x_norm, x_norm_gradients, nullptr);
}

void CpuBackend::conv2d_fused_backward_through(const ReluSum& sum, const Conv2dParams& p, const Input& dy,
                                               const NormGradient* dy_norm, const Input& x, const Input& w,
                                               const Output& dx, const Output& dw) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, x.shape, w.shape);
  if (!conv2d_fuses(z)) return Backend::conv2d_fused_backward_through(sum, p, dy, dy_norm, x, w, dx, dw);
  group_backward(plans_.of(z, 0), z, fused_task(dy, x, w, dx, dw), dy_norm, nullptr, nullptr, &sum);
}

void CpuBackend::group_forward(const GroupConv& conv, GroupConvForward task, const Norm* x_norm,
                               const BatchStatistics* y_statistics) {
  if (x_norm != nullptr) {
    task.x_norm = channel_norm(*x_norm, coefficients_.take<float>(static_cast<size_t>(x_norm->mean.elements())));
  }
  if (y_statistics != nullptr) {
    task.mean = y_statistics->mean.as<float>();
    task.var = y_statistics->var.as<float>();
  }
  conv.forward(task, group_);
}

void CpuBackend::group_backward(const GroupConv& conv, const Conv2dSizes& z, GroupConvBackward task,
                                const NormGradient* dy_norm, const Norm* x_norm, const NormWeights* x_norm_gradients,
                                const ReluSum* sum) {
  float* room = coefficients_.take<float>(static_cast<size_t>(z.C + 3 * z.K));
  if (x_norm != nullptr) task.x_norm = channel_norm(*x_norm, room);
  if (dy_norm != nullptr) task.dy_norm = channel_norm_gradient(*dy_norm, z.N * z.P * z.Q, room + z.C);
  if (sum != nullptr) task.more = sum->more.as<float>();
  if (sum != nullptr && sum->side_norm != nullptr) {
    task.side = sum->side.as<float>();
    task.side_mean = sum->side_norm->mean.as<float>();
  }
  // The norm whose gradients come with dx.
  const Norm* norm = sum == nullptr ? x_norm : sum->side_norm;
  const NormWeights* gradients = sum == nullptr ? x_norm_gradients : sum->side_gradients;
  const bool sums = norm != nullptr && task.dx != nullptr;
  if (sums) task.x_norm_sums = norm_sums_.take<double>(static_cast<size_t>(2 * z.C));
  conv.backward(task, group_);
  if (sums && gradients != nullptr) put_norm_weights(task.x_norm_sums, *norm, *gradients);
}

}  // namespace igcnet
