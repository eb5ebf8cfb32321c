// What a kernel file (<op>.cu) includes. One source is compiled twice: by nvcc for a GPU, and by the host's compiler
// with IGCNET_HOST_SIMT, where host/host_simt.h stands in for the language of the GPU and runs blocks and threads on
// the CPU, so that tests prove the index arithmetic everywhere. Only what both have may be used in kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(IGCNET_HOST_SIMT)
#include <algorithm>

#include "cuda/host/host_simt.h"
#else
#include <cuda_runtime.h>
#if defined(__CUDACC__)
#include <cuda_pipeline_primitives.h>
#endif

#include "cuda/check.h"
#endif

namespace igcnet::simt {

#if !defined(IGCNET_HOST_SIMT)
using Stream = cudaStream_t;

// Lets launches of a kernel ask for all the shared memory that a block can have on the calling thread's GPU. The limit
// belongs to the process: set to what one launch needs, it would be too low for a larger launch of another thread, or
// in a graph.
void allow_all_shared_memory(const void* kernel);
// Whether the code that the calling thread's GPU runs for a kernel was compiled for sm_90 or newer, which lets it begin
// before the one before it has ended; all other code has nothing in begin_early() that waits.
bool begins_early(const void* kernel);
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

// A kernel that is launched by launch_early() may begin before the one that was launched just before it has ended. Each
// of its threads calls begin_early(), which waits for that one and then lets the next kernel begin; so what is launched
// early finds that all has ended but the kernel just before it. Before begin_early() it may read what came earlier than
// that one, and write nothing that others see. Code for GPUs before sm_90 follows each other as always.
//
// copy_async() copies 16 bytes from global to shared memory, both at multiples of 16 bytes, behind the back of the
// thread that calls it, or zeros where `there` is false, whatever `from` is then; commit_copies() closes a group of
// them, and after wait_for_copies<n>() that thread sees those of all groups but the last n. write_shared() writes 16
// bytes of shared memory at once, which the compiler does not always make of four floats.
#if defined(IGCNET_HOST_SIMT)
inline void copy_async(float* to, const float* from, bool there = true) {
  if (there) {
    std::copy_n(from, 4, to);
  } else {
    std::fill_n(to, 4, 0.0F);
  }
}
inline void write_shared(float* to, float a, float b, float c, float d) { to[0] = a, to[1] = b, to[2] = c, to[3] = d; }
inline void commit_copies() {}
template <int kLeft>
void wait_for_copies() {}
inline void begin_early() {}
template <class... P, class... A>
void launch_early(const Launch& size, Stream stream, void (*kernel)(P...), A... arguments) {
  launch(size, stream, kernel, arguments...);
}
#elif defined(__CUDACC__)
__device__ inline void begin_early() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}
__device__ inline void copy_async(float* to, const float* from, bool there = true) {
  __pipeline_memcpy_async(to, from, 16, there ? 0 : 16);
}
__device__ inline void write_shared(float* to, float a, float b, float c, float d) {
  asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "f"(a), "f"(b), "f"(c), "f"(d)
               : "memory");
}
__device__ inline void commit_copies() { __pipeline_commit(); }
template <int kLeft>
__device__ void wait_for_copies() {
  __pipeline_wait_prior(kLeft);
}
#endif

#if defined(__CUDACC__)
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
}

template <class Kernel>
void allow_shared_memory(const Launch& size, Kernel* kernel) {
  constexpr size_t kWithoutAsking = size_t{48} << 10;
  if (size.shared_bytes > kWithoutAsking) allow_all_shared_memory(reinterpret_cast<const void*>(kernel));
}

template <class... P, class... A>
void launch(const Launch& size, Stream stream, void (*kernel)(P...), A... arguments) {
  if (size.blocks == 0) return;
  allow_shared_memory(size, kernel);
  kernel<<<static_cast<unsigned>(size.blocks), static_cast<unsigned>(size.threads), size.shared_bytes, stream>>>(
      static_cast<P>(arguments)...);
  IGCNET_CUDA_CHECK(cudaGetLastError());
}

template <class... P, class... A>
void launch_early(const Launch& size, Stream stream, void (*kernel)(P...), A... arguments) {
  if (size.blocks == 0 || !begins_early(reinterpret_cast<const void*>(kernel))) {
    return launch(size, stream, kernel, arguments...);
  }
  allow_shared_memory(size, kernel);
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = static_cast<unsigned>(size.blocks);
  config.blockDim = static_cast<unsigned>(size.threads);
  config.dynamicSmemBytes = size.shared_bytes;
  config.stream = stream;
  config.attrs = &early;
  config.numAttrs = 1;
  IGCNET_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...));
}
#endif

}  // namespace igcnet::simt
