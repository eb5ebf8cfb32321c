// The class behind make_reference_backend(): one method per op and direction, defined in reference/<op>.cc.
// Sums accumulate in the tensors' own type, in the order of the loops. An output must not overlap an input.
#pragma once

#include "core/backend.h"

namespace igcnet {

class ReferenceBackend final : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  bool supports(DType dtype) const override { return is_floating(dtype); }

  void fill(double value, const Output& y) override;
  void copy(const Input& x, const Output& y) override;
  void cast(const Input& x, const Output& y) override;
  void random_uniform(const RandomParams& p, const Output& y) override;
  void random_normal(const RandomParams& p, const Output& y) override;

  void add_forward(const Input& a, const Input& b, const Output& y) override;
  void add_relu_forward(const Input& a, const Norm* a_norm, const Input& b, const Norm* b_norm,
                        const Output& y) override;
  void relu_forward(const Input& x, const Output& y) override;
  void relu_backward_input(const Input& dy, const Input& y, const Output& dx) override;
  void relu6_forward(const Input& x, const Output& y) override;
  void relu6_backward_input(const Input& dy, const Input& y, const Output& dx) override;
  void dropout_forward(const DropoutParams& p, const Input& x, const Output& y) override;
  void dropout_backward_input(const DropoutParams& p, const Input& dy, const Output& dx) override;

  void conv2d_forward(const Conv2dParams& p, const Input& x, const Input& w, const Output& y) override;
  void conv2d_backward_input(const Conv2dParams& p, const Input& dy, const Input& w, const Output& dx) override;
  void conv2d_backward_weight(const Conv2dParams& p, const Input& dy, const Input& x, const Output& dw) override;
  bool conv2d_fuses(const Conv2dSizes&) const override { return true; }
  void conv2d_fused_forward(const Conv2dParams& p, const Input& x, const Norm* x_norm, const Input& w, const Output& y,
                            const BatchStatistics* y_statistics) override;
  void conv2d_fused_backward(const Conv2dParams& p, const Input& dy, const NormGradient* dy_norm, const Input& x,
                             const Norm* x_norm, const Input& w, const Output& dx, const Output& dw,
                             const NormWeights* x_norm_gradients) override;

  void reorder_forward(const ReorderParams& p, const Input& x, const Output& y) override;
  void reorder_backward_input(const ReorderParams& p, const Input& dy, const Output& dx) override;

  void igc_block_forward(const IgcBlockParams& p, const Input& x, const Norm* x_norm, const Input& primary_weight,
                         const Input& secondary_weight, const Output& y, const BatchStatistics* y_statistics,
                         const Output* z) override;
  void igc_block_backward(const IgcBlockParams& p, const Input& dy, const NormGradient* dy_norm, const Input& x,
                          const Norm* x_norm, const Input& primary_weight, const Input& secondary_weight,
                          const Output& dx, const Output& primary_dw, const Output& secondary_dw,
                          const NormWeights* x_norm_gradients, const Input* z) override;

  void batch_norm2d_statistics(const Input& x, const BatchStatistics& statistics) override;
  void batch_norm2d_prepare(const BatchNorm2dParams& p, const Input& statistics, const Input& gamma, const Input& beta,
                            const Output& running_mean, const Output& running_var, const Output& norm) override;
  void batch_norm2d_apply(const Input& x, const Norm& norm, const Output& y) override;
  void batch_norm2d_backward_weight(const Input& dy, const Input& x, const Norm& norm,
                                    const NormWeights& gradients) override;
  void batch_norm2d_backward_input(const Input& dy, const NormGradient& gradient, const Output& dx) override;

  void avg_pool2d_forward(const Pool2dParams& p, const Input& x, const Output& y) override;
  void avg_pool2d_backward_input(const Pool2dParams& p, const Input& dy, const Output& dx) override;
  void max_pool2d_forward(const Pool2dParams& p, const Input& x, const Output& y) override;
  void max_pool2d_backward_input(const Pool2dParams& p, const Input& dy, const Input& x, const Output& dx) override;
  void global_avg_pool2d_forward(const Input& x, const Output& y) override;
  void global_avg_pool2d_backward_input(const Input& dy, const Output& dx) override;

  void linear_forward(const Input& x, const Input& w, const Input& b, const Output& y) override;
  void linear_backward_input(const Input& dy, const Input& w, const Output& dx) override;
  void linear_backward_weight(const Input& dy, const Input& x, const Output& dw) override;
  void linear_backward_bias(const Input& dy, const Output& db) override;

  void softmax_forward(const Input& x, const Output& y) override;
  void softmax_backward_input(const Input& dy, const Input& y, const Output& dx) override;
  void cross_entropy_forward(const CrossEntropyParams& p, const Input& logits, const Input& labels, const Output& loss,
                             const Output& probabilities) override;
  void cross_entropy_backward_input(const CrossEntropyParams& p, const Input& dloss, const Input& probabilities,
                                    const Input& labels, const Output& dlogits) override;

  void sgd_step(const SgdParams& p, const std::vector<SgdParameter>& parameters, const GradientScale* scaling) override;
  void note_non_finite(const Input& x, const Output& found) override;
};

}  // namespace igcnet
