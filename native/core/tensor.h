// What a kernel sees of a tensor: a pointer, the element type and the shape. Nothing is owned: the
// storage outlives the kernel because memory is freed in stream order (core/allocator.h).
#pragma once

#include <cstddef>

#include "core/dtype.h"
#include "core/shape.h"

namespace igcnet {

struct Input {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;

  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
  int64_t elements() const { return shape.elements(); }
  size_t bytes() const { return static_cast<size_t>(elements()) * size_of(dtype); }
};

// An output, or a tensor that is updated in place (then the kernel's comment says so).
struct Output {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  int64_t elements() const { return shape.elements(); }
  size_t bytes() const { return static_cast<size_t>(elements()) * size_of(dtype); }
  operator Input() const { return {data, dtype, shape}; }
};

}  // namespace igcnet
