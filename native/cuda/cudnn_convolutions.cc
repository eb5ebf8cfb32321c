#include "cuda/cudnn_convolutions.h"

#include <limits>
#include <string>

#include "core/error.h"

namespace igcnet {

// RAII by hand, since destroying is a function of the table.
struct CudnnConvolutions::Plan {
  explicit Plan(const CudnnFunctions& table) : cudnn(table) {}
  ~Plan() {
    if (x != nullptr) cudnn.cudnnDestroyTensorDescriptor(x);
    if (y != nullptr) cudnn.cudnnDestroyTensorDescriptor(y);
    if (w != nullptr) cudnn.cudnnDestroyFilterDescriptor(w);
    if (convolution != nullptr) cudnn.cudnnDestroyConvolutionDescriptor(convolution);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  const CudnnFunctions& cudnn;
  bool refused = false;
  cudnnTensorDescriptor_t x = nullptr, y = nullptr;
  cudnnFilterDescriptor_t w = nullptr;
  cudnnConvolutionDescriptor_t convolution = nullptr;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;  // allowed, and then that of the algorithm
  int algorithm = 0;
  size_t workspace = 0;
};

CudnnConvolutions::CudnnConvolutions(const CudnnFunctions& cudnn, simt::Platform& platform, bool tf32)
    : cudnn_(cudnn), platform_(platform), tf32_(tf32), handle_(nullptr, cudnn.cudnnDestroy), workspace_(platform) {
  const auto check = [&](const char* expression, cudnnStatus_t status) {
    if (!succeeded(expression, status)) throw Error(ErrorCode::kCuda, std::string("cuda: ") + expression + " refused");
  };
  cudnnHandle_t made = nullptr;
  check("cudnnCreate(&made)", cudnn_.cudnnCreate(&made));
  handle_.reset(made);
  check("cudnnSetStream(made, stream)", cudnn_.cudnnSetStream(made, platform_.stream()));
}

CudnnConvolutions::~CudnnConvolutions() = default;

// False for what cuDNN does not do; throws CudaError for what went wrong.
bool CudnnConvolutions::succeeded(const char* expression, cudnnStatus_t status) const {
  if (status == CUDNN_STATUS_SUCCESS) return true;
  // Status codes of one kind share their thousands: 2xxx is a bad parameter, 3xxx not supported.
  constexpr int kKind = 1000;
  const int kind = static_cast<int>(status) / kKind;
  if (kind == CUDNN_STATUS_NOT_SUPPORTED / kKind || kind == CUDNN_STATUS_BAD_PARAM / kKind) return false;
  const bool no_memory = status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
                         status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
  throw Error(no_memory ? ErrorCode::kOutOfMemory : ErrorCode::kCuda,
              std::string("cuda: ") + expression + " failed: " + cudnn_.cudnnGetErrorString(status));
}

#define IGCNET_TRY(call)                              \
  do {                                                \
    if (!succeeded(#call, cudnn_.call)) return false; \
  } while (false)

bool CudnnConvolutions::describe(const Conv2dSizes& z, DType dtype, Plan& plan) const {
  for (const int64_t size : {z.N, z.H, z.W, z.C, z.K, z.R, z.S, z.G, z.P, z.Q, z.stride, z.padding}) {
    if (size > std::numeric_limits<int>::max()) return false;
  }
  const auto narrow = [](int64_t size) { return static_cast<int>(size); };
  const int N = narrow(z.N), C = narrow(z.C), K = narrow(z.K), pad = narrow(z.padding), stride = narrow(z.stride);
  const cudnnDataType_t type = dtype == DType::kBF16  ? CUDNN_DATA_BFLOAT16
                               : dtype == DType::kF16 ? CUDNN_DATA_HALF
                                                      : CUDNN_DATA_FLOAT;
  IGCNET_TRY(cudnnCreateTensorDescriptor(&plan.x));
  IGCNET_TRY(cudnnCreateTensorDescriptor(&plan.y));
  IGCNET_TRY(cudnnCreateFilterDescriptor(&plan.w));
  IGCNET_TRY(cudnnCreateConvolutionDescriptor(&plan.convolution));
  IGCNET_TRY(cudnnSetTensor4dDescriptor(plan.x, CUDNN_TENSOR_NHWC, type, N, C, narrow(z.H), narrow(z.W)));
  IGCNET_TRY(cudnnSetTensor4dDescriptor(plan.y, CUDNN_TENSOR_NHWC, type, N, K, narrow(z.P), narrow(z.Q)));
  IGCNET_TRY(
      cudnnSetFilter4dDescriptor(plan.w, type, CUDNN_TENSOR_NHWC, K, narrow(z.C / z.G), narrow(z.R), narrow(z.S)));
  IGCNET_TRY(cudnnSetConvolution2dDescriptor(plan.convolution, pad, pad, stride, stride, 1, 1, CUDNN_CROSS_CORRELATION,
                                             CUDNN_DATA_FLOAT));
  IGCNET_TRY(cudnnSetConvolutionGroupCount(plan.convolution, narrow(z.G)));
  const bool tensor_cores = tf32_ || is_half(dtype);
  plan.math = tensor_cores ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH;
  return set_math(plan);
}

bool CudnnConvolutions::set_math(const Plan& plan) const {
  IGCNET_TRY(cudnnSetConvolutionMathType(plan.convolution, plan.math));
  return true;
}

namespace {

// The first algorithm that works, repeats its bits, rounds as is allowed, and asks for a workspace that there may be.
template <class Performance>
bool take_first(const std::array<Performance, 10>& found, int count, cudnnMathType_t& math, int& algorithm,
                size_t& workspace) {
  constexpr size_t kMostWorkspace = size_t{1} << 30;
  for (int i = 0; i < count; ++i) {
    const Performance& p = found[static_cast<size_t>(i)];
    if (p.status != CUDNN_STATUS_SUCCESS || p.determinism != CUDNN_DETERMINISTIC || p.memory > kMostWorkspace) continue;
    if (math == CUDNN_FMA_MATH && p.mathType != CUDNN_FMA_MATH) continue;
    math = p.mathType;
    algorithm = static_cast<int>(p.algo);
    workspace = p.memory;
    return true;
  }
  return false;
}

}  // namespace

bool CudnnConvolutions::choose(ConvDirection direction, Plan& plan) const {
  constexpr int kMost = 10;
  int count = 0;
  if (direction == ConvDirection::kForward) {
    std::array<cudnnConvolutionFwdAlgoPerf_t, kMost> found{};
    IGCNET_TRY(cudnnGetConvolutionForwardAlgorithm_v7(handle_.get(), plan.x, plan.w, plan.convolution, plan.y, kMost,
                                                      &count, found.data()));
    return take_first(found, count, plan.math, plan.algorithm, plan.workspace);
  }
  if (direction == ConvDirection::kBackwardInput) {
    std::array<cudnnConvolutionBwdDataAlgoPerf_t, kMost> found{};
    IGCNET_TRY(cudnnGetConvolutionBackwardDataAlgorithm_v7(handle_.get(), plan.w, plan.y, plan.convolution, plan.x,
                                                           kMost, &count, found.data()));
    return take_first(found, count, plan.math, plan.algorithm, plan.workspace);
  }
  std::array<cudnnConvolutionBwdFilterAlgoPerf_t, kMost> found{};
  IGCNET_TRY(cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle_.get(), plan.x, plan.y, plan.convolution, plan.w,
                                                           kMost, &count, found.data()));
  return take_first(found, count, plan.math, plan.algorithm, plan.workspace);
}

ConvolutionKey convolution_key(ConvDirection direction, const Conv2dSizes& z, DType dtype) {
  return {static_cast<int64_t>(direction),
          static_cast<int64_t>(dtype),
          z.N,
          z.H,
          z.W,
          z.C,
          z.K,
          z.R,
          z.S,
          z.G,
          z.P,
          z.Q,
          z.stride,
          z.padding};
}

CudnnConvolutions::Plan& CudnnConvolutions::plan_for(ConvDirection direction, const Conv2dSizes& z, DType dtype) {
  std::unique_ptr<Plan>& plan = plans_[convolution_key(direction, z, dtype)];
  if (plan == nullptr) {
    auto made = std::make_unique<Plan>(cudnn_);
    made->refused = !describe(z, dtype, *made) || !choose(direction, *made) || !set_math(*made);
    plan = std::move(made);
  }
  return *plan;
}

bool CudnnConvolutions::takes(ConvDirection direction, const Conv2dSizes& sizes, DType dtype) {
  return !plan_for(direction, sizes, dtype).refused;
}

bool CudnnConvolutions::run(ConvDirection direction, const Conv2dSizes& sizes, DType dtype, void* x, void* w, void* y) {
  Plan& plan = plan_for(direction, sizes, dtype);
  if (plan.refused) return false;
  const float one = 1, zero = 0;
  void* const memory = workspace_.floats((plan.workspace + sizeof(float) - 1) / sizeof(float));
  const auto attempt = [&] {
    if (direction == ConvDirection::kForward) {
      IGCNET_TRY(cudnnConvolutionForward(handle_.get(), &one, plan.x, x, plan.w, w, plan.convolution,
                                         static_cast<cudnnConvolutionFwdAlgo_t>(plan.algorithm), memory, plan.workspace,
                                         &zero, plan.y, y));
    } else if (direction == ConvDirection::kBackwardInput) {
      IGCNET_TRY(cudnnConvolutionBackwardData(handle_.get(), &one, plan.w, w, plan.y, y, plan.convolution,
                                              static_cast<cudnnConvolutionBwdDataAlgo_t>(plan.algorithm), memory,
                                              plan.workspace, &zero, plan.x, x));
    } else {
      IGCNET_TRY(cudnnConvolutionBackwardFilter(handle_.get(), &one, plan.x, x, plan.y, y, plan.convolution,
                                                static_cast<cudnnConvolutionBwdFilterAlgo_t>(plan.algorithm), memory,
                                                plan.workspace, &zero, plan.w, w));
    }
    return true;
  };
  if (attempt()) return true;
  // In a graph a call may be refused that is taken otherwise.
  if (platform_.capturing()) throw Error(ErrorCode::kUnsupported, "cuda: cuDNN refused a convolution in a graph");
  plan.refused = true;
  return false;
}

#undef IGCNET_TRY

}  // namespace igcnet
