// The factory of the device `cpu`, its threads and its instruction set. Checked with IGCNET_SIMD and set_threads over
// the kernel tests.
#include "cpu/cpu_backend.h"

#include <omp.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.h"
#include "cpu/cpu.h"
#include "hwy/highway.h"
#include "hwy/targets.h"

namespace igcnet {
namespace {

// The instruction sets of x86 that IGCNET_SIMD forbids, as a mask of Highway's targets.
int64_t forbidden_targets() {
  const char* value = std::getenv("IGCNET_SIMD");
  const std::string_view wanted = value == nullptr ? "" : value;
  if (wanted.empty() || wanted == "avx512") return 0;
  if (wanted == "avx2") return HWY_AVX3;
  if (wanted == "baseline") return HWY_AVX3 | HWY_AVX2;
  throw Error(ErrorCode::kRange, "IGCNET_SIMD: expected avx512, avx2 or baseline but received " + std::string(wanted));
}

bool has_value(const char* variable, std::string_view wanted) {
  const char* value = std::getenv(variable);
  return value != nullptr && value == wanted;
}

}  // namespace

std::string why_not_this_processor() {
#if HWY_ARCH_X86
  if (has_value("IGCNET_SIMD", "baseline")) return {};
  const bool has_avx2 = (hwy::SupportedTargets() & HWY_AVX2) != 0;
  if (!has_avx2 || has_value("IGCNET_PROCESSOR", "baseline")) {
    return "the processor has no AVX2 with FMA, which Intel's have since Haswell (2013) and AMD's since Excavator "
           "(2015)";
  }
#endif
  return {};
}

void CpuBackend::set_threads(int threads) {
  omp_set_num_threads(threads);
  dense_.reset();
}

std::unique_ptr<Backend> make_cpu_backend() {
  const int64_t forbidden = forbidden_targets();
  if (forbidden != 0) hwy::DisableTargets(forbidden);
  return std::make_unique<CpuBackend>();
}

}  // namespace igcnet
