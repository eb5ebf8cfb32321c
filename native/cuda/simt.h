// What a kernel file (<op>.cu) includes. One source is compiled twice: by nvcc for a GPU, and by the host's compiler
// with IGCNET_HOST_SIMT, where host/host_simt.h stands in for the language of the GPU and runs blocks and threads on
// the CPU, so that tests prove the index arithmetic everywhere. Only what both have may be used in kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(IGCNET_HOST_SIMT)
#include "cuda/host/host_simt.h"
#else
#include <cuda_runtime.h>

#include "cuda/check.h"
#endif

namespace igcnet::simt {

#if !defined(IGCNET_HOST_SIMT)
using Stream = cudaStream_t;

// Lets launches of a kernel ask for all the shared memory that a block can have on the calling thread's GPU. The limit
// belongs to the process: set to what one launch needs, it would be too low for a larger launch of another thread, or
// in a graph.
void allow_all_shared_memory(const void* kernel);
#endif

// How a kernel is launched. Shared memory is always dynamic: dynamic_shared<T>().
struct Launch {
  int64_t blocks = 0;  // 0: nothing is launched
  int threads = 1;
  size_t shared_bytes = 0;
  bool cooperative = false;  // whether threads of a block wait for each other; on a GPU all can
};

inline constexpr int kThreads = 256;  // of a block, unless a kernel says otherwise

// A thread for each of n elements; threads do not know of each other.
inline Launch independent(int64_t n) { return {(n + kThreads - 1) / kThreads, kThreads, 0, false}; }
inline Launch cooperative(int64_t blocks, int threads, size_t shared_bytes) {
  return {blocks, threads, shared_bytes, true};
}

#if defined(__CUDACC__)
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
}

template <class... P, class... A>
void launch(const Launch& size, Stream stream, void (*kernel)(P...), A... arguments) {
  constexpr size_t kWithoutAsking = size_t{48} << 10;
  if (size.blocks == 0) return;
  if (size.shared_bytes > kWithoutAsking) allow_all_shared_memory(reinterpret_cast<const void*>(kernel));
  kernel<<<static_cast<unsigned>(size.blocks), static_cast<unsigned>(size.threads), size.shared_bytes, stream>>>(
      static_cast<P>(arguments)...);
  IGCNET_CUDA_CHECK(cudaGetLastError());
}
#endif

}  // namespace igcnet::simt
