// igc_block as the four steps of core/igc_block.h, and backwards as the adjoint of each step in reverse order; norms
// are applied in steps of their own. Nothing is assumed of K = L*M, so the authors' resnet_igc block with M = C/L is
// covered. Checked against PyTorch (grouped convolutions and channel shuffles, test/golden), against the dense
// convolution with the composite kernel, and with norms by finite differences (test/gradcheck).
#include "core/igc_block.h"

#include "core/dispatch.h"
#include "reference/reference_backend.h"
#include "reference/temporary.h"

namespace igcnet {
namespace {

Conv2dParams primary_conv(const IgcBlockParams& p) { return {p.stride, p.padding, p.primary_partitions}; }
Conv2dParams secondary_conv(const IgcBlockParams& p) { return {1, 0, p.secondary_partitions}; }
ReorderParams first_reorder(const IgcBlockParams& p) { return {p.primary_partitions}; }
ReorderParams second_reorder(const IgcBlockParams& p) { return {p.secondary_partitions}; }

}  // namespace

void ReferenceBackend::igc_block_forward(const IgcBlockParams& p, const Input& x, const Norm* x_norm,
                                         const Input& primary_weight, const Input& secondary_weight, const Output& y,
                                         const BatchStatistics* y_statistics, const Output*) {
  igc_block_sizes("igcBlock", p, x.shape, primary_weight.shape, secondary_weight.shape);
  dispatch_floating(x.dtype, [&]<class T>() {
    Temporary<T> applied_x(x.shape), z(y.shape), reordered_z(y.shape), unordered_y(y.shape);
    conv2d_forward(primary_conv(p), applied(*this, x, x_norm, applied_x), primary_weight, z.tensor());
    reorder_forward(first_reorder(p), z.tensor(), reordered_z.tensor());
    conv2d_forward(secondary_conv(p), reordered_z.tensor(), secondary_weight, unordered_y.tensor());
    reorder_forward(second_reorder(p), unordered_y.tensor(), y);
    if (y_statistics != nullptr) batch_norm2d_statistics(y, *y_statistics);
  });
}

void ReferenceBackend::igc_block_backward(const IgcBlockParams& p, const Input& dy, const NormGradient* dy_norm,
                                          const Input& x, const Norm* x_norm, const Input& primary_weight,
                                          const Input& secondary_weight, const Output& dx, const Output& primary_dw,
                                          const Output& secondary_dw, const NormWeights* x_norm_gradients,
                                          const Input*) {
  igc_block_sizes("igcBlock", p, x.shape, primary_weight.shape, secondary_weight.shape);
  dispatch_floating(dy.dtype, [&]<class T>() {
    Temporary<T> true_dy(dy.shape), applied_x(x.shape), unordered_dy(dy.shape), reordered_dz(dy.shape), dz(dy.shape);
    if (dy_norm != nullptr) batch_norm2d_backward_input(dy, *dy_norm, true_dy.tensor());
    const Input input = applied(*this, x, x_norm, applied_x);
    reorder_backward_input(second_reorder(p), dy_norm != nullptr ? Input(true_dy.tensor()) : dy, unordered_dy.tensor());
    conv2d_backward_input(secondary_conv(p), unordered_dy.tensor(), secondary_weight, reordered_dz.tensor());
    reorder_backward_input(first_reorder(p), reordered_dz.tensor(), dz.tensor());
    if (secondary_dw.data != nullptr) {
      Temporary<T> z(dy.shape), reordered_z(dy.shape);
      conv2d_forward(primary_conv(p), input, primary_weight, z.tensor());
      reorder_forward(first_reorder(p), z.tensor(), reordered_z.tensor());
      conv2d_backward_weight(secondary_conv(p), unordered_dy.tensor(), reordered_z.tensor(), secondary_dw);
    }
    if (primary_dw.data != nullptr) conv2d_backward_weight(primary_conv(p), dz.tensor(), input, primary_dw);
    if (dx.data == nullptr) return;
    if (x_norm == nullptr || !x_norm->relu) {
      conv2d_backward_input(primary_conv(p), dz.tensor(), primary_weight, dx);
    } else {
      Temporary<T> unmasked(x.shape);
      conv2d_backward_input(primary_conv(p), dz.tensor(), primary_weight, unmasked.tensor());
      relu_backward_input(unmasked.tensor(), input, dx);
    }
    if (x_norm_gradients != nullptr) batch_norm2d_backward_weight(dx, x, *x_norm, *x_norm_gradients);
  });
}

}  // namespace igcnet
