// What launches need to know of a kernel on a GPU (simt.h): how much shared memory it may ask for, and whether it may
// begin early. Compiled everywhere; checked on a GPU by every kernel that takes more than a launch has without asking.
#include <cuda_runtime_api.h>

#include <map>
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

// Asks the code, not the GPU: sm_90 also runs, translated, what was compiled for sm_80 and does not wait.
bool begins_early(const void* kernel) {
  constexpr int kLeast = 90;
  static thread_local std::map<std::pair<int, const void*>, bool> known;
  int gpu = 0;
  IGCNET_CUDA_CHECK(cudaGetDevice(&gpu));
  const auto [place, is_new] = known.try_emplace({gpu, kernel}, false);
  if (is_new) {
    cudaFuncAttributes loaded{};
    IGCNET_CUDA_CHECK(cudaFuncGetAttributes(&loaded, kernel));
    place->second = loaded.ptxVersion >= kLeast;
  }
  return place->second;
}

}  // namespace igcnet::simt
