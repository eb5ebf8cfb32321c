// Asking for memory before it is needed, so that it comes into the cache beside the work. Only speed hangs on it.
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

  // Nothing for a null tensor. At most kMostParts calls, before the first share().
  void add(const float* tensor, const Floats& floats) {
    const int64_t lines = (floats.count + kLine - 1) / kLine;
    if (tensor == nullptr || lines == 0) return;
    parts_[count_++] = {tensor + floats.first, lines};
    all_ += lines;
    share_ = (all_ + shares_ - 1) / shares_;
  }

  // A few lines; it may ask for some behind a part, too, which harms nobody.
  void share() {
    if (part_ == count_) return;
    Part& part = parts_[part_];
    const float* next = part.next;
    for (int64_t i = share_; i > 0; --i, next += kLine) __builtin_prefetch(next);
    part.next = next;
    part.lines -= share_;
    if (part.lines <= 0) ++part_;
  }

 private:
  static constexpr int64_t kLine = 16;  // floats of a cache line
  static constexpr int kMostParts = 8;
  struct Part {
    const float* next;
    int64_t lines;
  };
  Part parts_[kMostParts];
  int count_ = 0, part_ = 0;
  int64_t shares_, all_ = 0, share_ = 0;
};

}  // namespace igcnet
