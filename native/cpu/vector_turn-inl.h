// What the loops of Rotate3x3 and RotateGradient3x3 (row_kernels.h) share: turning a vector, repeating an input, and
// the mask of outputs. Included once per instruction set, like cpu/vector_block-inl.h. Checked through conv2d and
// igc_block.
#if defined(IGCNET_CPU_VECTOR_TURN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef IGCNET_CPU_VECTOR_TURN_INL_H_
#undef IGCNET_CPU_VECTOR_TURN_INL_H_
#else
#define IGCNET_CPU_VECTOR_TURN_INL_H_
#endif

#include "cpu/vector_block-inl.h"
#include "cpu/vector_norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

// Whether a turn consists of shuffles within 128 bits and changes of neighbouring 128 bits, which cost an operation
// each.
template <int kM>
constexpr bool kShuffles = kM == 2 || kM == 4 || kM == 8;

// Lane i of a turned vector is lane rotation[j][i] of the vector: i xor j if kShuffles.
template <int kM>
HWY_INLINE V turned(V v, int j, const int32_t* rotation) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kShuffles<kM>) {
    if (j & 1) v = j & 2 ? hn::Shuffle0123(v) : hn::Shuffle2301(v);
    if ((j & 3) == 2) v = hn::Shuffle1032(v);
    if constexpr (kM == 8) {
      if (j & 4) v = hn::SwapAdjacentBlocks(v);
    }
    return v;
  }
#endif
  return hn::TableLookupLanes(v, hn::SetTableIndices(D(), rotation + j * kLanes));
}

// A value that is computed here, once: left alone, GCC orders the loop in a way that copies registers.
HWY_INLINE V computed(V v) {
#if HWY_COMPILER_GCC_ACTUAL && HWY_TARGET == HWY_AVX3
  asm("" : "+v"(v.raw));
#endif
  return v;
}

// *p, repeated over a vector. It is loaded anew here, and once: GCC would keep some for later use and spill sums, and
// load others for every multiply-add.
HWY_INLINE V repeat(const float* p) {
#if HWY_COMPILER_GCC_ACTUAL && HWY_TARGET == HWY_AVX2
  V v;
  asm volatile("vbroadcastss %1, %0" : "=x"(v.raw) : "m"(*p));
  return v;
#else
  V v = hn::Set(D(), *p);
#if HWY_COMPILER_GCC_ACTUAL && HWY_TARGET == HWY_AVX3
  asm("" : "+v"(v.raw));
#endif
  return v;
#endif
}

// The mask of kOutputs outputs y, of the channels from `channel` on, which lie `at` floats behind those of the task.
template <int kOutputs>
HWY_INLINE void mask_and_sum(const MaskedSums& mask, int64_t channel, int64_t at, int64_t step, V* y) {
  const V mean = hn::LoadU(D(), mask.norm.mean + channel), scale = hn::LoadU(D(), mask.norm.scale + channel),
          beta = hn::LoadU(D(), mask.norm.beta + channel);
  const float* x = mask.x + at;
  constexpr int kSums = kManyRegisters ? 2 : 1;  // of each, that need not wait for each other
  V sum[2] = {hn::LoadU(D(), mask.sum + channel), hn::Zero(D())};
  V product[2] = {hn::LoadU(D(), mask.product + channel), hn::Zero(D())};
#pragma GCC unroll 16
  for (int i = 0; i < kOutputs; ++i) {
    const V value = hn::LoadU(D(), x + i * step);
    y[i] = behind_relu(D(), y[i], normalised(D(), value, mean, scale, beta));
    sum[i % kSums] = hn::Add(sum[i % kSums], y[i]);
    product[i % kSums] = hn::MulAdd(y[i], hn::Sub(value, mean), product[i % kSums]);
  }
  if constexpr (kSums == 2) {
    sum[0] = hn::Add(sum[0], sum[1]);
    product[0] = hn::Add(product[0], product[1]);
  }
  hn::StoreU(sum[0], D(), mask.sum + channel);
  hn::StoreU(product[0], D(), mask.product + channel);
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
