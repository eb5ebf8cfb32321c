// Storing a part of a vector. Included once per instruction set by the files that use Highway, between their own
// foreach_target and HWY_BEFORE_NAMESPACE. Checked through conv2d and igc_block at channel counts around the lanes.
#if defined(IGCNET_CPU_STORE_FIRST_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef IGCNET_CPU_STORE_FIRST_INL_H_
#undef IGCNET_CPU_STORE_FIRST_INL_H_
#else
#define IGCNET_CPU_STORE_FIRST_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// The first `active` lanes, without touching what lies behind them (another thread may write there).
HWY_INLINE void store_first(hn::Vec<hn::ScalableTag<float>> v, int64_t active, float* y) {
  const hn::ScalableTag<float> d;
  constexpr int64_t kAll = HWY_LANES(float);
  if (active == kAll) {
    hn::StoreU(v, d, y);
    return;
  }
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(active)), d, y);
#else
  HWY_ALIGN float lanes[kAll];
  hn::Store(v, d, lanes);
  std::copy_n(lanes, active, y);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
