#include "core/conv2d_composed.h"

#include "core/conv2d.h"

namespace igcnet {
namespace {

// x behind its norm.
Input applied(Backend& backend, BetweenMaps& between, const Input& x, const Norm* norm) {
  if (norm == nullptr) return x;
  const Output memory = between.map(0, x.shape, x.dtype);
  backend.batch_norm2d_apply(x, *norm, memory);
  return memory;
}

}  // namespace

void conv2d_composed_forward(Backend& backend, BetweenMaps& between, const Conv2dParams& p, const Input& x,
                             const Norm* x_norm, const Input& w, const Output& y, const BatchStatistics* y_statistics) {
  backend.conv2d_forward(p, applied(backend, between, x, x_norm), w, y);
  if (y_statistics != nullptr) backend.batch_norm2d_statistics(y, *y_statistics);
}

void conv2d_composed_backward(Backend& backend, BetweenMaps& between, const Conv2dParams& p, const Input& dy,
                              const NormGradient* dy_norm, const Input& x, const Norm* x_norm, const Input& w,
                              const Output& dx, const Output& dw, const NormWeights* x_norm_gradients) {
  Input true_dy = dy;
  if (dy_norm != nullptr) {
    const Output memory = between.map(1, dy.shape, dy.dtype);
    backend.batch_norm2d_backward_input(dy, *dy_norm, memory);
    true_dy = memory;
  }
  const bool masks = dx.data != nullptr && x_norm != nullptr && x_norm->relu;
  const Input input = dw.data != nullptr || masks ? applied(backend, between, x, x_norm) : x;
  if (dw.data != nullptr) backend.conv2d_backward_weight(p, true_dy, input, dw);
  if (dx.data == nullptr) return;
  backend.conv2d_backward_input(p, true_dy, w, dx);
  if (masks) backend.relu_backward_input(dx, input, dx);  // element by element, so in place
  if (x_norm_gradients != nullptr) backend.batch_norm2d_backward_weight(dx, x, *x_norm, *x_norm_gradients);
}

}  // namespace igcnet
