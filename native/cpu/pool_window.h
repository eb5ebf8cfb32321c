// The cells of a pooling window that lie inside of the image. Checked through avg_pool2d and max_pool2d.
#pragma once

#include <algorithm>
#include <cstdint>

namespace igcnet {

struct WindowRange {
  int64_t begin, end;
};

// Of output `position` along an axis of `size` cells; not empty (core/pool2d.h: padding <= kernel / 2).
inline WindowRange window_range(int64_t position, int64_t stride, int64_t padding, int64_t kernel, int64_t size) {
  const int64_t start = position * stride - padding;
  return {std::max<int64_t>(start, 0), std::min(start + kernel, size)};
}

}  // namespace igcnet
