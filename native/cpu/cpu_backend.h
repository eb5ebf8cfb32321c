// The class behind make_cpu_backend(). One file per op (<op>.cc) holds its methods; all run on the one thread that
// owns the OpenMP team.
#pragma once

#include <string_view>

#include "core/backend.h"
#include "cpu/dense.h"
#include "cpu/group_conv.h"
#include "cpu/scratch.h"

namespace igcnet {

class CpuBackend : public Backend {
 public:
  std::string_view name() const override { return "cpu"; }
  bool supports(DType dtype) const override { return dtype == DType::kF32; }
  void set_threads(int threads) override;

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

 private:
  Dense dense_;                     // oneDNN
  GroupConvScratch group_;          // of the grouped convolutions and the secondary convolution
  Scratch partial_, coefficients_;  // partial sums over chunks; what batch norm needs of each channel
  Scratch permuted_, permuted_dy_;  // intermediate tensors of an igc_block with K != L*M
};

}  // namespace igcnet
