// The device `cpu`: f32 on all cores. Dense work runs in oneDNN, the rest in our own kernels (Highway, OpenMP).
// Every op equals the device `reference`: test/kernels.
#pragma once

#include <memory>
#include <string>

#include "core/backend.h"

namespace igcnet {

// The environment variable IGCNET_SIMD (baseline, avx2 or avx512) holds our own kernels to an instruction set that is
// below the machine's best, for tests. The choice counts for the whole process, and oneDNN does not follow it.
std::unique_ptr<Backend> make_cpu_backend();

// Why this processor is not one that igcnet is for (on x86: it has no AVX2), or nothing. IGCNET_SIMD=baseline asks for
// plain code, which every processor runs; IGCNET_PROCESSOR=baseline, for tests, is a processor without AVX2.
std::string why_not_this_processor();

}  // namespace igcnet
