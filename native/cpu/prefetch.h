// Asking for memory before it is needed, so that it comes into the L2 cache beside the work. Only speed hangs on it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace igcnet {

// Some floats that will be wanted soon, asked for share by share: more requests than the cache can hold open would stop
// the work.
class Prefetch {
 public:
  // The floats [first, first + count) of a tensor of `size` floats, as far as they are inside, in `shares` shares;
  // nothing for a null tensor.
  Prefetch(const float* tensor, int64_t size, int64_t first, int64_t count, int64_t shares, bool write = false)
      : tensor_(tensor),
        next_(std::clamp<int64_t>(first, 0, size)),
        end_(tensor == nullptr ? next_ : std::clamp<int64_t>(first + count, 0, size)),
        step_((count / shares + kLine) / kLine * kLine),
        write_(write) {}

  void share() {
    const int64_t stop = std::min(next_ + step_, end_);
    for (; next_ < stop; next_ += kLine) {
      if (write_) {
        __builtin_prefetch(tensor_ + next_, 1, 2);
      } else {
        __builtin_prefetch(tensor_ + next_, 0, 2);
      }
    }
  }

 private:
  static constexpr int64_t kLine = 16;  // floats of a cache line
  const float* tensor_;
  int64_t next_, end_, step_;
  bool write_;
};

}  // namespace igcnet
