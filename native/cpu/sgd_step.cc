// sgd_step: the formula of core/sgd.h in one pass, in the order of operations of `reference` (no fused multiply-add),
// which it equals bit for bit.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/sgd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/sgd_step.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

void SgdStepKernel(const SgdParams& p, float inverse, const float* g, float* w, float* v, int64_t begin, int64_t end) {
  for_each_vector(begin, end, [&](auto d, int64_t i) HWY_ATTR {
    const auto lr = hn::Set(d, static_cast<float>(p.lr)), momentum = hn::Set(d, static_cast<float>(p.momentum));
    const auto weight_decay = hn::Set(d, static_cast<float>(p.weight_decay));
    const auto weight = hn::LoadU(d, w + i);
    const auto scaled = hn::Mul(hn::LoadU(d, g + i), hn::Set(d, inverse));
    const auto gradient = hn::Add(scaled, hn::Mul(weight_decay, weight));
    const auto velocity = hn::Add(hn::Mul(momentum, hn::LoadU(d, v + i)), gradient);
    const auto step = p.nesterov ? hn::Add(gradient, hn::Mul(momentum, velocity)) : velocity;
    hn::StoreU(velocity, d, v + i);
    hn::StoreU(hn::Sub(weight, hn::Mul(lr, step)), d, w + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {

HWY_EXPORT(SgdStepKernel);

// The team goes through the elements of all parameters, as if they followed each other.
void CpuBackend::sgd_step(const SgdParams& p, const std::vector<SgdParameter>& parameters,
                          const GradientScale* scaling) {
  if (scaling != nullptr && *scaling->found.as<float>() != 0) return;
  const float inverse = scaling == nullptr ? 1.0F : 1 / *scaling->scale.as<float>();
  int64_t all = 0;
  for (const SgdParameter& parameter : parameters) all += parameter.w.elements();
  parallel_ranges(all, kElementGrain, [&](int64_t begin, int64_t end) {
    int64_t first = 0;  // of the parameter
    for (const auto& [g, w, v] : parameters) {
      const int64_t n = w.elements(), from = std::max<int64_t>(begin - first, 0), to = std::min(end - first, n);
      if (from < to) {
        HWY_DYNAMIC_DISPATCH(SgdStepKernel)(p, inverse, g.as<float>(), w.as<float>(), v.as<float>(), from, to);
      }
      first += n;
    }
  });
}

void CpuBackend::note_non_finite(const Input& x, const Output& found) {
  const float* values = x.as<float>();
  if (!std::all_of(values, values + x.elements(), [](float value) { return std::isfinite(value); })) {
    *found.as<float>() = 1;
  }
}

}  // namespace igcnet
#endif  // HWY_ONCE
