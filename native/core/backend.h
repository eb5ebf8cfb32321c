// The contract of a device: one method per op and direction (forward, backward_input, backward_weight).
// Arguments are checked before a method is called (core/<op>.h); a method may rely on shapes and dtypes that
// fit, and every output is written whole unless its comment says "updated". What a device lacks throws
// UnsupportedError. The formulas and layouts are in core/<op>.h; the device `reference` is the specification.
// Floating tensors of one call share one dtype, T: f32 or f64 (f64 only on `reference`). Where a device supports bf16
// and f16, maps may have those, and the parameters, norms, statistics and their gradients beside them are f32.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/batch_norm2d.h"
#include "core/conv2d.h"
#include "core/cross_entropy.h"
#include "core/dropout.h"
#include "core/igc_block.h"
#include "core/pool2d.h"
#include "core/random.h"
#include "core/reorder.h"
#include "core/sgd.h"
#include "core/tensor.h"

namespace igcnet {

// With what a backend computes, for reports.
struct BackendInfo {
  std::string simd = "none";  // instruction set in use: avx512, avx2, neon, baseline; none: plain loops
  int f32_lanes = 1;          // floats in a vector
  int threads = 1;
  std::string onednn;         // its version; empty: not used
  std::string hardware = {};  // a device of its own, in words: "NVIDIA H200, ..."; empty: the host's processor
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  // Called on the thread that runs the ops. The default is that of plain loops on one thread.
  virtual BackendInfo info() const { return {}; }
  // Whether ops compute in this floating type; i32 and u8 are carried by every device.
  virtual bool supports(DType dtype) const = 0;
  // Threads used by the ops that follow; called on the thread that runs the ops.
  virtual void set_threads(int threads);

  // y = value, converted as by cast. Any dtype.
  virtual void fill(double value, const Output& y);
  // y = x. Same dtype and number of elements.
  virtual void copy(const Input& x, const Output& y);
  // y = x converted: to an integer type by truncation, saturating, NaN to 0. Any two dtypes.
  virtual void cast(const Input& x, const Output& y);
  virtual void random_uniform(const RandomParams& p, const Output& y);
  virtual void random_normal(const RandomParams& p, const Output& y);

  virtual void add_forward(const Input& a, const Input& b, const Output& y);  // y may be a
  // y = relu(a_norm(a) + b_norm(b)); a norm may be null: then a or b as it is.
  virtual void add_relu_forward(const Input& a, const Norm* a_norm, const Input& b, const Norm* b_norm,
                                const Output& y);
  // dv = y > 0 ? dy + more : 0, the gradient of both sides; more without data: dy alone. dv may be dy. With `sums` it
  // also does batch_norm2d_backward_weight(dv, x, x_norm): for a side x that has a norm (without a ReLU). The default
  // composes.
  virtual void add_relu_backward(const Input& dy, const Input& more, const Input& y, const Output& dv, const Input& x,
                                 const Norm* x_norm, const NormWeights* sums);
  virtual void relu_forward(const Input& x, const Output& y);
  // dx = y > 0 ? dy : 0
  virtual void relu_backward_input(const Input& dy, const Input& y, const Output& dx);
  virtual void relu6_forward(const Input& x, const Output& y);
  // dx = 0 < y < 6 ? dy : 0
  virtual void relu6_backward_input(const Input& dy, const Input& y, const Output& dx);
  virtual void dropout_forward(const DropoutParams& p, const Input& x, const Output& y);
  // With the parameters of the forward direction, which fix what was kept.
  virtual void dropout_backward_input(const DropoutParams& p, const Input& dy, const Output& dx);

  virtual void conv2d_forward(const Conv2dParams& p, const Input& x, const Input& w, const Output& y);
  // Whether conv2d_norm_forward() spares a pass; elsewhere a norm is better left to who reads the result. Any thread.
  virtual bool conv2d_takes_norm(const Conv2dSizes& sizes) const;
  // y = norm(conv2d(x, w)), with its ReLU, which may leave 1e-30 of a negative number. The default composes.
  virtual void conv2d_norm_forward(const Conv2dParams& p, const Input& x, const Input& w, const Norm& norm,
                                   const Output& y);
  virtual void conv2d_backward_input(const Conv2dParams& p, const Input& dy, const Input& w, const Output& dx);
  virtual void conv2d_backward_weight(const Conv2dParams& p, const Input& dy, const Input& x, const Output& dw);
  // Whether conv2d_fused_forward() and _backward() spare passes; they are right in any case. Any thread.
  virtual bool conv2d_fuses(const Conv2dSizes& sizes) const;
  // y = conv2d(x_norm(x)); the norms as of igc_block_forward().
  virtual void conv2d_fused_forward(const Conv2dParams& p, const Input& x, const Norm* x_norm, const Input& w,
                                    const Output& y, const BatchStatistics* y_statistics);
  // The gradients, as of igc_block_backward(). x has null data where neither dw nor x_norm asks for it, w where dx does
  // not.
  virtual void conv2d_fused_backward(const Conv2dParams& p, const Input& dy, const NormGradient* dy_norm,
                                     const Input& x, const Norm* x_norm, const Input& w, const Output& dx,
                                     const Output& dw, const NormWeights* x_norm_gradients);
  // Likewise for x = relu(a + b), through the sum: dx is add_relu_backward() of the gradient of x and sum.more. The
  // default composes.
  virtual void conv2d_fused_backward_through(const ReluSum& sum, const Conv2dParams& p, const Input& dy,
                                             const NormGradient* dy_norm, const Input& x, const Input& w,
                                             const Output& dx, const Output& dw);
  // Whether conv2d_fused_backward() with dy_norm, or igc_block_backward(), is done with what it reads of dy before it
  // writes there in dx, which has the shape of dy: dx may then lie in the memory of dy. Any thread.
  virtual bool conv2d_overwrites_dy(const Conv2dSizes&) const { return false; }
  virtual bool igc_block_overwrites_dy(const IgcBlockParams&, const Conv2dSizes&) const { return false; }

  virtual void reorder_forward(const ReorderParams& p, const Input& x, const Output& y);
  virtual void reorder_backward_input(const ReorderParams& p, const Input& dy, const Output& dx);

  // Whether igc_block_backward gains by a z that igc_block_forward kept, for a block of these sizes.
  virtual bool igc_block_keeps_z(const IgcBlockParams&, const Conv2dSizes&) const { return false; }
  // y = igc_block(x_norm(x)); x_norm null: of x itself. The padding is 0 behind the norm. y_statistics, null: not
  // wanted, receives mean and biased variance of y (NaN of an empty batch). z, null: not wanted, receives the map
  // between the convolutions, its channels in an order of the backend's own; given only where igc_block_keeps_z().
  virtual void igc_block_forward(const IgcBlockParams& p, const Input& x, const Norm* x_norm,
                                 const Input& primary_weight, const Input& secondary_weight, const Output& y,
                                 const BatchStatistics* y_statistics, const Output* z);
  // The gradient of y is dy, or, with dy_norm, batch_norm2d_backward_input of dy and dy_norm (whose x is y). Each of
  // dx, primary_dw and secondary_dw is left out when its data is null. dx is the gradient of x_norm(x); when x_norm has
  // a ReLU, dx is 0 where that is 0 (as batch_norm2d_backward_input would make it anyway). x_norm_gradients, null: not
  // wanted (then, and without x_norm or dx), receives the sums of batch_norm2d_backward_weight(dx, x, x_norm). z is
  // what igc_block_forward made of the same inputs; null: it is made again.
  virtual void igc_block_backward(const IgcBlockParams& p, const Input& dy, const NormGradient* dy_norm, const Input& x,
                                  const Norm* x_norm, const Input& primary_weight, const Input& secondary_weight,
                                  const Output& dx, const Output& primary_dw, const Output& secondary_dw,
                                  const NormWeights* x_norm_gradients, const Input* z);
  // Likewise for x = relu(a + b), through the sum, as of conv2d_fused_backward_through().
  virtual void igc_block_backward_through(const ReluSum& sum, const IgcBlockParams& p, const Input& dy,
                                          const NormGradient* dy_norm, const Input& x, const Input& primary_weight,
                                          const Input& secondary_weight, const Output& dx, const Output& primary_dw,
                                          const Output& secondary_dw, const Input* z);

  // Mean and biased variance of each channel; NaN of an empty batch.
  virtual void batch_norm2d_statistics(const Input& x, const BatchStatistics& statistics);
  // norm [4, C] (rows mean, inv_std, gamma, beta) from statistics [2, C] (rows mean, var), with which the running ones
  // are updated, in training; from the running ones (and statistics has null data) in inference.
  virtual void batch_norm2d_prepare(const BatchNorm2dParams& p, const Input& statistics, const Input& gamma,
                                    const Input& beta, const Output& running_mean, const Output& running_var,
                                    const Output& norm);
  // y = norm(x), with its ReLU; y may be x.
  virtual void batch_norm2d_apply(const Input& x, const Norm& norm, const Output& y);
  // dgamma = sum dv * (x - mean) * inv_std; dbeta = sum dv, with dv = dy behind the ReLU of the norm.
  virtual void batch_norm2d_backward_weight(const Input& dy, const Input& x, const Norm& norm,
                                            const NormWeights& gradients);
  // training: dx = gamma * inv_std * (dv - (dbeta + (x - mean) * inv_std * dgamma) / count), count = elements / C;
  // inference: dx = gamma * inv_std * dv. gradient.x is x.
  virtual void batch_norm2d_backward_input(const Input& dy, const NormGradient& gradient, const Output& dx);

  virtual void avg_pool2d_forward(const Pool2dParams& p, const Input& x, const Output& y);
  virtual void avg_pool2d_backward_input(const Pool2dParams& p, const Input& dy, const Output& dx);
  virtual void max_pool2d_forward(const Pool2dParams& p, const Input& x, const Output& y);
  virtual void max_pool2d_backward_input(const Pool2dParams& p, const Input& dy, const Input& x, const Output& dx);
  // x [N, H, W, C] -> y [N, C], the mean over H and W.
  virtual void global_avg_pool2d_forward(const Input& x, const Output& y);
  virtual void global_avg_pool2d_backward_input(const Input& dy, const Output& dx);

  // x [N, C], w [K, C], b [K] (null data: no bias), y [N, K]: y = x w^T + b.
  virtual void linear_forward(const Input& x, const Input& w, const Input& b, const Output& y);
  virtual void linear_backward_input(const Input& dy, const Input& w, const Output& dx);
  virtual void linear_backward_weight(const Input& dy, const Input& x, const Output& dw);
  virtual void linear_backward_bias(const Input& dy, const Output& db);

  // Over the last dimension.
  virtual void softmax_forward(const Input& x, const Output& y);
  virtual void softmax_backward_input(const Input& dy, const Input& y, const Output& dx);
  // probabilities [N, K] = softmax(logits), kept for the backward direction.
  virtual void cross_entropy_forward(const CrossEntropyParams& p, const Input& logits, const Input& labels,
                                     const Output& loss, const Output& probabilities);
  virtual void cross_entropy_backward_input(const CrossEntropyParams& p, const Input& dloss, const Input& probabilities,
                                            const Input& labels, const Output& dlogits);

  // Of parameters that share no memory. scaling null: gradients as they are.
  virtual void sgd_step(const SgdParams& p, const std::vector<SgdParameter>& parameters, const GradientScale* scaling);
  // found [] (f32, updated) becomes 1 where x has an infinity or NaN.
  virtual void note_non_finite(const Input& x, const Output& found);

 protected:
  [[noreturn]] void unsupported(const char* op) const;
};

}  // namespace igcnet
