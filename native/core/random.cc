// Checked against the published test vectors of Philox4x32-10 in test/kernels/random.test.ts.
#include "core/random.h"

#include <cmath>

namespace igcnet {

std::array<uint32_t, 4> philox4x32(uint64_t key, uint64_t block) {
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

namespace {

// Two uniforms in [0, 1) with 53 bits each.
std::array<double, 2> unit_pair(uint64_t seed, uint64_t block) {
  const auto words = philox4x32(seed, block);
  const auto unit = [](uint32_t high, uint32_t low) {
    const uint64_t bits = (uint64_t{high} << 32 | low) >> 11;
    return static_cast<double>(bits) * 0x1.0p-53;
  };
  return {unit(words[0], words[1]), unit(words[2], words[3])};
}

}  // namespace

std::array<double, 2> random_uniform_pair(const RandomParams& params, uint64_t block) {
  const auto [u0, u1] = unit_pair(params.seed, block);
  return {params.a + (params.b - params.a) * u0, params.a + (params.b - params.a) * u1};
}

std::array<double, 2> random_normal_pair(const RandomParams& params, uint64_t block) {
  constexpr double kTwoPi = 6.283185307179586476925;
  const auto [u0, u1] = unit_pair(params.seed, block);
  const double radius = params.b * std::sqrt(-2.0 * std::log(1.0 - u0));
  return {params.a + radius * std::cos(kTwoPi * u1), params.a + radius * std::sin(kTwoPi * u1)};
}

}  // namespace igcnet
