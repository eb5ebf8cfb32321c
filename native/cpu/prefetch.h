// Asking for memory before it is needed, so that it comes into the L2 cache beside the work. Only speed hangs on it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace igcnet {

// Some floats that will be wanted soon, asked for share by share: more requests than the cache can hold open would stop
// the work. What lies outside of [begin, end) is left out.
class Prefetch {
 public:
  // The floats [first, first + count) of a tensor of `size` floats, in `shares` shares.
  Prefetch(const float* tensor, int64_t size, int64_t first, int64_t count, int64_t shares, bool write = false)
      : next_(tensor + std::clamp<int64_t>(first, 0, size)),
        end_(tensor + std::clamp<int64_t>(first + count, 0, size)),
        step_(tensor == nullptr ? 0 : (count / shares + kLine) / kLine * kLine),
        write_(write) {
    if (tensor == nullptr) end_ = next_;
  }

  void share() {
    const float* stop = std::min(next_ + step_, end_);
    for (; next_ < stop; next_ += kLine) {
      if (write_) {
        __builtin_prefetch(next_, 1, 2);
      } else {
        __builtin_prefetch(next_, 0, 2);
      }
    }
  }

 private:
  static constexpr int64_t kLine = 16;  // floats of a cache line
  const float *next_, *end_;
  int64_t step_;
  bool write_;
};

}  // namespace igcnet
