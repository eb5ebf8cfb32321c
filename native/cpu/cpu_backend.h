// The class behind make_cpu_backend(). One file per op (<op>.cc) holds its methods; all run on the one thread that
// owns the OpenMP team.
#pragma once

#include <array>
#include <string_view>

#include "core/backend.h"
#include "core/between_maps.h"
#include "cpu/dense.h"
#include "cpu/group_conv.h"
#include "cpu/scratch.h"

namespace igcnet {

class Between : public BetweenMaps {
 public:
  Output map(size_t place, const Shape& shape, DType dtype) override {
    return {maps_[place].take<float>(static_cast<size_t>(shape.elements())), dtype, shape};  // f32
  }

 private:
  std::array<Scratch, kCount> maps_;
};

class CpuBackend : public Backend {
 public:
  std::string_view name() const override { return "cpu"; }
  BackendInfo info() const override;
  bool supports(DType dtype) const override { return dtype == DType::kF32; }
  void set_threads(int threads) override;

  void fill(double value, const Output& y) override;
  void copy(const Input& x, const Output& y) override;
  void cast(const Input& x, const Output& y) override;
  void random_uniform(const RandomParams& p, const Output& y) override;
  void random_normal(const RandomParams& p, const Output& y) override;

  void add_forward(const Input& a, const Input& b, const Output& y) override;
  void add_relu_backward(const Input& dy, const Input& more, const Input& y, const Output& dv, const Input& x,
                         const Norm* x_norm, const NormWeights* sums) override;
  void add_relu_forward(const Input& a, const Norm* a_norm, const Input& b, const Norm* b_norm,
                        const Output& y) override;
  void relu_forward(const Input& x, const Output& y) override;
  void relu_backward_input(const Input& dy, const Input& y, const Output& dx) override;
  void relu6_forward(const Input& x, const Output& y) override;
  void relu6_backward_input(const Input& dy, const Input& y, const Output& dx) override;
  void dropout_forward(const DropoutParams& p, const Input& x, const Output& y) override;
  void dropout_backward_input(const DropoutParams& p, const Input& dy, const Output& dx) override;

  void conv2d_forward(const Conv2dParams& p, const Input& x, const Input& w, const Output& y) override;
  bool conv2d_takes_norm(const Conv2dSizes&) const override { return true; }
  void conv2d_norm_forward(const Conv2dParams& p, const Input& x, const Input& w, const Norm& norm,
                           const Output& y) override;
  void conv2d_backward_input(const Conv2dParams& p, const Input& dy, const Input& w, const Output& dx) override;
  void conv2d_backward_weight(const Conv2dParams& p, const Input& dy, const Input& x, const Output& dw) override;
  bool conv2d_fuses(const Conv2dSizes& sizes) const override;
  void conv2d_fused_forward(const Conv2dParams& p, const Input& x, const Norm* x_norm, const Input& w, const Output& y,
                            const BatchStatistics* y_statistics) override;
  void conv2d_fused_backward(const Conv2dParams& p, const Input& dy, const NormGradient* dy_norm, const Input& x,
                             const Norm* x_norm, const Input& w, const Output& dx, const Output& dw,
                             const NormWeights* x_norm_gradients) override;
  void conv2d_fused_backward_through(const ReluSum& sum, const Conv2dParams& p, const Input& dy,
                                     const NormGradient* dy_norm, const Input& x, const Input& w, const Output& dx,
                                     const Output& dw) override;
  bool conv2d_overwrites_dy(const Conv2dSizes& sizes) const override;
  bool igc_block_overwrites_dy(const IgcBlockParams& p, const Conv2dSizes& sizes) const override;

  void reorder_forward(const ReorderParams& p, const Input& x, const Output& y) override;
  void reorder_backward_input(const ReorderParams& p, const Input& dy, const Output& dx) override;

  bool igc_block_keeps_z(const IgcBlockParams& p, const Conv2dSizes& z) const override;
  void igc_block_forward(const IgcBlockParams& p, const Input& x, const Norm* x_norm, const Input& primary_weight,
                         const Input& secondary_weight, const Output& y, const BatchStatistics* y_statistics,
                         const Output* z) override;
  void igc_block_backward(const IgcBlockParams& p, const Input& dy, const NormGradient* dy_norm, const Input& x,
                          const Norm* x_norm, const Input& primary_weight, const Input& secondary_weight,
                          const Output& dx, const Output& primary_dw, const Output& secondary_dw,
                          const NormWeights* x_norm_gradients, const Input* z) override;
  void igc_block_backward_through(const ReluSum& sum, const IgcBlockParams& p, const Input& dy,
                                  const NormGradient* dy_norm, const Input& x, const Input& primary_weight,
                                  const Input& secondary_weight, const Output& dx, const Output& primary_dw,
                                  const Output& secondary_dw, const Input* z) override;

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

 private:
  // A group convolution with its norms, which join `task`; of conv2d and of igc_block.
  void group_forward(const GroupConv& conv, GroupConvForward task, const Norm* x_norm,
                     const BatchStatistics* y_statistics);
  void group_backward(const GroupConv& conv, const Conv2dSizes& z, GroupConvBackward task, const NormGradient* dy_norm,
                      const Norm* x_norm, const NormWeights* x_norm_gradients, const ReluSum* sum);
  // The gradients of an igc_block that group_conv.h takes.
  void igc_group_backward(const IgcBlockParams& p, GroupConvBackward task, const Input& dy, const NormGradient* dy_norm,
                          const Input& x, const Norm* x_norm, const Input& primary_weight,
                          const Input& secondary_weight, const NormWeights* x_norm_gradients, const ReluSum* sum);

  Dense dense_;                              // oneDNN
  GroupConvPlans plans_;                     // of the grouped convolutions that were used lately
  GroupConvScratch group_;                   // of the grouped convolutions and igc_block
  Scratch partial_, counts_, coefficients_;  // sums over chunks and their rows; what a norm needs of each channel
  Scratch norm_sums_;                        // sums over all rows, in double
  Scratch ordered_weights_;                  // of an igc_block with K = f*L*M, and their gradients
  Scratch folded_weights_;                   // of a convolution with the norm behind it
  Between between_;                          // an igc_block that is not fused
};

}  // namespace igcnet
