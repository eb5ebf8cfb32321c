// Cuts a range into blocks of about equal size, so that loops over blocks have no slow remainder. Checked through
// conv2d.
#pragma once

#include <cstdint>

namespace igcnet {

// The fewest blocks of at most `most` that [0, count) can be cut into: `longer` blocks of size + 1, then the others, of
// `size`.
struct EqualBlocks {
  int64_t blocks, size, longer;

  EqualBlocks(int64_t count, int64_t most)
      : blocks((count + most - 1) / most),
        size(blocks == 0 ? 0 : static_cast<uint32_t>(count) / static_cast<uint32_t>(blocks)),
        longer(count - blocks * size) {}

  // body(size, first, blocks) for the blocks of each size that there are, which begin at `first`.
  template <class Body>
  void for_each_size(const Body& body) const {
    if (longer > 0) body(size + 1, int64_t{0}, longer);
    if (blocks > longer) body(size, longer * (size + 1), blocks - longer);
  }
};

// body(begin, size) for each of them.
template <int64_t kMost, class Body>
inline void for_equal_blocks(int64_t count, const Body& body) {
  const EqualBlocks cut(count, kMost);
  int64_t begin = 0;
  for (int64_t b = 0; b < cut.blocks; ++b) {
    const int64_t size = cut.size + (b < cut.longer ? 1 : 0);
    body(begin, size);
    begin += size;
  }
}

}  // namespace igcnet
