// Every op of the device `cuda` as kernels of our own (<op>.cu), on maps of f32, bf16 and f16. On a GPU CudaBackend
// (cuda_backend.h) puts cuDNN and cuBLAS before some of them; on the host, in tests, this class is the whole device.
// One instance belongs to one stream, and its methods are called on the stream's thread. Checked in test/cuda, which
// runs test/kernels on it.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "core/backend.h"
#include "core/igc_block_composed.h"
#include "cuda/simt.h"
#include "cuda/tuning.h"

namespace igcnet::simt {

// What the host code of the kernels needs of the machine.
class Platform {
 public:
  virtual ~Platform() = default;
  virtual Stream stream() const = 0;
  // Device memory behind everything enqueued so far. Throws OutOfMemoryError with the sizes.
  virtual void* allocate(size_t bytes) = 0;
  // When everything enqueued so far has run.
  virtual void release(void* memory) noexcept = 0;
  virtual void copy(const void* from, void* to, size_t bytes) = 0;
  virtual void clear(void* memory, size_t bytes) = 0;
  // Copies to host memory and waits for it.
  virtual void read(const void* from, void* to, size_t bytes) = 0;
  virtual size_t max_shared_bytes() const = 0;  // that a block may ask for
  virtual int multiprocessors() const = 0;
  virtual std::string description() const = 0;
  // Whether what is enqueued now becomes part of a graph instead of running.
  virtual bool capturing() const { return false; }
  // That the enqueued work takes.
  virtual double milliseconds(const std::function<void()>& work) = 0;
};

// Memory for intermediate results that grows to the largest size asked for.
class Scratch {
 public:
  explicit Scratch(Platform& platform) : platform_(platform) {}
  ~Scratch() { release(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  float* floats(size_t count) {
    const size_t bytes = count * sizeof(float);
    if (bytes > size_) {
      release();
      memory_ = platform_.allocate(bytes);
      size_ = bytes;
    }
    return static_cast<float*>(memory_);
  }
  Output tensor(const Shape& shape, DType dtype) {
    const size_t bytes = static_cast<size_t>(shape.elements()) * size_of(dtype);
    return {floats((bytes + sizeof(float) - 1) / sizeof(float)), dtype, shape};
  }
  void release() noexcept {
    platform_.release(memory_);
    memory_ = nullptr;
    size_ = 0;
  }

 private:
  Platform& platform_;
  void* memory_ = nullptr;
  size_t size_ = 0;
};

class Between : public BetweenMaps {
 public:
  explicit Between(Platform& platform)
      : maps_{Scratch(platform), Scratch(platform), Scratch(platform), Scratch(platform), Scratch(platform)} {}
  Output map(size_t place, const Shape& shape, DType dtype) override { return maps_[place].tensor(shape, dtype); }
  void release() noexcept {
    for (Scratch& map : maps_) map.release();
  }

 private:
  std::array<Scratch, kCount> maps_;
};

// The first label that was out of range, found by a kernel; count 0: none.
struct LabelFault {
  int64_t index = 0, label = 0, classes = 0, count = 0;
};
[[noreturn]] void throw_label_fault(const LabelFault& fault);

struct IgcPlan;

class SimtBackend : public Backend {
 public:
  // IGCNET_CUDA_IGC: fused (where it fits), cudnn (the four operators that define a block), auto (the faster of the two
  // by measurement, kept in `tuning_file`; empty: as fused). Throws RangeError.
  SimtBackend(std::unique_ptr<Platform> platform, std::string tuning_file);
  ~SimtBackend() override { platform_->release(fault_); }

  std::string_view name() const override { return "cuda"; }
  BackendInfo info() const override;
  bool supports(DType dtype) const override { return dtype == DType::kF32 || is_half(dtype); }

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

  // Where kernels report a label out of range; in device memory. Whoever waits for results reads it.
  LabelFault* label_fault();

 protected:
  Platform& platform() { return *platform_; }
  Stream stream() const { return platform_->stream(); }
  // Whether the faster way is taken, by measurement; else the one that was asked for.
  bool measures() const { return igc_path_ == IgcPath::kAuto; }
  Tuning& tuning() { return tuning_; }
  // y [N, K] += b [K], where the product came from elsewhere.
  void add_bias(const Input& b, const Output& y);
  // On the host a fault is found at once; on a GPU when a result is read.
  virtual void labels_were_used() = 0;

 private:
  enum class IgcPath { kFused, kComposed, kAuto };
  static IgcPath path_asked_for();

  // Whether the fused kernels take a block; the plan then.
  bool plans_fused(const IgcBlockParams& p, const Conv2dSizes& z, IgcPlan& plan) const;
  // One of the two ways, by igc_path_.
  void run_igc_block(const Tuning::Key& key, const Tuning::Way& fused, const Tuning::Way& composed);

  void check_labels(const Input& labels, int64_t classes);

  std::unique_ptr<Platform> platform_;
  IgcPath igc_path_;
  Tuning tuning_;
  LabelFault* fault_ = nullptr;
  Scratch partial_{*platform_};  // rows of partial sums
  Scratch packed_{*platform_};   // weights of a fused block
  Scratch dz_{*platform_};       // between the two kernels of its backward direction
  Between between_{*platform_};  // an igc_block as the four operators that define it
};

}  // namespace igcnet::simt
