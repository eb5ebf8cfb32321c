// softmax over the last dimension: y[k] = exp(x[k] - max) / sum; dx[k] = y[k] * (dy[k] - sum over j of dy[j] * y[j]).
// A warp takes a row. Checked in test/kernels/softmax.test.ts.
#include "cuda/simt_backend.h"
#include "cuda/warp_row.h"

namespace igcnet::simt {
namespace {

__global__ void softmax_forward_kernel(int64_t rows, int K, const float* x, float* y) {
  const int64_t row = row_of_warp();
  if (row >= rows) return;  // a whole warp
  const int lane = lane_of_warp();
  const RowExponents e = row_exponents(x + row * K, K, lane);
  for (int k = lane; k < K; k += kWarp) y[row * K + k] = expf(x[row * K + k] - e.largest) / e.sum;
}

__global__ void softmax_backward_input_kernel(int64_t rows, int K, const float* dy, const float* y, float* dx) {
  const int64_t row = row_of_warp();
  if (row >= rows) return;
  const int lane = lane_of_warp();
  float product = 0;
  for (int k = lane; k < K; k += kWarp) product += dy[row * K + k] * y[row * K + k];
  product = warp_sum(product);
  for (int k = lane; k < K; k += kWarp) dx[row * K + k] = y[row * K + k] * (dy[row * K + k] - product);
}

struct Rows {
  int64_t count;
  int K;
};
Rows rows_of(const Shape& shape) {
  const int64_t K = shape[shape.rank() - 1];
  return {shape.elements() == 0 ? 0 : shape.elements() / K, static_cast<int>(K)};
}

}  // namespace

void SimtBackend::softmax_forward(const Input& x, const Output& y) {
  const Rows rows = rows_of(x.shape);
  launch(by_row(rows.count), stream(), softmax_forward_kernel, rows.count, rows.K, x.as<float>(), y.as<float>());
}

void SimtBackend::softmax_backward_input(const Input& dy, const Input& y, const Output& dx) {
  const Rows rows = rows_of(y.shape);
  launch(by_row(rows.count), stream(), softmax_backward_input_kernel, rows.count, rows.K, dy.as<float>(), y.as<float>(),
         dx.as<float>());
}

}  // namespace igcnet::simt
