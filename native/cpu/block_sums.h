// Sums of blocks of work, added up while their threads have them in the cache: neighbouring blocks by the thread that
// is done with the last of them, then what these make. Each sum is made in order, for any number of threads in the same
// one. Checked through the weights' gradients of conv2d and igc_block.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "cpu/chunk_sums.h"
#include "cpu/parallel.h"

namespace igcnet {

class BlockSums {
 public:
  // sums [blocks][floats], which add() has in the end in the first of them.
  BlockSums(float* sums, int64_t blocks, int64_t floats)
      : sums_(sums), blocks_(blocks), floats_(floats), done_(static_cast<size_t>((blocks + kNear - 1) / kNear)) {}

  float* of(int64_t block) const { return sums_ + block * floats_; }

  // Of the thread that wrote the block.
  void finish(int64_t block) {
    const int64_t first = block / kNear * kNear, count = std::min(kNear, blocks_ - first);
    if (done_[static_cast<size_t>(first / kNear)].fetch_add(1, std::memory_order_acq_rel) + 1 < count) return;
    add_rows(of(first), count, floats_, 0, floats_);
  }

  // Behind the loop over all blocks.
  void add() const {
    constexpr int64_t kGrain = 1 << 14;  // sums that are worth a second thread
    const int64_t count = (blocks_ + kNear - 1) / kNear;
    parallel_ranges(floats_, kGrain / count + 1,
                    [&](int64_t begin, int64_t end) { add_rows(sums_, count, kNear * floats_, begin, end); });
  }

 private:
  static constexpr int64_t kNear = 8;
  float* sums_;
  int64_t blocks_, floats_;
  std::vector<std::atomic<int64_t>> done_;
};

}  // namespace igcnet
