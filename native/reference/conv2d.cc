// conv2d: the sum of core/conv2d.h. Its three directions are sums over the same products, so they share one loop.
// Checked against PyTorch (test/golden) and finite differences (test/gradcheck).
#include "core/conv2d.h"

#include <algorithm>

#include "core/dispatch.h"
#include "reference/array.h"
#include "reference/reference_backend.h"
#include "reference/temporary.h"

namespace igcnet {
namespace {

// One product of the sum: y[n, p, q, k] takes x[n, h, w, c] * weight[k, r, s, c_in_group].
struct Product {
  int64_t n, p, q, k;
  int64_t h, w, c;
  int64_t r, s, c_in_group;
};

// Calls visit(Product) for every product whose x is inside of the image; x outside is 0.
template <class Visit>
void for_each_product(const Conv2dSizes& z, Visit visit) {
  const int64_t in_group = z.C / z.G, out_group = z.K / z.G;
  for (int64_t n = 0; n < z.N; ++n) {
    for (int64_t p = 0; p < z.P; ++p) {
      for (int64_t q = 0; q < z.Q; ++q) {
        for (int64_t k = 0; k < z.K; ++k) {
          const int64_t g = k / out_group;
          for (int64_t r = 0; r < z.R; ++r) {
            const int64_t h = p * z.stride + r - z.padding;
            if (h < 0 || h >= z.H) continue;
            for (int64_t s = 0; s < z.S; ++s) {
              const int64_t w = q * z.stride + s - z.padding;
              if (w < 0 || w >= z.W) continue;
              for (int64_t c = 0; c < in_group; ++c) visit(Product{n, p, q, k, h, w, g * in_group + c, r, s, c});
            }
          }
        }
      }
    }
  }
}

}  // namespace

void ReferenceBackend::conv2d_forward(const Conv2dParams& p, const Input& x, const Input& w, const Output& y) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, x.shape, w.shape);
  dispatch_floating(x.dtype, [&]<class T>() {
    const auto input = array4<T>(x), weight = array4<T>(w);
    const auto output = array4<T>(y);
    std::fill_n(output.data, y.elements(), T{0});
    for_each_product(z, [&](const Product& i) {
      output(i.n, i.p, i.q, i.k) += input(i.n, i.h, i.w, i.c) * weight(i.k, i.r, i.s, i.c_in_group);
    });
  });
}

void ReferenceBackend::conv2d_backward_input(const Conv2dParams& p, const Input& dy, const Input& w, const Output& dx) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, dx.shape, w.shape);
  dispatch_floating(dy.dtype, [&]<class T>() {
    const auto output_gradient = array4<T>(dy), weight = array4<T>(w);
    const auto input_gradient = array4<T>(dx);
    std::fill_n(input_gradient.data, dx.elements(), T{0});
    for_each_product(z, [&](const Product& i) {
      input_gradient(i.n, i.h, i.w, i.c) += output_gradient(i.n, i.p, i.q, i.k) * weight(i.k, i.r, i.s, i.c_in_group);
    });
  });
}

void ReferenceBackend::conv2d_backward_weight(const Conv2dParams& p, const Input& dy, const Input& x,
                                              const Output& dw) {
  const Conv2dSizes z = conv2d_sizes("conv2d", p, x.shape, dw.shape);
  dispatch_floating(dy.dtype, [&]<class T>() {
    const auto output_gradient = array4<T>(dy), input = array4<T>(x);
    const auto weight_gradient = array4<T>(dw);
    std::fill_n(weight_gradient.data, dw.elements(), T{0});
    for_each_product(z, [&](const Product& i) {
      weight_gradient(i.k, i.r, i.s, i.c_in_group) += output_gradient(i.n, i.p, i.q, i.k) * input(i.n, i.h, i.w, i.c);
    });
  });
}

void ReferenceBackend::conv2d_fused_forward(const Conv2dParams& p, const Input& x, const Norm* x_norm, const Input& w,
                                            const Output& y, const BatchStatistics* y_statistics) {
  dispatch_floating(x.dtype, [&]<class T>() {
    Temporary<T> applied_x(x.shape);
    conv2d_forward(p, applied(*this, x, x_norm, applied_x), w, y);
    if (y_statistics != nullptr) batch_norm2d_statistics(y, *y_statistics);
  });
}

// The norms are steps of their own, backwards as the adjoint of each step in reverse order.
void ReferenceBackend::conv2d_fused_backward(const Conv2dParams& p, const Input& dy, const NormGradient* dy_norm,
                                             const Input& x, const Norm* x_norm, const Input& w, const Output& dx,
                                             const Output& dw, const NormWeights* x_norm_gradients) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    Temporary<T> memory(dy.shape), applied_x(x.shape);
    if (dy_norm != nullptr) batch_norm2d_backward_input(dy, *dy_norm, memory.tensor());
    const Input true_dy = dy_norm != nullptr ? Input(memory.tensor()) : dy;
    const Input input = applied(*this, x, x_norm, applied_x);
    if (dw.data != nullptr) conv2d_backward_weight(p, true_dy, input, dw);
    if (dx.data == nullptr) return;
    if (x_norm == nullptr || !x_norm->relu) {
      conv2d_backward_input(p, true_dy, w, dx);
    } else {
      Temporary<T> unmasked(x.shape);
      conv2d_backward_input(p, true_dy, w, unmasked.tensor());
      relu_backward_input(unmasked.tensor(), input, dx);
    }
    if (x_norm_gradients != nullptr) batch_norm2d_backward_weight(dx, x, *x_norm, *x_norm_gradients);
  });
}

}  // namespace igcnet
