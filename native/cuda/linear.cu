// linear: y[n, k] = sum over c of x[n, c] * w[k, c] + b[k] and its gradients, one element of the result a thread. On a
// GPU cuBLAS does all but the bias (cuda_backend.cc). Checked in test/kernels/linear.test.ts.
#include "cuda/four.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

__global__ void linear_forward_kernel(int64_t N, int C, int K, const float* x, const float* w, const float* b,
                                      float* y) {
  const int64_t i = global_thread();
  if (i >= N * K) return;
  const int k = remainder_of(i, K);
  const float* row = x + i / K * C;
  float sum = 0;
  for (int64_t c = 0; c < C; ++c) sum += row[c] * __ldg(w + static_cast<int64_t>(k) * C + c);
  y[i] = b == nullptr ? sum : sum + b[k];
}

__global__ void linear_backward_input_kernel(int64_t N, int C, int K, const float* dy, const float* w, float* dx) {
  const int64_t i = global_thread();
  if (i >= N * C) return;
  const int c = remainder_of(i, C);
  const float* row = dy + i / C * K;
  float sum = 0;
  for (int64_t k = 0; k < K; ++k) sum += row[k] * __ldg(w + k * C + c);
  dx[i] = sum;
}

__global__ void linear_backward_weight_kernel(int64_t N, int C, int K, const float* dy, const float* x, float* dw) {
  const int64_t i = global_thread();
  if (i >= static_cast<int64_t>(K) * C) return;
  const int c = remainder_of(i, C);
  const int64_t k = i / C;
  float sum = 0;
  for (int64_t n = 0; n < N; ++n) sum += dy[n * K + k] * x[n * C + c];
  dw[i] = sum;
}

__global__ void linear_backward_bias_kernel(int64_t N, int K, const float* dy, float* db) {
  const int64_t k = global_thread();
  if (k >= K) return;
  float sum = 0;
  for (int64_t n = 0; n < N; ++n) sum += dy[n * K + k];
  db[k] = sum;
}

struct AddBias {
  const float* b;
  int K;
  __device__ float operator()(float y, int64_t i) const { return y + __ldg(b + remainder_of(i, K)); }
};

}  // namespace

void SimtBackend::add_bias(const Input& b, const Output& y) {
  const AddBias add = {b.as<float>(), static_cast<int>(b.elements())};
  map(stream(), y, y, add);
}

void SimtBackend::linear_forward(const Input& x, const Input& w, const Input& b, const Output& y) {
  launch(independent(y.elements()), stream(), linear_forward_kernel, x.shape[0], static_cast<int>(x.shape[1]),
         static_cast<int>(w.shape[0]), x.as<float>(), w.as<float>(), b.as<float>(), y.as<float>());
}

void SimtBackend::linear_backward_input(const Input& dy, const Input& w, const Output& dx) {
  launch(independent(dx.elements()), stream(), linear_backward_input_kernel, dx.shape[0], static_cast<int>(dx.shape[1]),
         static_cast<int>(w.shape[0]), dy.as<float>(), w.as<float>(), dx.as<float>());
}

void SimtBackend::linear_backward_weight(const Input& dy, const Input& x, const Output& dw) {
  launch(independent(dw.elements()), stream(), linear_backward_weight_kernel, x.shape[0], static_cast<int>(x.shape[1]),
         static_cast<int>(dw.shape[0]), dy.as<float>(), x.as<float>(), dw.as<float>());
}

void SimtBackend::linear_backward_bias(const Input& dy, const Output& db) {
  launch(independent(db.elements()), stream(), linear_backward_bias_kernel, dy.shape[0], static_cast<int>(dy.shape[1]),
         dy.as<float>(), db.as<float>());
}

}  // namespace igcnet::simt
