// The shape rule of conv2d. Checked in test/unit with its error texts.
#include "core/conv2d.h"

#include <string>

#include "core/error.h"
#include "core/window.h"

namespace igcnet {

Conv2dSizes conv2d_sizes(const char* op, const Conv2dParams& params, const Shape& x, const Shape& w) {
  const auto fail = [op](const std::string& text) { throw Error(ErrorCode::kShape, std::string(op) + ": " + text); };
  check_image(op, "x", x);
  check_parameter(op, "stride", params.stride, 1);
  check_parameter(op, "padding", params.padding, 0);
  check_parameter(op, "groups", params.groups, 1);
  if (w.rank() != 4 || w[0] < 1 || w[1] < 1 || w[2] < 1 || w[3] < 1) {
    fail("expected w [K, R, S, C / groups] with sizes of 1 or more but received w " + w.to_string());
  }
  const int64_t H = x[1], W = x[2], C = x[3], K = w[0], R = w[1], S = w[2], G = params.groups;
  const std::string groups = std::to_string(G) + " (groups)";
  if (C % G != 0) {
    fail("expected channels divisible by " + groups + " but received " + std::to_string(C) + " in x " + x.to_string());
  }
  if (K % G != 0) {
    fail("expected out-channels divisible by " + groups + " but received " + std::to_string(K) + " in w " +
         w.to_string());
  }
  if (w[3] != C / G) {
    fail("expected w [K, R, S, " + std::to_string(C / G) + "] (C / groups = " + std::to_string(C) + " / " +
         std::to_string(G) + ") but received w " + w.to_string());
  }
  check_kernel_fits(op, H, W, R, S, params.padding);
  const int64_t P = window_count(H, R, params.stride, params.padding);
  const int64_t Q = window_count(W, S, params.stride, params.padding);
  check_output(op, {x[0], P, Q, K});
  return {x[0], H, W, C, K, R, S, G, P, Q, params.stride, params.padding};
}

}  // namespace igcnet
