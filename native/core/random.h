// random_uniform and random_normal: the counter-based generator Philox4x32-10 (Salmon et al., SC 2011).
// Element i of a tensor comes from block (offset + i/2) of the stream `seed`: words 0 and 1 of the block
// make a 53-bit uniform u0 in [0, 1), words 2 and 3 make u1. Uniform: element i takes u0 (i even) or u1 (i odd).
// Normal (Box-Muller): r = sqrt(-2 ln(1 - u0)); r cos(2 pi u1) (i even), r sin(2 pi u1) (i odd).
// All in double, rounded once to the tensor's type: every device gives the same numbers.
#pragma once

#include <array>
#include <cstdint>

namespace igcnet {

struct RandomParams {
  uint64_t seed = 0;
  uint64_t offset = 0;  // the first block
  double a = 0;         // uniform: low;  normal: mean
  double b = 1;         // uniform: high; normal: standard deviation
};

// One block of Philox4x32-10: 128 random bits from a 128-bit counter {block, 0} and a 64-bit key.
std::array<uint32_t, 4> philox4x32(uint64_t key, uint64_t block);

// The two numbers of one block, before rounding to the tensor's type. A uniform is in [a, b).
std::array<double, 2> random_uniform_pair(const RandomParams& params, uint64_t block);
std::array<double, 2> random_normal_pair(const RandomParams& params, uint64_t block);

}  // namespace igcnet
