// The shape rule of avg_pool2d and max_pool2d. Checked in test/unit with its error texts.
#include "core/pool2d.h"

#include <string>

#include "core/error.h"
#include "core/window.h"

namespace igcnet {

Pool2dSizes pool2d_sizes(const char* op, const Pool2dParams& params, const Shape& x) {
  check_image(op, "x", x);
  check_parameter(op, "kernel", params.kernel, 1);
  check_parameter(op, "stride", params.stride, 1);
  check_parameter(op, "padding", params.padding, 0);
  // So every window has at least one cell inside of the image.
  if (params.padding > params.kernel / 2) {
    throw Error(ErrorCode::kShape, std::string(op) + ": expected padding of at most half the kernel (" +
                                       std::to_string(params.kernel) + " / 2) but received " +
                                       std::to_string(params.padding));
  }
  check_kernel_fits(op, x[1], x[2], params.kernel, params.kernel, params.padding);
  const int64_t P = window_count(x[1], params.kernel, params.stride, params.padding);
  const int64_t Q = window_count(x[2], params.kernel, params.stride, params.padding);
  check_output(op, {x[0], P, Q, x[3]});
  return {x[0], x[1], x[2], x[3], P, Q, params.kernel, params.stride, params.padding};
}

}  // namespace igcnet
