// add: y = a + b, element by element. Checked against `reference` bit for bit.
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/add.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

void AddKernel(const float* a, const float* b, float* y, int64_t begin, int64_t end) {
  for_each_vector(begin, end, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {

HWY_EXPORT(AddKernel);

void CpuBackend::add_forward(const Input& a, const Input& b, const Output& y) {
  parallel_ranges(y.elements(), kElementGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(AddKernel)(a.as<float>(), b.as<float>(), y.as<float>(), begin, end);
  });
}

}  // namespace igcnet
#endif  // HWY_ONCE
