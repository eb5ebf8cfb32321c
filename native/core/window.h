// The geometry that conv2d and the pools share: a window of `kernel` cells that moves over a padded image
// by `stride`. Checked through conv2d, igc_block and the pools, whose error texts are tested literally.
#pragma once

#include <initializer_list>
#include <string>

#include "core/shape.h"

namespace igcnet {

// "[64, 32, 32, 48]"; unlike Shape it takes any sizes, so an error text can name what Shape would refuse.
std::string sizes_text(std::initializer_list<int64_t> sizes);

// The checks throw ShapeError, with `op` as the first word.

// `name` [N, H, W, C]; only N may be 0 (an empty batch).
void check_image(const char* op, const char* name, const Shape& x);
// A parameter from `minimum` to 2^31 - 1: the limit keeps every sum of sizes in range.
void check_parameter(const char* op, const char* name, int64_t value, int64_t minimum);
// A kernel [R, S] that fits in the image [H, W] with `padding` on all sides.
void check_kernel_fits(const char* op, int64_t H, int64_t W, int64_t R, int64_t S, int64_t padding);
// No more than kMaxElements elements in an output of these sizes.
void check_output(const char* op, std::initializer_list<int64_t> sizes);

// The number of positions of a window that fits: (size + 2 padding - kernel) / stride + 1, rounded down; 1 or more.
inline int64_t window_count(int64_t size, int64_t kernel, int64_t stride, int64_t padding) {
  return (size + 2 * padding - kernel) / stride + 1;
}

}  // namespace igcnet
