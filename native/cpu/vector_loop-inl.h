// A loop over n elements in whole vectors, then one by one with the same body (vectors of one lane). Included once per
// instruction set by the files that use Highway, between their own foreach_target and HWY_BEFORE_NAMESPACE.
// Checked through every elementwise op at sizes around multiples of the vector length.
#if defined(IGCNET_CPU_VECTOR_LOOP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef IGCNET_CPU_VECTOR_LOOP_INL_H_
#undef IGCNET_CPU_VECTOR_LOOP_INL_H_
#else
#define IGCNET_CPU_VECTOR_LOOP_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// body(tag, i): the elements from i on, as many as the tag of T has lanes.
template <class T = float, class Body>
HWY_INLINE void for_each_vector(int64_t begin, int64_t end, const Body& body) {
  constexpr int64_t kLanes = HWY_LANES(T);
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) body(hn::ScalableTag<T>(), i);
  for (; i < end; ++i) body(hn::CappedTag<T, 1>(), i);
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
