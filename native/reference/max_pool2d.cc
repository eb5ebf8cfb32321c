// max_pool2d: y[n, p, q, c] = the largest x[n, p*stride + r - padding, q*stride + s - padding, c] over r, s < kernel
// inside of the image. The first of equals in row-major order is the winner and takes the whole gradient; the first
// NaN of a window wins over every number, so a NaN is never hidden. Checked against PyTorch (test/golden).
#include <algorithm>
#include <cmath>

#include "core/dispatch.h"
#include "core/pool2d.h"
#include "reference/array.h"
#include "reference/reference_backend.h"

namespace igcnet {
namespace {

struct Place {
  int64_t h, w;
};

// Where the window of y[n, p, q, c] has its winner. Every window has a cell inside of the image (core/pool2d.cc).
template <class T>
Place winner(const Pool2dSizes& z, const Array4<const T>& x, int64_t n, int64_t p, int64_t q, int64_t c) {
  const int64_t top = p * z.stride - z.padding, left = q * z.stride - z.padding;
  const Place first = {std::max<int64_t>(top, 0), std::max<int64_t>(left, 0)};
  Place best = first;
  for (int64_t h = first.h; h < std::min(top + z.kernel, z.H); ++h) {
    for (int64_t w = first.w; w < std::min(left + z.kernel, z.W); ++w) {
      const T value = x(n, h, w, c), record = x(n, best.h, best.w, c);
      if (value > record || (std::isnan(value) && !std::isnan(record))) best = {h, w};
    }
  }
  return best;
}

// Calls visit(n, p, q, c) for every output.
template <class Visit>
void for_each_output(const Pool2dSizes& z, Visit visit) {
  for (int64_t n = 0; n < z.N; ++n) {
    for (int64_t p = 0; p < z.P; ++p) {
      for (int64_t q = 0; q < z.Q; ++q) {
        for (int64_t c = 0; c < z.C; ++c) visit(n, p, q, c);
      }
    }
  }
}

}  // namespace

void ReferenceBackend::max_pool2d_forward(const Pool2dParams& p, const Input& x, const Output& y) {
  const Pool2dSizes z = pool2d_sizes("maxPool2d", p, x.shape);
  dispatch_floating(x.dtype, [&]<class T>() {
    const auto input = array4<T>(x);
    const auto output = array4<T>(y);
    for_each_output(z, [&](int64_t n, int64_t py, int64_t qy, int64_t c) {
      const Place best = winner(z, input, n, py, qy, c);
      output(n, py, qy, c) = input(n, best.h, best.w, c);
    });
  });
}

void ReferenceBackend::max_pool2d_backward_input(const Pool2dParams& p, const Input& dy, const Input& x,
                                                 const Output& dx) {
  const Pool2dSizes z = pool2d_sizes("maxPool2d", p, x.shape);
  dispatch_floating(dy.dtype, [&]<class T>() {
    const auto output_gradient = array4<T>(dy), input = array4<T>(x);
    const auto input_gradient = array4<T>(dx);
    std::fill_n(input_gradient.data, dx.elements(), T{0});
    for_each_output(z, [&](int64_t n, int64_t py, int64_t qy, int64_t c) {
      const Place best = winner(z, input, n, py, qy, c);
      input_gradient(n, best.h, best.w, c) += output_gradient(n, py, qy, c);
    });
  });
}

}  // namespace igcnet
