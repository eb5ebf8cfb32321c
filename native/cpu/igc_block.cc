// igc_block: the primary convolution is a conv2d; the secondary one needs no permutation when K = L*M
// (igc_secondary.cc), is a dense conv2d when M = 1, and is composed of conv2d and reorder otherwise (QUIRK: the
// authors' resnet_igc blocks where the width changes). Checked against `reference`, which always composes.
#include "core/igc_block.h"

#include "cpu/cpu_backend.h"

namespace igcnet {
namespace {

Conv2dParams primary_conv(const IgcBlockParams& p) { return {p.stride, p.padding, p.primary_partitions}; }
Conv2dParams secondary_conv(const IgcBlockParams& p) { return {1, 0, p.secondary_partitions}; }

enum class SecondaryKind { kDense, kInterleaved, kComposed };

// With M = 1 and K = L both permutations are the identity.
SecondaryKind secondary_kind(const IgcBlockParams& p, int64_t K) {
  const int64_t L = p.primary_partitions, M = p.secondary_partitions;
  if (K != L * M) return SecondaryKind::kComposed;
  return M == 1 ? SecondaryKind::kDense : SecondaryKind::kInterleaved;
}

SecondarySizes secondary_sizes(const IgcBlockParams& p, const Shape& y) {
  return {y[0] * y[1] * y[2], p.primary_partitions, p.secondary_partitions};
}

Output temporary(Scratch& scratch, const Shape& shape) {
  return {scratch.take<float>(static_cast<size_t>(shape.elements())), DType::kF32, shape};
}

}  // namespace

void CpuBackend::igc_block_forward(const IgcBlockParams& p, const Input& x, const Input& primary_weight,
                                   const Input& secondary_weight, const Output& z, const Output& y) {
  igc_block_sizes("igcBlock", p, x.shape, primary_weight.shape, secondary_weight.shape);
  conv2d_forward(primary_conv(p), x, primary_weight, z);
  switch (secondary_kind(p, y.shape[3])) {
    case SecondaryKind::kDense:
      conv2d_forward(secondary_conv(p), z, secondary_weight, y);
      break;
    case SecondaryKind::kInterleaved:
      secondary_forward(secondary_sizes(p, y.shape), z.as<float>(), secondary_weight.as<float>(), y.as<float>(),
                        group_);
      break;
    case SecondaryKind::kComposed: {
      const Output permuted = temporary(permuted_, z.shape), unpermuted_y = temporary(permuted_dy_, y.shape);
      reorder_forward({p.primary_partitions}, z, permuted);
      conv2d_forward(secondary_conv(p), permuted, secondary_weight, unpermuted_y);
      reorder_forward({p.secondary_partitions}, unpermuted_y, y);
      break;
    }
  }
}

void CpuBackend::igc_block_backward_input(const IgcBlockParams& p, const Input& dy, const Input& primary_weight,
                                          const Input& secondary_weight, const Output& dz, const Output& dx) {
  switch (secondary_kind(p, dy.shape[3])) {
    case SecondaryKind::kDense:
      conv2d_backward_input(secondary_conv(p), dy, secondary_weight, dz);
      break;
    case SecondaryKind::kInterleaved:
      secondary_backward_input(secondary_sizes(p, dy.shape), dy.as<float>(), secondary_weight.as<float>(),
                               dz.as<float>(), group_);
      break;
    case SecondaryKind::kComposed: {
      const Output unpermuted_dy = temporary(permuted_dy_, dy.shape), permuted = temporary(permuted_, dz.shape);
      reorder_backward_input({p.secondary_partitions}, dy, unpermuted_dy);
      conv2d_backward_input(secondary_conv(p), unpermuted_dy, secondary_weight, permuted);
      reorder_backward_input({p.primary_partitions}, permuted, dz);
      break;
    }
  }
  if (dx.data != nullptr) conv2d_backward_input(primary_conv(p), dz, primary_weight, dx);
}

void CpuBackend::igc_block_backward_weight(const IgcBlockParams& p, const Input& dy, const Input& dz, const Input& x,
                                           const Input& z, const Output& primary_dw, const Output& secondary_dw) {
  igc_block_sizes("igcBlock", p, x.shape, primary_dw.shape, secondary_dw.shape);
  switch (secondary_kind(p, dy.shape[3])) {
    case SecondaryKind::kDense:
      conv2d_backward_weight(secondary_conv(p), dy, z, secondary_dw);
      break;
    case SecondaryKind::kInterleaved:
      secondary_backward_weight(secondary_sizes(p, dy.shape), dy.as<float>(), z.as<float>(), secondary_dw.as<float>(),
                                group_);
      break;
    case SecondaryKind::kComposed: {
      const Output unpermuted_dy = temporary(permuted_dy_, dy.shape), permuted = temporary(permuted_, z.shape);
      reorder_backward_input({p.secondary_partitions}, dy, unpermuted_dy);
      reorder_forward({p.primary_partitions}, z, permuted);
      conv2d_backward_weight(secondary_conv(p), unpermuted_dy, permuted, secondary_dw);
      break;
    }
  }
  conv2d_backward_weight(primary_conv(p), dz, x, primary_dw);
}

}  // namespace igcnet
