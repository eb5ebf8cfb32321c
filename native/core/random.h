// random_uniform and random_normal: the counter-based generator Philox4x32-10 (Salmon et al., SC 2011).
// Element i of a tensor comes from block (offset + i/2) of the stream `seed`: words 0 and 1 of the block
// make a 53-bit uniform u0 in [0, 1), words 2 and 3 make u1. Uniform: element i takes u0 (i even) or u1 (i odd).
// Normal (Box-Muller): r = sqrt(-2 ln(1 - u0)); r cos(2 pi u1) (i even), r sin(2 pi u1) (i odd).
// All in double, rounded once to the tensor's type, uniforms to below high: every device gives the same numbers.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

// A function that kernels of a GPU share with the host. (nvcc compiles constexpr functions, as those of std::array, for
// both.)
#if defined(__CUDACC__)
#define IGCNET_HOST_DEVICE __host__ __device__
#else
#define IGCNET_HOST_DEVICE
#endif

namespace igcnet {

struct RandomParams {
  uint64_t seed = 0;
  uint64_t offset = 0;  // the first block
  double a = 0;         // uniform: low;  normal: mean
  double b = 1;         // uniform: high; normal: standard deviation
};

// One block of Philox4x32-10: 128 random bits from a 128-bit counter {block, 0} and a 64-bit key. Checked against the
// published test vectors in test/kernels/random.test.ts.
IGCNET_HOST_DEVICE inline std::array<uint32_t, 4> philox4x32(uint64_t key, uint64_t block) {
  // Multipliers and key increments of the paper (table 2 and section 2.2).
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kIncrement0 = 0x9E3779B9, kIncrement1 = 0xBB67AE85;
  constexpr int kRounds = 10;
  std::array<uint32_t, 4> c = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0};
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t product0 = kMultiplier0 * c[0], product1 = kMultiplier1 * c[2];
    c = {static_cast<uint32_t>(product1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(product1),
         static_cast<uint32_t>(product0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(product0)};
    k0 += kIncrement0;
    k1 += kIncrement1;
  }
  return c;
}

// Two uniforms in [0, 1) with 53 bits each.
IGCNET_HOST_DEVICE inline std::array<double, 2> unit_pair(uint64_t seed, uint64_t block) {
  const auto words = philox4x32(seed, block);
  const auto unit = [](uint32_t high, uint32_t low) {
    const uint64_t bits = (uint64_t{high} << 32 | low) >> 11;
    return static_cast<double>(bits) * 0x1.0p-53;
  };
  return {unit(words[0], words[1]), unit(words[2], words[3])};
}

// T: float or double. Where rounding makes a uniform b it is the number below, so that it stays in [a, b).
template <class T>
IGCNET_HOST_DEVICE std::array<T, 2> random_uniform_pair(const RandomParams& params, uint64_t block) {
  const T low = static_cast<T>(params.a), high = static_cast<T>(params.b);
  const auto place = [&](double unit) {
    const T rounded = static_cast<T>(params.a + (params.b - params.a) * unit);
    return rounded >= high && low < high ? std::nextafter(high, low) : rounded;
  };
  const auto [u0, u1] = unit_pair(params.seed, block);
  return {place(u0), place(u1)};
}

template <class T>
IGCNET_HOST_DEVICE std::array<T, 2> random_normal_pair(const RandomParams& params, uint64_t block) {
  constexpr double kTwoPi = 6.283185307179586476925;
  const auto [u0, u1] = unit_pair(params.seed, block);
  const double radius = params.b * std::sqrt(-2.0 * std::log(1.0 - u0));
  return {static_cast<T>(params.a + radius * std::cos(kTwoPi * u1)),
          static_cast<T>(params.a + radius * std::sin(kTwoPi * u1))};
}

}  // namespace igcnet
