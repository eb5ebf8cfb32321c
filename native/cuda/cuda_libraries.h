// The libraries of a machine with an NVIDIA GPU, looked for at run time: the driver, cuDNN 9 and cuBLAS 13. Nothing of
// them is linked, so the plug-in loads everywhere and can say what is missing. Their names or paths can be given by
// IGCNET_CUDA_DRIVER, IGCNET_CUDNN and IGCNET_CUBLAS. Checked in test/cuda/plugin.test.ts with libraries that are made
// for it.
#pragma once

#include <cublas_v2.h>
#include <cudnn.h>

#include <string>
#include <vector>

namespace igcnet {

#define IGCNET_CUDNN_FUNCTIONS(X)                  \
  X(cudnnGetVersion)                               \
  X(cudnnGetErrorString)                           \
  X(cudnnCreate)                                   \
  X(cudnnDestroy)                                  \
  X(cudnnSetStream)                                \
  X(cudnnCreateTensorDescriptor)                   \
  X(cudnnDestroyTensorDescriptor)                  \
  X(cudnnSetTensor4dDescriptor)                    \
  X(cudnnCreateFilterDescriptor)                   \
  X(cudnnDestroyFilterDescriptor)                  \
  X(cudnnSetFilter4dDescriptor)                    \
  X(cudnnCreateConvolutionDescriptor)              \
  X(cudnnDestroyConvolutionDescriptor)             \
  X(cudnnSetConvolution2dDescriptor)               \
  X(cudnnSetConvolutionGroupCount)                 \
  X(cudnnSetConvolutionMathType)                   \
  X(cudnnGetConvolutionForwardAlgorithm_v7)        \
  X(cudnnGetConvolutionBackwardDataAlgorithm_v7)   \
  X(cudnnGetConvolutionBackwardFilterAlgorithm_v7) \
  X(cudnnConvolutionForward)                       \
  X(cudnnConvolutionBackwardData)                  \
  X(cudnnConvolutionBackwardFilter)

#define IGCNET_CUBLAS_FUNCTIONS(X) \
  X(cublasGetProperty)             \
  X(cublasGetStatusString)         \
  X(cublasCreate_v2)               \
  X(cublasDestroy_v2)              \
  X(cublasSetStream_v2)            \
  X(cublasSetMathMode)             \
  X(cublasSgemm_v2)

#define IGCNET_DECLARE(name) decltype(&::name) name = nullptr;
struct CudnnFunctions {
  IGCNET_CUDNN_FUNCTIONS(IGCNET_DECLARE)
};
struct CublasFunctions {
  IGCNET_CUBLAS_FUNCTIONS(IGCNET_DECLARE)
};
#undef IGCNET_DECLARE

struct CudaGpu {
  std::string name;
  int capability = 0;  // of computing: 90 is 9.0
};

struct CudaLibraries {
  int driver_version = 0;  // of CUDA: 13000 is 13.0
  std::vector<CudaGpu> gpus;
  CudnnFunctions cudnn;
  CublasFunctions cublas;
  std::string cudnn_version, cublas_version;
};

// Finds all of them, once a process; gives the reason, without a full stop, where something is missing: empty, then.
struct CudaSearch {
  CudaLibraries libraries;
  std::string missing;
};
const CudaSearch& cuda_libraries();

// Why cuda:`ordinal` cannot be had; empty when it can.
std::string why_not_cuda(int ordinal);

}  // namespace igcnet
