// One thread's share of a scratch space, given out piece by piece, each piece on its own cache lines. The same code
// first runs with a null memory to count. Checked through conv2d and igc_block, under AddressSanitizer.
#pragma once

#include <cstdint>

namespace igcnet {

class ThreadBuffer {
 public:
  explicit ThreadBuffer(float* memory) : memory_(memory) {}

  float* floats(int64_t count) {
    float* piece = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (count + kLine - 1) / kLine * kLine;
    return piece;
  }
  template <class T>
  T* array(int64_t count) {
    static_assert(alignof(T) <= kLine * sizeof(float));
    return reinterpret_cast<T*>(
        floats(count * static_cast<int64_t>(sizeof(T)) / static_cast<int64_t>(sizeof(float)) + 1));
  }
  int64_t used() const { return used_; }

 private:
  static constexpr int64_t kLine = 16;  // floats
  float* memory_;
  int64_t used_ = 0;
};

}  // namespace igcnet
