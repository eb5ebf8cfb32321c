// linear: y[n, k] = sum over c of x[n, c] * w[k, c], plus b[k] if there is a bias. Over an empty batch dw and db are 0.
// Checked against PyTorch (test/golden) and finite differences (test/gradcheck).
#include "core/dispatch.h"
#include "reference/array.h"
#include "reference/reference_backend.h"

namespace igcnet {

void ReferenceBackend::linear_forward(const Input& x, const Input& w, const Input& b, const Output& y) {
  dispatch_floating(x.dtype, [&]<class T>() {
    const int64_t N = x.shape[0], C = x.shape[1], K = w.shape[0];
    const auto input = array2<T>(x), weight = array2<T>(w);
    const auto output = array2<T>(y);
    for (int64_t n = 0; n < N; ++n) {
      for (int64_t k = 0; k < K; ++k) {
        T sum = 0;
        for (int64_t c = 0; c < C; ++c) sum += input(n, c) * weight(k, c);
        output(n, k) = b.data == nullptr ? sum : sum + b.as<T>()[k];
      }
    }
  });
}

void ReferenceBackend::linear_backward_input(const Input& dy, const Input& w, const Output& dx) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    const int64_t N = dx.shape[0], C = dx.shape[1], K = w.shape[0];
    const auto output_gradient = array2<T>(dy), weight = array2<T>(w);
    const auto input_gradient = array2<T>(dx);
    for (int64_t n = 0; n < N; ++n) {
      for (int64_t c = 0; c < C; ++c) {
        T sum = 0;
        for (int64_t k = 0; k < K; ++k) sum += output_gradient(n, k) * weight(k, c);
        input_gradient(n, c) = sum;
      }
    }
  });
}

void ReferenceBackend::linear_backward_weight(const Input& dy, const Input& x, const Output& dw) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    const int64_t N = x.shape[0], C = x.shape[1], K = dw.shape[0];
    const auto output_gradient = array2<T>(dy), input = array2<T>(x);
    const auto weight_gradient = array2<T>(dw);
    for (int64_t k = 0; k < K; ++k) {
      for (int64_t c = 0; c < C; ++c) {
        T sum = 0;
        for (int64_t n = 0; n < N; ++n) sum += output_gradient(n, k) * input(n, c);
        weight_gradient(k, c) = sum;
      }
    }
  });
}

void ReferenceBackend::linear_backward_bias(const Input& dy, const Output& db) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    const int64_t N = dy.shape[0], K = dy.shape[1];
    const auto output_gradient = array2<T>(dy);
    for (int64_t k = 0; k < K; ++k) {
      T sum = 0;
      for (int64_t n = 0; n < N; ++n) sum += output_gradient(n, k);
      db.as<T>()[k] = sum;
    }
  });
}

}  // namespace igcnet
