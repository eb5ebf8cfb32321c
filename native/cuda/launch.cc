// What launches need to know of a GPU (simt.h): how much shared memory a kernel may ask for, and whether it may begin
// early. Compiled everywhere; checked on a GPU by every kernel that takes more than a launch has without asking.
#include <cuda_runtime_api.h>

#include <mutex>
#include <set>
#include <utility>

#include "cuda/check.h"
#include "cuda/simt.h"

namespace igcnet::simt {

void allow_all_shared_memory(const void* kernel) {
  // As the limit itself these are shared by all environments: it belongs to the process.
  static std::mutex mutex;
  static std::set<std::pair<int, const void*>> allowed;
  int gpu = 0;
  IGCNET_CUDA_CHECK(cudaGetDevice(&gpu));
  const std::lock_guard lock(mutex);
  if (allowed.count({gpu, kernel}) > 0) return;
  int most = 0;
  IGCNET_CUDA_CHECK(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, gpu));
  // No kernel has static shared memory, which would be taken off.
  IGCNET_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most));
  allowed.emplace(gpu, kernel);
}

bool begins_early() {
  constexpr int kLeastMajor = 9;
  static thread_local int known_gpu = -1, major = 0;
  int gpu = 0;
  IGCNET_CUDA_CHECK(cudaGetDevice(&gpu));
  if (gpu != known_gpu) {
    IGCNET_CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, gpu));
    known_gpu = gpu;
  }
  return major >= kLeastMajor;
}

}  // namespace igcnet::simt
