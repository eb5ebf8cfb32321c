// softmax over the last dimension, with the maximum of the row subtracted so that nothing overflows:
//   y[k] = exp(x[k] - max) / sum over j of exp(x[j] - max);  dx[k] = y[k] * (dy[k] - sum over j of dy[j] * y[j])
// Checked against PyTorch (test/golden) and finite differences (test/gradcheck).
#include <algorithm>
#include <cmath>

#include "core/dispatch.h"
#include "reference/array.h"
#include "reference/reference_backend.h"

namespace igcnet {

void ReferenceBackend::softmax_forward(const Input& x, const Output& y) {
  dispatch_floating(x.dtype, [&]<class T>() {
    const auto input = array2<T>(x);
    const auto output = array2<T>(y);
    const int64_t K = input.columns;
    for (int64_t row = 0; row < rows_of(x.shape); ++row) {
      T largest = input(row, 0), sum = 0;
      for (int64_t k = 1; k < K; ++k) largest = std::max(largest, input(row, k));
      for (int64_t k = 0; k < K; ++k) {
        output(row, k) = std::exp(input(row, k) - largest);
        sum += output(row, k);
      }
      for (int64_t k = 0; k < K; ++k) output(row, k) /= sum;
    }
  });
}

void ReferenceBackend::softmax_backward_input(const Input& dy, const Input& y, const Output& dx) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    const auto output_gradient = array2<T>(dy), output = array2<T>(y);
    const auto input_gradient = array2<T>(dx);
    const int64_t K = output.columns;
    for (int64_t row = 0; row < rows_of(y.shape); ++row) {
      T product = 0;
      for (int64_t k = 0; k < K; ++k) product += output_gradient(row, k) * output(row, k);
      for (int64_t k = 0; k < K; ++k) {
        input_gradient(row, k) = output(row, k) * (output_gradient(row, k) - product);
      }
    }
  });
}

}  // namespace igcnet
