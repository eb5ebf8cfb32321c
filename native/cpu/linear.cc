// linear: three matrix products in oneDNN, and a column sum for the bias. Checked against `reference`, bit for bit on
// small integers; an empty sum is 0.
#include <algorithm>

#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {
namespace {

// c = a * b (+ bias), also where c is empty or the sums have no terms.
void multiply(Dense& dense, const MatmulSizes& sizes, const Input& a, const Input& b, const Input& bias,
              const Output& c) {
  if (c.elements() == 0) return;
  if (sizes.depth > 0) return dense.matmul(sizes, a.as<float>(), b.as<float>(), bias.as<float>(), c.as<float>());
  for (int64_t i = 0; i < c.elements(); ++i) {
    c.as<float>()[i] = bias.data == nullptr ? 0.0f : bias.as<float>()[i % sizes.columns];
  }
}

}  // namespace

void CpuBackend::linear_forward(const Input& x, const Input& w, const Input& b, const Output& y) {
  const int64_t N = x.shape[0], C = x.shape[1], K = w.shape[0];
  multiply(dense_, {N, K, C, C, 1, 1, C}, x, w, b, y);
}

void CpuBackend::linear_backward_input(const Input& dy, const Input& w, const Output& dx) {
  const int64_t N = dx.shape[0], C = dx.shape[1], K = w.shape[0];
  multiply(dense_, {N, C, K, K, 1, C, 1}, dy, w, {}, dx);
}

void CpuBackend::linear_backward_weight(const Input& dy, const Input& x, const Output& dw) {
  const int64_t N = x.shape[0], C = x.shape[1], K = dw.shape[0];
  multiply(dense_, {K, C, N, 1, K, C, 1}, dy, x, {}, dw);
}

void CpuBackend::linear_backward_bias(const Input& dy, const Output& db) {
  const int64_t N = dy.shape[0], K = dy.shape[1];
  parallel_ranges(K, kElementGrain / (N + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      double sum = 0;
      for (int64_t n = 0; n < N; ++n) sum += dy.as<float>()[n * K + k];
      db.as<float>()[k] = static_cast<float>(sum);
    }
  });
}

}  // namespace igcnet
