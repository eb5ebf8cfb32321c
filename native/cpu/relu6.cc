// relu6: y = x <= 0 ? 0 : x >= 6 ? 6 : x, so a NaN stays NaN; dx = 0 < y < 6 ? dy : 0. Checked against `reference` bit
// for bit.
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/relu6.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

void Relu6Kernel(const float* x, float* y, int64_t begin, int64_t end) {
  for_each_vector(begin, end, [&](auto d, int64_t i) HWY_ATTR {
    const auto value = hn::LoadU(d, x + i);
    const auto top = hn::Set(d, 6.0f);
    const auto below = hn::IfThenElse(hn::Ge(value, top), top, value);
    hn::StoreU(hn::IfThenZeroElse(hn::Le(value, hn::Zero(d)), below), d, y + i);
  });
}

void Relu6BackwardKernel(const float* dy, const float* y, float* dx, int64_t begin, int64_t end) {
  for_each_vector(begin, end, [&](auto d, int64_t i) HWY_ATTR {
    const auto value = hn::LoadU(d, y + i);
    const auto inside = hn::And(hn::Gt(value, hn::Zero(d)), hn::Lt(value, hn::Set(d, 6.0f)));
    hn::StoreU(hn::IfThenElseZero(inside, hn::LoadU(d, dy + i)), d, dx + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {

HWY_EXPORT(Relu6Kernel);
HWY_EXPORT(Relu6BackwardKernel);

void CpuBackend::relu6_forward(const Input& x, const Output& y) {
  parallel_map(y.elements(), kElementGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(Relu6Kernel)(x.as<float>(), y.as<float>(), begin, end);
  });
}

void CpuBackend::relu6_backward_input(const Input& dy, const Input& y, const Output& dx) {
  parallel_map(dx.elements(), kElementGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(Relu6BackwardKernel)(dy.as<float>(), y.as<float>(), dx.as<float>(), begin, end);
  });
}

}  // namespace igcnet
#endif  // HWY_ONCE
