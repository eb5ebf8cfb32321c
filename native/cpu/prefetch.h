// Asking for memory before it is needed, so that it comes into the L2 cache beside the work. Only speed hangs on it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace igcnet {

// Neighbouring floats of a tensor.
struct Floats {
  int64_t first, count;
};

// Parts of tensors that will be wanted soon, asked for share by share: more requests than the cache can hold open would
// stop the work.
class Prefetch {
 public:
  // `shares`: how often share() will be called, at least.
  explicit Prefetch(int64_t shares) : shares_(std::max<int64_t>(shares, 1)) {}

  // Nothing for a null tensor. At most kMostParts calls.
  void add(const float* tensor, const Floats& floats, bool write = false) {
    if (tensor == nullptr) return;
    parts_[count_++] = {tensor, floats.first, floats.first + floats.count,
                        (floats.count / shares_ + kLine) / kLine * kLine, write};
  }

  void share() {
    for (Part* part = parts_; part < parts_ + count_; ++part) {
      const int64_t stop = std::min(part->next + part->step, part->end);
      for (; part->next < stop; part->next += kLine) {
        if (part->write) {
          __builtin_prefetch(part->tensor + part->next, 1, 3);
        } else {
          __builtin_prefetch(part->tensor + part->next, 0, 3);
        }
      }
    }
  }

 private:
  static constexpr int64_t kLine = 16;  // floats of a cache line
  static constexpr int kMostParts = 4;
  struct Part {
    const float* tensor;
    int64_t next, end, step;
    bool write;
  };
  Part parts_[kMostParts] = {};
  int count_ = 0;
  int64_t shares_;
};

}  // namespace igcnet
