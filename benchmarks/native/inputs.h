// Host tensors for benchmarks of the native core without Node. Checked by running them: npm run bench:native.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace igcnet::bench {

// A tensor with values in [-0.5, 0.5), on cache lines of its own.
class HostTensor {
 public:
  explicit HostTensor(const Shape& shape, uint32_t seed = 1)
      : shape_(shape), values_(static_cast<size_t>(shape.elements()) + kAlignment) {
    const auto address = reinterpret_cast<uintptr_t>(values_.data()) / sizeof(float);
    data_ = values_.data() + (kAlignment - address % kAlignment) % kAlignment;
    uint32_t state = seed * 2654435761u + 1;
    for (int64_t i = 0; i < shape.elements(); ++i) {
      state = state * 1664525u + 1013904223u;
      data_[i] = static_cast<float>(state >> 8) / static_cast<float>(1 << 24) - 0.5f;
    }
  }
  HostTensor(const HostTensor&) = delete;
  HostTensor& operator=(const HostTensor&) = delete;

  // Multiples of 1/8: behind the norm of fill_norm none is so near to 0 that rounding decides on which side of a ReLU.
  HostTensor& coarsen() {
    for (int64_t i = 0; i < shape_.elements(); ++i) data_[i] = std::round(data_[i] * 8) / 8;
    return *this;
  }
  // For a norm [4, C]: mean 0, 1 by the deviation 1, gamma 1, beta 1/16.
  HostTensor& fill_norm() {
    constexpr float kRows[] = {0, 1, 1, 1.0f / 16};
    for (int64_t i = 0; i < shape_.elements(); ++i) data_[i] = kRows[i / shape_[1]];
    return *this;
  }

  operator Input() const { return {data_, DType::kF32, shape_}; }
  operator Output() { return {data_, DType::kF32, shape_}; }
  double bytes() const { return 4.0 * static_cast<double>(shape_.elements()); }

 private:
  static constexpr size_t kAlignment = 16;  // floats: 64 bytes
  Shape shape_;
  std::vector<float> values_;
  float* data_;
};

}  // namespace igcnet::bench
