// The contract of a device: one method per op and direction (forward, backward_input, backward_weight).
// Arguments are checked before a method is called (core/<op>.h); a method may rely on shapes and dtypes that
// fit, and every output is written whole unless its comment says "updated". What a device lacks throws
// UnsupportedError. The formulas and layouts are in core/<op>.h; the device `reference` is the specification.
// Floating tensors of one call share one dtype, T: f32 or f64 (f64 only on `reference`).
#pragma once

#include <string_view>

#include "core/batch_norm2d.h"
#include "core/conv2d.h"
#include "core/cross_entropy.h"
#include "core/igc_block.h"
#include "core/pool2d.h"
#include "core/random.h"
#include "core/reorder.h"
#include "core/sgd.h"
#include "core/tensor.h"

namespace igcnet {

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
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

  virtual void add_forward(const Input& a, const Input& b, const Output& y);
  virtual void relu_forward(const Input& x, const Output& y);
  // dx = y > 0 ? dy : 0
  virtual void relu_backward_input(const Input& dy, const Input& y, const Output& dx);

  virtual void conv2d_forward(const Conv2dParams& p, const Input& x, const Input& w, const Output& y);
  virtual void conv2d_backward_input(const Conv2dParams& p, const Input& dy, const Input& w, const Output& dx);
  virtual void conv2d_backward_weight(const Conv2dParams& p, const Input& dy, const Input& x, const Output& dw);

  virtual void reorder_forward(const ReorderParams& p, const Input& x, const Output& y);
  virtual void reorder_backward_input(const ReorderParams& p, const Input& dy, const Output& dx);

  // z is the output of the primary convolution, kept for the backward directions; dz its gradient.
  virtual void igc_block_forward(const IgcBlockParams& p, const Input& x, const Input& primary_weight,
                                 const Input& secondary_weight, const Output& z, const Output& y);
  // dx may have a null data pointer: then only dz is computed.
  virtual void igc_block_backward_input(const IgcBlockParams& p, const Input& dy, const Input& primary_weight,
                                        const Input& secondary_weight, const Output& dz, const Output& dx);
  virtual void igc_block_backward_weight(const IgcBlockParams& p, const Input& dy, const Input& dz, const Input& x,
                                         const Input& z, const Output& primary_dw, const Output& secondary_dw);

  // gamma, beta, running_mean, running_var, mean, inv_std: [C]. In training running_* are updated. mean and inv_std
  // receive the statistics that were used, in both modes.
  virtual void batch_norm2d_forward(const BatchNorm2dParams& p, const Input& x, const Input& gamma, const Input& beta,
                                    const Output& running_mean, const Output& running_var, const Output& y,
                                    const Output& mean, const Output& inv_std);
  // dgamma = sum dy * (x - mean) * inv_std; dbeta = sum dy.
  virtual void batch_norm2d_backward_weight(const Input& dy, const Input& x, const Input& mean, const Input& inv_std,
                                            const Output& dgamma, const Output& dbeta);
  // training: dx = gamma * inv_std * (dy - (dbeta + (x - mean) * inv_std * dgamma) / count), count = elements / C;
  // inference: dx = gamma * inv_std * dy.
  virtual void batch_norm2d_backward_input(const BatchNorm2dParams& p, const Input& dy, const Input& x,
                                           const Input& gamma, const Input& mean, const Input& inv_std,
                                           const Input& dgamma, const Input& dbeta, const Output& dx);

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

  // w and v are updated.
  virtual void sgd_step(const SgdParams& p, const Input& g, const Output& w, const Output& v);

 protected:
  [[noreturn]] void unsupported(const char* op) const;
};

}  // namespace igcnet
