// The language of the GPU on the host, for tests: just what the kernels of native/cuda use. Blocks run one after the
// other; the threads of a block are fibers that take turns where they wait for each other (__syncthreads, shuffles), in
// ascending order in one launch and in descending order in the next, so that a barrier that is missing shows. Shared
// memory begins as NaN and ends in a fence. A barrier that some threads never reach is an error, not a hang.
// Checked in test/cuda/host-simt-check.cc.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)

struct alignas(16) float4 {
  float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};
inline constinit thread_local Index3 threadIdx{}, blockIdx{}, blockDim{}, gridDim{};

template <class T>
T __ldg(const T* address) {
  return *address;
}
using std::isfinite;
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }

namespace igcnet::simt {

using Stream = int;
struct Launch;

// Of the block that runs on this thread.
void* shared_bytes();
void wait_for_block();
// Exchanges 8 bytes with the lanes of the warp: gives `value` of the lane `source`.
uint64_t exchange(unsigned mask, uint64_t value, unsigned source);
// Runs body() for every thread of every block; throws InternalError.
void run_blocks(const Launch& size, const std::function<void()>& body);

template <class T>
T* dynamic_shared() {
  return static_cast<T*>(shared_bytes());
}

template <class... P, class... A>
void launch(const Launch& size, Stream, void (*kernel)(P...), A... arguments) {
  run_blocks(size, [&] { kernel(static_cast<P>(arguments)...); });
}

}  // namespace igcnet::simt

inline void __syncthreads() { igcnet::simt::wait_for_block(); }

inline float __shfl_xor_sync(unsigned mask, float value, int lane_mask) {
  const unsigned lane = threadIdx.x % 32;
  const uint64_t got =
      igcnet::simt::exchange(mask, __builtin_bit_cast(uint32_t, value), lane ^ static_cast<unsigned>(lane_mask));
  return __builtin_bit_cast(float, static_cast<uint32_t>(got));
}
