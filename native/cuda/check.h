// Errors of the CUDA runtime as igcnet::Error, with the failed expression. Checked in test/cuda.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "core/error.h"

namespace igcnet {

[[noreturn]] inline void fail_cuda(const char* expression, cudaError_t status) {
  cudaGetLastError();  // an error that is not sticky is forgotten, so that the next call does not report it again
  throw Error(status == cudaErrorMemoryAllocation ? ErrorCode::kOutOfMemory : ErrorCode::kCuda,
              std::string("cuda: ") + expression + " failed: " + cudaGetErrorName(status) + " (" +
                  cudaGetErrorString(status) + ")");
}

}  // namespace igcnet

#define IGCNET_CUDA_CHECK(expression)                                                  \
  do {                                                                                 \
    const cudaError_t igcnet_status = (expression);                                    \
    if (igcnet_status != cudaSuccess) ::igcnet::fail_cuda(#expression, igcnet_status); \
  } while (false)
