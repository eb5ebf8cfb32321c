// relu: y = x <= 0 ? 0 : x, so a NaN stays NaN; dx = y > 0 ? dy : 0. Checked against `reference` bit for bit.
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/relu.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

void ReluKernel(const float* x, float* y, int64_t begin, int64_t end) {
  for_each_vector(begin, end, [&](auto d, int64_t i) HWY_ATTR {
    const auto value = hn::LoadU(d, x + i);
    hn::StoreU(hn::IfThenZeroElse(hn::Le(value, hn::Zero(d)), value), d, y + i);
  });
}

void ReluBackwardKernel(const float* dy, const float* y, float* dx, int64_t begin, int64_t end) {
  for_each_vector(begin, end, [&](auto d, int64_t i) HWY_ATTR {
    const auto positive = hn::Gt(hn::LoadU(d, y + i), hn::Zero(d));
    hn::StoreU(hn::IfThenElseZero(positive, hn::LoadU(d, dy + i)), d, dx + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {

HWY_EXPORT(ReluKernel);
HWY_EXPORT(ReluBackwardKernel);

void CpuBackend::relu_forward(const Input& x, const Output& y) {
  parallel_map(y.elements(), kElementGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(ReluKernel)(x.as<float>(), y.as<float>(), begin, end);
  });
}

void CpuBackend::relu_backward_input(const Input& dy, const Input& y, const Output& dx) {
  parallel_map(dx.elements(), kElementGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(ReluBackwardKernel)(dy.as<float>(), y.as<float>(), dx.as<float>(), begin, end);
  });
}

}  // namespace igcnet
#endif  // HWY_ONCE
