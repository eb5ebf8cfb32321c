// Instruction set, threads and libraries of the device `cpu`. Checked in test/binding/device.test.ts with IGCNET_SIMD.
#include <omp.h>

#include <oneapi/dnnl/dnnl.hpp>

#include "cpu/cpu_backend.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/backend_info.cc"
#include "cpu/simd.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet::HWY_NAMESPACE {

// The name that IGCNET_SIMD has for the instruction set that this copy of the file is compiled for.
const char* simd_name() {
#if HWY_TARGET == HWY_AVX2
  return "avx2";
#elif HWY_ARCH_X86 && HWY_TARGET < HWY_AVX2  // better targets have smaller numbers
  return "avx512";
#elif HWY_TARGET == HWY_NEON
  return "neon";
#else
  return "baseline";
#endif
}

int f32_lanes() { return static_cast<int>(hwy::HWY_NAMESPACE::Lanes(hwy::HWY_NAMESPACE::ScalableTag<float>())); }

}  // namespace igcnet::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace igcnet {

HWY_EXPORT(simd_name);
HWY_EXPORT(f32_lanes);

BackendInfo CpuBackend::info() const {
  const dnnl_version_t& version = *dnnl_version();
  return {HWY_DYNAMIC_DISPATCH(simd_name)(), HWY_DYNAMIC_DISPATCH(f32_lanes)(), omp_get_max_threads(),
          std::to_string(version.major) + '.' + std::to_string(version.minor) + '.' + std::to_string(version.patch)};
}

}  // namespace igcnet
#endif
