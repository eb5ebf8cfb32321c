// The default body of every operation: a device that does not override it says so. Checked in
// test/binding: each operation that a device lacks throws UnsupportedError.
#include "core/backend.h"

#include <string>

#include "core/error.h"

namespace igcnet {

void Backend::unsupported(const char* op) const {
  throw Error(ErrorCode::kUnsupported, std::string(op) + ": device " + std::string(name()) + " has no such operation");
}

void Backend::set_threads(int) {}

void Backend::fill(double, const Output&) { unsupported("fill"); }
void Backend::copy(const Input&, const Output&) { unsupported("copy"); }
void Backend::cast(const Input&, const Output&) { unsupported("cast"); }
void Backend::random_uniform(const RandomParams&, const Output&) { unsupported("random_uniform"); }
void Backend::random_normal(const RandomParams&, const Output&) { unsupported("random_normal"); }

void Backend::add_forward(const Input&, const Input&, const Output&) { unsupported("add_forward"); }
void Backend::add_relu_forward(const Input&, const Norm*, const Input&, const Norm*, const Output&) {
  unsupported("add_relu_forward");
}
void Backend::add_relu_backward(const Input& dy, const Input& more, const Input& y, const Output& dv, const Input& x,
                                const Norm* x_norm, const NormWeights* sums) {
  if (more.data != nullptr) add_forward(dy, more, dv);
  relu_backward_input(more.data != nullptr ? Input(dv) : dy, y, dv);  // element by element, so in place
  if (sums != nullptr) batch_norm2d_backward_weight(dv, x, *x_norm, *sums);
}
void Backend::relu_forward(const Input&, const Output&) { unsupported("relu_forward"); }
void Backend::relu_backward_input(const Input&, const Input&, const Output&) { unsupported("relu_backward_input"); }
void Backend::relu6_forward(const Input&, const Output&) { unsupported("relu6_forward"); }
void Backend::relu6_backward_input(const Input&, const Input&, const Output&) { unsupported("relu6_backward_input"); }
void Backend::dropout_forward(const DropoutParams&, const Input&, const Output&) { unsupported("dropout_forward"); }
void Backend::dropout_backward_input(const DropoutParams&, const Input&, const Output&) {
  unsupported("dropout_backward_input");
}

void Backend::conv2d_forward(const Conv2dParams&, const Input&, const Input&, const Output&) {
  unsupported("conv2d_forward");
}
bool Backend::conv2d_takes_norm(const Conv2dSizes&) const { return false; }
void Backend::conv2d_norm_forward(const Conv2dParams& p, const Input& x, const Input& w, const Norm& norm,
                                  const Output& y) {
  conv2d_forward(p, x, w, y);
  batch_norm2d_apply(Input(y), norm, y);  // element by element, so in place
}
void Backend::conv2d_backward_input(const Conv2dParams&, const Input&, const Input&, const Output&) {
  unsupported("conv2d_backward_input");
}
void Backend::conv2d_backward_weight(const Conv2dParams&, const Input&, const Input&, const Output&) {
  unsupported("conv2d_backward_weight");
}
bool Backend::conv2d_fuses(const Conv2dSizes&) const { return false; }
void Backend::conv2d_fused_forward(const Conv2dParams&, const Input&, const Norm*, const Input&, const Output&,
                                   const BatchStatistics*) {
  unsupported("conv2d_fused_forward");
}
void Backend::conv2d_fused_backward(const Conv2dParams&, const Input&, const NormGradient*, const Input&, const Norm*,
                                    const Input&, const Output&, const Output&, const NormWeights*) {
  unsupported("conv2d_fused_backward");
}
void Backend::conv2d_fused_backward_through(const ReluSum& sum, const Conv2dParams& p, const Input& dy,
                                            const NormGradient* dy_norm, const Input& x, const Input& w,
                                            const Output& dx, const Output& dw) {
  conv2d_fused_backward(p, dy, dy_norm, x, nullptr, w, dx, dw, nullptr);
  add_relu_backward(dx, sum.more, x, dx, sum.side, sum.side_norm, sum.side_gradients);  // element by element
}

void Backend::reorder_forward(const ReorderParams&, const Input&, const Output&) { unsupported("reorder_forward"); }
void Backend::reorder_backward_input(const ReorderParams&, const Input&, const Output&) {
  unsupported("reorder_backward_input");
}

void Backend::igc_block_forward(const IgcBlockParams&, const Input&, const Norm*, const Input&, const Input&,
                                const Output&, const BatchStatistics*, const Output*) {
  unsupported("igc_block_forward");
}
void Backend::igc_block_backward(const IgcBlockParams&, const Input&, const NormGradient*, const Input&, const Norm*,
                                 const Input&, const Input&, const Output&, const Output&, const Output&,
                                 const NormWeights*, const Input*) {
  unsupported("igc_block_backward");
}
void Backend::igc_block_backward_through(const ReluSum& sum, const IgcBlockParams& p, const Input& dy,
                                         const NormGradient* dy_norm, const Input& x, const Input& primary_weight,
                                         const Input& secondary_weight, const Output& dx, const Output& primary_dw,
                                         const Output& secondary_dw, const Input* z) {
  igc_block_backward(p, dy, dy_norm, x, nullptr, primary_weight, secondary_weight, dx, primary_dw, secondary_dw,
                     nullptr, z);
  add_relu_backward(dx, sum.more, x, dx, sum.side, sum.side_norm, sum.side_gradients);  // element by element
}

void Backend::batch_norm2d_statistics(const Input&, const BatchStatistics&) { unsupported("batch_norm2d_statistics"); }
void Backend::batch_norm2d_prepare(const BatchNorm2dParams&, const Input&, const Input&, const Input&, const Output&,
                                   const Output&, const Output&) {
  unsupported("batch_norm2d_prepare");
}
void Backend::batch_norm2d_apply(const Input&, const Norm&, const Output&) { unsupported("batch_norm2d_apply"); }
void Backend::batch_norm2d_backward_weight(const Input&, const Input&, const Norm&, const NormWeights&) {
  unsupported("batch_norm2d_backward_weight");
}
void Backend::batch_norm2d_backward_input(const Input&, const NormGradient&, const Output&) {
  unsupported("batch_norm2d_backward_input");
}

void Backend::avg_pool2d_forward(const Pool2dParams&, const Input&, const Output&) {
  unsupported("avg_pool2d_forward");
}
void Backend::avg_pool2d_backward_input(const Pool2dParams&, const Input&, const Output&) {
  unsupported("avg_pool2d_backward_input");
}
void Backend::max_pool2d_forward(const Pool2dParams&, const Input&, const Output&) {
  unsupported("max_pool2d_forward");
}
void Backend::max_pool2d_backward_input(const Pool2dParams&, const Input&, const Input&, const Output&) {
  unsupported("max_pool2d_backward_input");
}
void Backend::global_avg_pool2d_forward(const Input&, const Output&) { unsupported("global_avg_pool2d_forward"); }
void Backend::global_avg_pool2d_backward_input(const Input&, const Output&) {
  unsupported("global_avg_pool2d_backward_input");
}

void Backend::linear_forward(const Input&, const Input&, const Input&, const Output&) { unsupported("linear_forward"); }
void Backend::linear_backward_input(const Input&, const Input&, const Output&) { unsupported("linear_backward_input"); }
void Backend::linear_backward_weight(const Input&, const Input&, const Output&) {
  unsupported("linear_backward_weight");
}
void Backend::linear_backward_bias(const Input&, const Output&) { unsupported("linear_backward_bias"); }

void Backend::softmax_forward(const Input&, const Output&) { unsupported("softmax_forward"); }
void Backend::softmax_backward_input(const Input&, const Input&, const Output&) {
  unsupported("softmax_backward_input");
}
void Backend::cross_entropy_forward(const CrossEntropyParams&, const Input&, const Input&, const Output&,
                                    const Output&) {
  unsupported("cross_entropy_forward");
}
void Backend::cross_entropy_backward_input(const CrossEntropyParams&, const Input&, const Input&, const Input&,
                                           const Output&) {
  unsupported("cross_entropy_backward_input");
}

void Backend::sgd_step(const SgdParams&, const std::vector<SgdParameter>&, const GradientScale*) {
  unsupported("sgd_step");
}
void Backend::note_non_finite(const Input&, const Output&) { unsupported("note_non_finite"); }

}  // namespace igcnet
