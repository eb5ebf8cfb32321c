// The backend of a GPU: convolutions through cuDNN and products of matrices through cuBLAS before the kernels of
// SimtBackend, which take what those refuse and all the rest. IGCNET_TF32=1 lets both libraries round to TF32.
// Checked on a GPU by test/kernels with IGCNET_TEST_DEVICE=cuda (scripts/gpu-check).
#pragma once

#include <memory>

#include "cuda/cuda_libraries.h"
#include "cuda/cudnn_convolutions.h"
#include "cuda/simt_backend.h"

namespace igcnet {

class CudaBackend final : public simt::SimtBackend {
 public:
  CudaBackend(const CudaLibraries& libraries, std::unique_ptr<simt::Platform> platform, std::string name);

  std::string_view name() const override { return name_; }

  void conv2d_forward(const Conv2dParams& p, const Input& x, const Input& w, const Output& y) override;
  void conv2d_backward_input(const Conv2dParams& p, const Input& dy, const Input& w, const Output& dx) override;
  void conv2d_backward_weight(const Conv2dParams& p, const Input& dy, const Input& x, const Output& dw) override;

  void linear_forward(const Input& x, const Input& w, const Input& b, const Output& y) override;
  void linear_backward_input(const Input& dy, const Input& w, const Output& dx) override;
  void linear_backward_weight(const Input& dy, const Input& x, const Output& dw) override;

 private:
  void labels_were_used() override {}  // the device reads the fault with a result
  // c [n, m] = a * b in the column-major terms of cuBLAS; false: sizes that it does not take.
  bool product(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a, int64_t a_rows,
               const float* b, int64_t b_rows, float* c);

  // A convolution by cuDNN, which says false where it refuses, or by our kernel.
  void run_convolution(ConvDirection direction, const Conv2dSizes& sizes, DType dtype,
                       const std::function<bool()>& cudnn, const std::function<void()>& ours);
  // The weights in the dtype of a map, for cuDNN.
  Input weights_beside(const Input& map, const Input& w);

  std::string name_;
  const CublasFunctions& cublas_;
  std::unique_ptr<cublasContext, decltype(&::cublasDestroy_v2)> blas_;
  simt::Scratch weights_{platform()};
  CudnnConvolutions convolutions_;
};

}  // namespace igcnet
