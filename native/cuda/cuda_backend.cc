#include "cuda/cuda_backend.h"

#include <limits>
#include <string>
#include <utility>

#include "core/error.h"

namespace igcnet {
namespace {

// The libraries' interfaces take pointers without const for what they only read.
void* unconst(const Input& x) { return const_cast<void*>(x.data); }

void check_blas(const CublasFunctions& cublas, const char* expression, cublasStatus_t status) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(status == CUBLAS_STATUS_ALLOC_FAILED ? ErrorCode::kOutOfMemory : ErrorCode::kCuda,
              std::string("cuda: ") + expression + " failed: " + cublas.cublasGetStatusString(status));
}

}  // namespace

CudaBackend::CudaBackend(const CudaLibraries& libraries, std::unique_ptr<simt::Platform> machine, std::string name)
    : SimtBackend(std::move(machine), simt::tuning_file()),
      name_(std::move(name)),
      cublas_(libraries.cublas),
      blas_(nullptr, cublas_.cublasDestroy_v2),
      convolutions_(libraries.cudnn, platform(), simt::tf32_asked_for()) {
  cublasHandle_t made = nullptr;
  check_blas(cublas_, "cublasCreate(&made)", cublas_.cublasCreate_v2(&made));
  blas_.reset(made);
  check_blas(cublas_, "cublasSetStream(made, stream())", cublas_.cublasSetStream_v2(made, stream()));
  const cublasMath_t mode = simt::tf32_asked_for() ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_PEDANTIC_MATH;
  check_blas(cublas_, "cublasSetMathMode(made, mode)", cublas_.cublasSetMathMode(made, mode));
}

Input CudaBackend::weights_beside(const Input& map, const Input& w) {
  if (w.dtype == map.dtype) return w;
  const Output rounded = weights_.tensor(w.shape, map.dtype);
  cast(w, rounded);
  return rounded;
}

// By cuDNN or by our kernel, which is the faster one where a group has few channels; not measured where ours would take
// long. The kernel alone does what cuDNN refuses.
void CudaBackend::run_convolution(ConvDirection direction, const Conv2dSizes& z, DType dtype,
                                  const std::function<bool()>& cudnn, const std::function<void()>& ours) {
  constexpr double kMostMeasured = 4e9;  // multiply-adds
  const double pixels = static_cast<double>(z.N * z.P) * static_cast<double>(z.Q);
  const double each = static_cast<double>(z.R * z.S * z.K) * static_cast<double>(z.C / z.G);
  if (z.N == 0 || !convolutions_.takes(direction, z, dtype)) return ours();
  const auto first = [&] {
    if (!cudnn()) ours();
  };
  if (!measures() || pixels * each > kMostMeasured) return first();
  constexpr int64_t kConvolution = -1;  // apart from the keys of blocks, which begin with a dtype
  simt::Tuning::Key key = {kConvolution};
  const ConvolutionKey sizes = convolution_key(direction, z, dtype);
  key.insert(key.end(), sizes.begin(), sizes.end());
  tuning().run(key, first, ours);
}

void CudaBackend::conv2d_forward(const Conv2dParams& p, const Input& x, const Input& w, const Output& y) {
  const Conv2dSizes sizes = conv2d_sizes("conv2d", p, x.shape, w.shape);
  const auto cudnn = [&] {
    return convolutions_.run(ConvDirection::kForward, sizes, x.dtype, unconst(x), unconst(weights_beside(x, w)),
                             y.data);
  };
  run_convolution(ConvDirection::kForward, sizes, x.dtype, cudnn, [&] { SimtBackend::conv2d_forward(p, x, w, y); });
}

void CudaBackend::conv2d_backward_input(const Conv2dParams& p, const Input& dy, const Input& w, const Output& dx) {
  const Conv2dSizes sizes = conv2d_sizes("conv2d", p, dx.shape, w.shape);
  const auto cudnn = [&] {
    return convolutions_.run(ConvDirection::kBackwardInput, sizes, dy.dtype, dx.data, unconst(weights_beside(dy, w)),
                             unconst(dy));
  };
  run_convolution(ConvDirection::kBackwardInput, sizes, dy.dtype, cudnn,
                  [&] { SimtBackend::conv2d_backward_input(p, dy, w, dx); });
}

void CudaBackend::conv2d_backward_weight(const Conv2dParams& p, const Input& dy, const Input& x, const Output& dw) {
  const Conv2dSizes sizes = conv2d_sizes("conv2d", p, x.shape, dw.shape);
  const auto cudnn = [&] {
    const bool same = dw.dtype == x.dtype;
    const Output made = same ? dw : weights_.tensor(dw.shape, x.dtype);
    if (!convolutions_.run(ConvDirection::kBackwardWeight, sizes, x.dtype, unconst(x), made.data, unconst(dy))) {
      return false;
    }
    if (!same) cast(made, dw);
    return true;
  };
  run_convolution(ConvDirection::kBackwardWeight, sizes, x.dtype, cudnn,
                  [&] { SimtBackend::conv2d_backward_weight(p, dy, x, dw); });
}

bool CudaBackend::product(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a,
                          int64_t a_rows, const float* b, int64_t b_rows, float* c) {
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  if (m == 0 || n == 0 || k == 0 || m > kMost || n > kMost || k > kMost) return false;
  const float one = 1, zero = 0;
  const auto narrow = [](int64_t size) { return static_cast<int>(size); };
  check_blas(cublas_, "cublasSgemm",
             cublas_.cublasSgemm_v2(blas_.get(), transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N,
                                    transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, narrow(m), narrow(n), narrow(k), &one, a,
                                    narrow(a_rows), b, narrow(b_rows), &zero, c, narrow(m)));
  return true;
}

// A row-major matrix [N, K] is the column-major [K, N]: y^T [K, N] = w x^T.
void CudaBackend::linear_forward(const Input& x, const Input& w, const Input& b, const Output& y) {
  const int64_t N = x.shape[0], C = x.shape[1], K = w.shape[0];
  if (!product(true, false, K, N, C, w.as<float>(), C, x.as<float>(), C, y.as<float>())) {
    return SimtBackend::linear_forward(x, w, b, y);
  }
  if (b.data != nullptr) add_bias(b, y);
}

void CudaBackend::linear_backward_input(const Input& dy, const Input& w, const Output& dx) {
  const int64_t N = dx.shape[0], C = dx.shape[1], K = w.shape[0];
  if (product(false, false, C, N, K, w.as<float>(), C, dy.as<float>(), K, dx.as<float>())) return;
  SimtBackend::linear_backward_input(dy, w, dx);
}

void CudaBackend::linear_backward_weight(const Input& dy, const Input& x, const Output& dw) {
  const int64_t N = x.shape[0], C = x.shape[1], K = dw.shape[0];
  if (product(false, true, C, K, N, x.as<float>(), C, dy.as<float>(), K, dw.as<float>())) return;
  SimtBackend::linear_backward_weight(dy, x, dw);
}

}  // namespace igcnet
