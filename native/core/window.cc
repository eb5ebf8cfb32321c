// The checks behind conv2d_sizes, igc_block_sizes and pool2d_sizes, with their error texts.
#include "core/window.h"

#include <limits>
#include <string>

#include "core/error.h"

namespace igcnet {

std::string sizes_text(std::initializer_list<int64_t> sizes) {
  std::string text;
  for (const int64_t size : sizes) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

void check_image(const char* op, const char* name, const Shape& x) {
  if (x.rank() == 4 && x[1] >= 1 && x[2] >= 1 && x[3] >= 1) return;
  throw Error(ErrorCode::kShape, std::string(op) + ": expected " + name +
                                     " [N, H, W, C] with H, W and C of 1 or more but received " + name + " " +
                                     x.to_string());
}

void check_parameter(const char* op, const char* name, int64_t value, int64_t minimum) {
  constexpr int64_t kMaximum = std::numeric_limits<int32_t>::max();
  if (value >= minimum && value <= kMaximum) return;
  throw Error(ErrorCode::kShape, std::string(op) + ": expected " + name + " from " + std::to_string(minimum) + " to " +
                                     std::to_string(kMaximum) + " but received " + std::to_string(value));
}

void check_kernel_fits(const char* op, int64_t H, int64_t W, int64_t R, int64_t S, int64_t padding) {
  const int64_t height = H + 2 * padding, width = W + 2 * padding;
  if (R <= height && S <= width) return;
  throw Error(ErrorCode::kShape, std::string(op) + ": expected a kernel that fits in the padded image " +
                                     sizes_text({height, width}) + " but received kernel " + sizes_text({R, S}));
}

void check_output(const char* op, std::initializer_list<int64_t> sizes) {
  int64_t product = 1;  // of the sizes over 0, as in Shape
  for (const int64_t size : sizes) {
    if (size == 0) continue;
    if (product > kMaxElements / size) {
      throw Error(ErrorCode::kShape,
                  std::string(op) + ": expected an output of at most 2^53 elements but received " + sizes_text(sizes));
    }
    product *= size;
  }
}

}  // namespace igcnet
