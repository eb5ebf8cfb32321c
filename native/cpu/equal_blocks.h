// Cuts a range into blocks of about equal size, so that loops over blocks have no slow remainder. Checked through
// conv2d.
#pragma once

#include <cstdint>

namespace igcnet {

// body(begin, size) for the fewest blocks of at most kMost that [0, count) can be cut into; sizes differ by at most 1.
template <int64_t kMost, class Body>
inline void for_equal_blocks(int64_t count, const Body& body) {
  const auto blocks = static_cast<uint32_t>((count + kMost - 1) / kMost);
  if (blocks == 0) return;
  const uint32_t size = static_cast<uint32_t>(count) / blocks, longer = static_cast<uint32_t>(count) % blocks;
  int64_t begin = 0;
  for (uint32_t b = 0; b < blocks; ++b) {
    const int64_t this_size = size + (b < longer ? 1 : 0);
    body(begin, this_size);
    begin += this_size;
  }
}

}  // namespace igcnet
