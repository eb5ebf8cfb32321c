// Included by a file that uses Highway, after it has named itself in HWY_TARGET_INCLUDE: the rest of that file is then
// compiled once for each of our instruction sets, and the best one is chosen at run time: AVX-512, AVX2 or the portable
// baseline on x86, NEON on Arm. Checked with IGCNET_SIMD set to each of them.
#pragma once

// SSE4 machines (before 2013) are refused, or take the baseline with IGCNET_SIMD=baseline; AVX3_DL adds nothing to f32;
// SVE vectors have no fixed size.
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#include "hwy/foreach_target.h"
