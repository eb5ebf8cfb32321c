// igc_block as the four operators of core/igc_block.h: where K != L*M, where a tile does not fit in shared memory, and
// everywhere with IGCNET_CUDA_IGC=cudnn, the path that the fused kernels are compared with. Each step backwards is the
// adjoint of a step forwards. Checked in test/cuda by the tests of igc_block run on this path.
#include "core/igc_block.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

Conv2dParams primary_conv(const IgcBlockParams& p) { return {p.stride, p.padding, p.primary_partitions}; }
Conv2dParams secondary_conv(const IgcBlockParams& p) { return {1, 0, p.secondary_partitions}; }
ReorderParams first_reorder(const IgcBlockParams& p) { return {p.primary_partitions}; }
ReorderParams second_reorder(const IgcBlockParams& p) { return {p.secondary_partitions}; }

}  // namespace

void SimtBackend::igc_block_composed_forward(const IgcBlockParams& p, const Input& x, const Norm* x_norm,
                                             const Input& primary_weight, const Input& secondary_weight,
                                             const Output& y, const BatchStatistics* y_statistics) {
  Input input = x;
  if (x_norm != nullptr) {
    const Output applied = between_[0].tensor(x.shape);
    batch_norm2d_apply(x, *x_norm, applied);
    input = applied;
  }
  const Output first = between_[1].tensor(y.shape), second = between_[2].tensor(y.shape);
  conv2d_forward(primary_conv(p), input, primary_weight, first);
  reorder_forward(first_reorder(p), first, second);
  conv2d_forward(secondary_conv(p), second, secondary_weight, first);
  reorder_forward(second_reorder(p), first, y);
  if (y_statistics != nullptr) batch_norm2d_statistics(y, *y_statistics);
}

void SimtBackend::igc_block_composed_backward(const IgcBlockParams& p, const Input& dy, const NormGradient* dy_norm,
                                              const Input& x, const Norm* x_norm, const Input& primary_weight,
                                              const Input& secondary_weight, const Output& dx, const Output& primary_dw,
                                              const Output& secondary_dw, const NormWeights* x_norm_gradients) {
  Input input = x, true_dy = dy;
  if (x_norm != nullptr) {
    const Output applied = between_[0].tensor(x.shape);
    batch_norm2d_apply(x, *x_norm, applied);
    input = applied;
  }
  const Output unordered_dy = between_[1].tensor(dy.shape), dz = between_[2].tensor(dy.shape),
               z = between_[3].tensor(dy.shape), moved = between_[4].tensor(dy.shape);
  if (dy_norm != nullptr) {
    batch_norm2d_backward_input(dy, *dy_norm, dz);
    true_dy = dz;
  }
  reorder_backward_input(second_reorder(p), true_dy, unordered_dy);
  if (secondary_dw.data != nullptr) {
    conv2d_forward(primary_conv(p), input, primary_weight, z);
    reorder_forward(first_reorder(p), z, moved);
    conv2d_backward_weight(secondary_conv(p), unordered_dy, moved, secondary_dw);
  }
  conv2d_backward_input(secondary_conv(p), unordered_dy, secondary_weight, moved);
  reorder_backward_input(first_reorder(p), moved, dz);
  if (primary_dw.data != nullptr) conv2d_backward_weight(primary_conv(p), dz, input, primary_dw);
  if (dx.data == nullptr) return;
  conv2d_backward_input(primary_conv(p), dz, primary_weight, dx);
  if (x_norm != nullptr && x_norm->relu) relu_backward_input(dx, input, dx);  // element by element, so in place
  if (x_norm_gradients != nullptr) batch_norm2d_backward_weight(dx, x, *x_norm, *x_norm_gradients);
}

}  // namespace igcnet::simt
