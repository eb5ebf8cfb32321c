// softmax over the last dimension, a row per step; the largest value of the row is subtracted first. Sums in double.
// Checked against `reference`.
#include <algorithm>
#include <cmath>

#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {
namespace {

constexpr int64_t kExpGrain = 1 << 11;  // elements; an exp costs as much as eight cheap operations

int64_t row_grain(int64_t K) { return kExpGrain / K + 1; }

}  // namespace

void CpuBackend::softmax_forward(const Input& x, const Output& y) {
  if (x.elements() == 0) return;
  const int64_t K = x.shape[x.shape.rank() - 1], rows = x.elements() / K;
  parallel_ranges(rows, row_grain(K), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* input = x.as<float>() + row * K;
      float* output = y.as<float>() + row * K;
      const float largest = *std::max_element(input, input + K);
      double sum = 0;
      for (int64_t k = 0; k < K; ++k) {
        output[k] = std::exp(input[k] - largest);
        sum += output[k];
      }
      for (int64_t k = 0; k < K; ++k) output[k] = static_cast<float>(output[k] / sum);
    }
  });
}

void CpuBackend::softmax_backward_input(const Input& dy, const Input& y, const Output& dx) {
  if (y.elements() == 0) return;
  const int64_t K = y.shape[y.shape.rank() - 1], rows = y.elements() / K;
  parallel_ranges(rows, row_grain(K), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float *gradient = dy.as<float>() + row * K, *output = y.as<float>() + row * K;
      double product = 0;
      for (int64_t k = 0; k < K; ++k) product += static_cast<double>(gradient[k]) * output[k];
      for (int64_t k = 0; k < K; ++k) {
        dx.as<float>()[row * K + k] = static_cast<float>(output[k] * (gradient[k] - product));
      }
    }
  });
}

}  // namespace igcnet
