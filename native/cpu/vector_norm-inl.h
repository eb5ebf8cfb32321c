// The arithmetic of a norm (core/batch_norm2d.h), once for all kernels: the backward direction makes the normalised
// value again to see what the ReLU let through, and must find the very number that the forward direction found.
// Included once per instruction set, like cpu/vector_loop-inl.h. Checked through every op that takes a norm.
#if defined(IGCNET_CPU_VECTOR_NORM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef IGCNET_CPU_VECTOR_NORM_INL_H_
#undef IGCNET_CPU_VECTOR_NORM_INL_H_
#else
#define IGCNET_CPU_VECTOR_NORM_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// (x - mean) * scale + beta, with the scale of norm_scales() in cpu/norm.h.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V normalised(D, V x, V mean, V scale, V beta) {
  return hn::MulAdd(hn::Sub(x, mean), scale, beta);
}

// value <= 0 ? 0 : value, which keeps a NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V rectified(D d, V value) {
  return hn::IfThenZeroElse(hn::Le(value, hn::Zero(d)), value);
}

// value > 0 ? dy : 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V behind_relu(D d, V dy, V value) {
  return hn::IfThenElseZero(hn::Gt(value, hn::Zero(d)), dy);
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
