#include "core/igc_block_composed.h"

namespace igcnet {
namespace {

Conv2dParams primary_conv(const IgcBlockParams& p) { return {p.stride, p.padding, p.primary_partitions}; }
Conv2dParams secondary_conv(const IgcBlockParams& p) { return {1, 0, p.secondary_partitions}; }
ReorderParams first_reorder(const IgcBlockParams& p) { return {p.primary_partitions}; }
ReorderParams second_reorder(const IgcBlockParams& p) { return {p.secondary_partitions}; }

}  // namespace

void igc_block_composed_forward(Backend& backend, BetweenMaps& between, const IgcBlockParams& p, const Input& x,
                                const Norm* x_norm, const Input& primary_weight, const Input& secondary_weight,
                                const Output& y, const BatchStatistics* y_statistics) {
  Input input = x;
  if (x_norm != nullptr) {
    const Output applied = between.map(0, x.shape, x.dtype);
    backend.batch_norm2d_apply(x, *x_norm, applied);
    input = applied;
  }
  const Output first = between.map(1, y.shape, y.dtype), second = between.map(2, y.shape, y.dtype);
  backend.conv2d_forward(primary_conv(p), input, primary_weight, first);
  backend.reorder_forward(first_reorder(p), first, second);
  backend.conv2d_forward(secondary_conv(p), second, secondary_weight, first);
  backend.reorder_forward(second_reorder(p), first, y);
  if (y_statistics != nullptr) backend.batch_norm2d_statistics(y, *y_statistics);
}

void igc_block_composed_backward(Backend& backend, BetweenMaps& between, const IgcBlockParams& p, const Input& dy,
                                 const NormGradient* dy_norm, const Input& x, const Norm* x_norm,
                                 const Input& primary_weight, const Input& secondary_weight, const Output& dx,
                                 const Output& primary_dw, const Output& secondary_dw,
                                 const NormWeights* x_norm_gradients) {
  Input input = x, true_dy = dy;
  if (x_norm != nullptr) {
    const Output applied = between.map(0, x.shape, x.dtype);
    backend.batch_norm2d_apply(x, *x_norm, applied);
    input = applied;
  }
  const Output unordered_dy = between.map(1, dy.shape, dy.dtype), dz = between.map(2, dy.shape, dy.dtype),
               moved = between.map(3, dy.shape, dy.dtype);
  if (dy_norm != nullptr) {
    backend.batch_norm2d_backward_input(dy, *dy_norm, dz);
    true_dy = dz;
  }
  backend.reorder_backward_input(second_reorder(p), true_dy, unordered_dy);
  if (secondary_dw.data != nullptr) {
    const Output z = between.map(4, dy.shape, dy.dtype);
    backend.conv2d_forward(primary_conv(p), input, primary_weight, z);
    backend.reorder_forward(first_reorder(p), z, moved);
    backend.conv2d_backward_weight(secondary_conv(p), unordered_dy, moved, secondary_dw);
  }
  if (dx.data == nullptr && primary_dw.data == nullptr) return;
  backend.conv2d_backward_input(secondary_conv(p), unordered_dy, secondary_weight, moved);
  backend.reorder_backward_input(first_reorder(p), moved, dz);
  if (primary_dw.data != nullptr) backend.conv2d_backward_weight(primary_conv(p), dz, input, primary_dw);
  if (dx.data == nullptr) return;
  backend.conv2d_backward_input(primary_conv(p), dz, primary_weight, dx);
  if (x_norm != nullptr && x_norm->relu) backend.relu_backward_input(dx, input, dx);  // element by element, so in place
  if (x_norm_gradients != nullptr) backend.batch_norm2d_backward_weight(dx, x, *x_norm, *x_norm_gradients);
}

}  // namespace igcnet
