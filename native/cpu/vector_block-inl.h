// What the loops of row_kernels.cc and rotate_kernels.cc are made of. Included once per instruction set by them,
// between their own foreach_target and HWY_BEFORE_NAMESPACE. Checked through conv2d and igc_block at channel counts
// around the lanes.
#if defined(IGCNET_CPU_VECTOR_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef IGCNET_CPU_VECTOR_BLOCK_INL_H_
#undef IGCNET_CPU_VECTOR_BLOCK_INL_H_
#else
#define IGCNET_CPU_VECTOR_BLOCK_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr int kLanes = static_cast<int>(HWY_LANES(float));
constexpr bool kManyRegisters = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON;  // 32 of them, else 16

// A vector that is loaded into a register and used from there: left alone, GCC loads it again for every use.
HWY_INLINE V load_once(const float* p) {
  V v = hn::LoadU(D(), p);
#if HWY_COMPILER_GCC_ACTUAL && HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  asm("" : "+v"(v.raw));
#endif
  return v;
}

// A vector that is loaded anew here even if it was loaded before: where registers are few, GCC keeps values for later
// use and spills sums.
HWY_INLINE V load_again(const float* p) {
#if HWY_COMPILER_GCC_ACTUAL && HWY_TARGET == HWY_AVX2
  V v;
  asm volatile("vmovups %1, %0" : "=x"(v.raw) : "m"(*reinterpret_cast<const __m256_u*>(p)));
  return v;
#else
  return hn::LoadU(D(), p);
#endif
}

// The pointer as it is, but new to the compiler: GCC would make all places that a loop reads or writes before it, more
// than there are registers. Loads wait for stores whose place comes from memory.
template <class T>
HWY_INLINE T* anew(T* p) {
#if HWY_COMPILER_GCC_ACTUAL
  asm volatile("" : "+r"(p));
#endif
  return p;
}

// The first `active` lanes, without touching what lies behind them (another thread may write there).
HWY_INLINE void store_first(V v, int64_t active, float* y) {
  if (active == kLanes) {
    hn::StoreU(v, D(), y);
    return;
  }
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(D(), static_cast<size_t>(active)), D(), y);
#else
  HWY_ALIGN float lanes[kLanes];
  hn::Store(v, D(), lanes);
  std::copy_n(lanes, active, y);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
