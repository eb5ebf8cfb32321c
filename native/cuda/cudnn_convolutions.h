// Grouped and dense convolutions through cuDNN (cudnnSetConvolutionGroupCount), NHWC, in f32, or in bf16 or f16 with
// sums in f32. What cuDNN chose for a shape
// and direction, also that it refused, is kept by a plain key. Only algorithms that repeat their bits are taken.
// Checked on a GPU by test/kernels/conv2d.test.ts; compiled everywhere.
#pragma once

#include <array>
#include <map>
#include <memory>

#include "core/conv2d.h"
#include "cuda/cuda_libraries.h"
#include "cuda/simt_backend.h"

namespace igcnet {

enum class ConvDirection : int64_t { kForward, kBackwardInput, kBackwardWeight };

// What makes two convolutions alike.
using ConvolutionKey = std::array<int64_t, 14>;
ConvolutionKey convolution_key(ConvDirection direction, const Conv2dSizes& sizes, DType dtype);

class CudnnConvolutions {
 public:
  CudnnConvolutions(const CudnnFunctions& cudnn, simt::Platform& platform, bool tf32);
  ~CudnnConvolutions();
  CudnnConvolutions(const CudnnConvolutions&) = delete;
  CudnnConvolutions& operator=(const CudnnConvolutions&) = delete;

  // Whether cuDNN takes the shape, as far as is known before it was run.
  bool takes(ConvDirection direction, const Conv2dSizes& sizes, DType dtype);
  // Writes the one of x, w, y, all of one dtype, that the direction makes from the other two; false: cuDNN refuses the
  // shape.
  bool run(ConvDirection direction, const Conv2dSizes& sizes, DType dtype, void* x, void* w, void* y);

 private:
  struct Plan;
  Plan& plan_for(ConvDirection direction, const Conv2dSizes& sizes, DType dtype);
  bool describe(const Conv2dSizes& sizes, DType dtype, Plan& plan) const;
  // The algorithm, with its math and workspace: cuDNN gives them together.
  bool choose(ConvDirection direction, Plan& plan) const;
  bool set_math(const Plan& plan) const;
  bool succeeded(const char* expression, cudnnStatus_t status) const;

  const CudnnFunctions& cudnn_;
  simt::Platform& platform_;
  bool tf32_;
  std::unique_ptr<cudnnContext, decltype(&::cudnnDestroy)> handle_;
  std::map<ConvolutionKey, std::unique_ptr<Plan>> plans_;
  simt::Scratch workspace_;
};

}  // namespace igcnet
