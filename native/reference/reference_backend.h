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
  void relu_forward(const Input& x, const Output& y) override;
  void relu_backward_input(const Input& dy, const Input& y, const Output& dx) override;

  void conv2d_forward(const Conv2dParams& p, const Input& x, const Input& w, const Output& y) override;
  void conv2d_backward_input(const Conv2dParams& p, const Input& dy, const Input& w, const Output& dx) override;
  void conv2d_backward_weight(const Conv2dParams& p, const Input& dy, const Input& x, const Output& dw) override;

  void reorder_forward(const ReorderParams& p, const Input& x, const Output& y) override;
  void reorder_backward_input(const ReorderParams& p, const Input& dy, const Output& dx) override;

  void igc_block_forward(const IgcBlockParams& p, const Input& x, const Input& primary_weight,
                         const Input& secondary_weight, const Output& z, const Output& y) override;
  void igc_block_backward_input(const IgcBlockParams& p, const Input& dy, const Input& primary_weight,
                                const Input& secondary_weight, const Output& dz, const Output& dx) override;
  void igc_block_backward_weight(const IgcBlockParams& p, const Input& dy, const Input& dz, const Input& x,
                                 const Input& z, const Output& primary_dw, const Output& secondary_dw) override;

  void batch_norm2d_forward(const BatchNorm2dParams& p, const Input& x, const Input& gamma, const Input& beta,
                            const Output& running_mean, const Output& running_var, const Output& y, const Output& mean,
                            const Output& inv_std) override;
  void batch_norm2d_backward_weight(const Input& dy, const Input& x, const Input& mean, const Input& inv_std,
                                    const Output& dgamma, const Output& dbeta) override;
  void batch_norm2d_backward_input(const BatchNorm2dParams& p, const Input& dy, const Input& x, const Input& gamma,
                                   const Input& mean, const Input& inv_std, const Input& dgamma, const Input& dbeta,
                                   const Output& dx) override;

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

  void sgd_step(const SgdParams& p, const Input& g, const Output& w, const Output& v) override;
};

}  // namespace igcnet
