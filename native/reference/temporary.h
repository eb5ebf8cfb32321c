// Memory between the steps of an op that is composed of others.
#pragma once

#include <vector>

#include "core/dispatch.h"
#include "reference/reference_backend.h"

namespace igcnet {

// A tensor between two steps.
template <class T>
class Temporary {
 public:
  explicit Temporary(const Shape& shape) : values_(static_cast<size_t>(shape.elements())), shape_(shape) {}
  Output tensor() { return {values_.data(), dtype_of<T>, shape_}; }

 private:
  std::vector<T> values_;
  Shape shape_;
};

// x behind its norm, in `memory` when there is one.
template <class T>
Input applied(ReferenceBackend& backend, const Input& x, const Norm* norm, Temporary<T>& memory) {
  if (norm == nullptr) return x;
  backend.batch_norm2d_apply(x, *norm, memory.tensor());
  return memory.tensor();
}

}  // namespace igcnet
