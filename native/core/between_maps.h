// Memory between the steps of an op that a backend composes of others.
#pragma once

#include <cstddef>

#include "core/dtype.h"
#include "core/tensor.h"

namespace igcnet {

// Memory for a map between the operators, as large as asked for; good until the next call with the same place.
class BetweenMaps {
 public:
  static constexpr size_t kCount = 5;
  virtual ~BetweenMaps() = default;
  virtual Output map(size_t place, const Shape& shape, DType dtype) = 0;  // place < kCount
};

}  // namespace igcnet
