// avg_pool2d: y[n, p, q, c] = 1/kernel^2 * the sum of x[n, p*stride + r - padding, q*stride + s - padding, c] over
// r, s < kernel; x outside of the image is 0. Checked against PyTorch (test/golden).
#include <algorithm>

#include "core/dispatch.h"
#include "core/pool2d.h"
#include "reference/array.h"
#include "reference/reference_backend.h"

namespace igcnet {
namespace {

// Calls visit(n, p, q, h, w, c) for every x[n, h, w, c] inside of the image that y[n, p, q, c] sums.
template <class Visit>
void for_each_cell(const Pool2dSizes& z, Visit visit) {
  for (int64_t n = 0; n < z.N; ++n) {
    for (int64_t p = 0; p < z.P; ++p) {
      for (int64_t q = 0; q < z.Q; ++q) {
        const int64_t top = p * z.stride - z.padding, left = q * z.stride - z.padding;
        for (int64_t h = std::max<int64_t>(top, 0); h < std::min(top + z.kernel, z.H); ++h) {
          for (int64_t w = std::max<int64_t>(left, 0); w < std::min(left + z.kernel, z.W); ++w) {
            for (int64_t c = 0; c < z.C; ++c) visit(n, p, q, h, w, c);
          }
        }
      }
    }
  }
}

}  // namespace

void ReferenceBackend::avg_pool2d_forward(const Pool2dParams& p, const Input& x, const Output& y) {
  const Pool2dSizes z = pool2d_sizes("avgPool2d", p, x.shape);
  dispatch_floating(x.dtype, [&]<class T>() {
    const auto input = array4<T>(x);
    const auto output = array4<T>(y);
    const T area = static_cast<T>(z.kernel * z.kernel);
    std::fill_n(output.data, y.elements(), T{0});
    for_each_cell(z, [&](int64_t n, int64_t py, int64_t qy, int64_t h, int64_t w, int64_t c) {
      output(n, py, qy, c) += input(n, h, w, c);
    });
    for (int64_t i = 0; i < y.elements(); ++i) output.data[i] /= area;
  });
}

void ReferenceBackend::avg_pool2d_backward_input(const Pool2dParams& p, const Input& dy, const Output& dx) {
  const Pool2dSizes z = pool2d_sizes("avgPool2d", p, dx.shape);
  dispatch_floating(dy.dtype, [&]<class T>() {
    const auto output_gradient = array4<T>(dy);
    const auto input_gradient = array4<T>(dx);
    const T area = static_cast<T>(z.kernel * z.kernel);
    std::fill_n(input_gradient.data, dx.elements(), T{0});
    for_each_cell(z, [&](int64_t n, int64_t py, int64_t qy, int64_t h, int64_t w, int64_t c) {
      input_gradient(n, h, w, c) += output_gradient(n, py, qy, c) / area;
    });
  });
}

}  // namespace igcnet
