// dropout: y[i] = u[i] < rate ? 0 : x[i] * scale, scale = 1 / (1 - rate) rounded to the tensor's type, where u[i] is
// element i of random_uniform on [0, 1) with this seed and offset (core/random.h). What was kept follows from seed and
// offset alone, so the backward direction, dx[i] = u[i] < rate ? 0 : dy[i] * scale, is the same function of dy and
// nothing is saved. Every device gives the same numbers.
#pragma once

#include <array>
#include <cstdint>

#include "core/random.h"

namespace igcnet {

struct DropoutParams {
  double rate = 0;  // the share that becomes 0, in [0, 1)
  uint64_t seed = 0;
  uint64_t offset = 0;  // the first block
};

// Whether the two elements of one block are kept; element i is number i % 2 of block offset + i / 2.
IGCNET_HOST_DEVICE inline std::array<bool, 2> dropout_keeps(const DropoutParams& params, uint64_t block) {
  const auto [u0, u1] = random_uniform_pair<double>({params.seed, 0, 0.0, 1.0}, block);
  return {u0 >= params.rate, u1 >= params.rate};
}

// Throws RangeError unless the rate is in [0, 1).
void dropout_check(const char* op, const DropoutParams& params);

}  // namespace igcnet
