// cross_entropy: the formulas of core/cross_entropy.h. A warp takes a row of logits; one block adds the rows' losses in
// order. A term whose target is 0 is left out. A label out of range is noted in a LabelFault, which whoever waits for a
// result reads; a label is compared with indices only, so a wrong one touches no memory.
// Checked in test/kernels/cross-entropy.test.ts.
#include "core/cross_entropy.h"
#include "cuda/partials.h"
#include "cuda/simt_backend.h"
#include "cuda/warp_row.h"

namespace igcnet::simt {
namespace {

struct Target {
  float smoothing;
  int K;
  __device__ float of(int label, int k) const {
    return (k == label ? 1.0F - smoothing : 0.0F) + smoothing / static_cast<float>(K);
  }
};

// One block; the first label out of range is noted, unless an older one still is.
__global__ void check_labels_kernel(int64_t N, int64_t classes, const int32_t* labels, LabelFault* fault) {
  int64_t* first = dynamic_shared<int64_t>();  // of each thread
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  first[thread] = N;
  for (int64_t n = thread; n < N && first[thread] == N; n += threads) {
    if (!is_class(labels[n], classes)) first[thread] = n;
  }
  __syncthreads();
  if (thread != 0) return;
  int64_t found = N;
  for (int i = 0; i < threads; ++i) found = first[i] < found ? first[i] : found;
  if (found < N && fault->count == 0) *fault = {found, labels[found], classes, 1};
}

__global__ void cross_entropy_forward_kernel(int64_t N, Target target, const float* logits, const int32_t* labels,
                                             float* losses, float* probabilities) {
  const int64_t n = row_of_warp();
  if (n >= N) return;  // a whole warp
  const int lane = lane_of_warp(), K = target.K;
  const float* row = logits + n * K;
  const RowExponents e = row_exponents(row, K, lane);
  const float log_sum = logf(e.sum);
  float loss = 0;
  for (int k = lane; k < K; k += kWarp) {
    probabilities[n * K + k] = expf(row[k] - e.largest) / e.sum;
    const float share = target.of(labels[n], k);
    if (share != 0.0F) loss -= share * (row[k] - e.largest - log_sum);
  }
  loss = warp_sum(loss);
  if (lane == 0) losses[n] = is_class(labels[n], K) ? loss : NAN;
}

// One block: the mean of the losses, added thread by thread in double.
__global__ void cross_entropy_mean_kernel(int64_t N, const float* losses, float* loss) {
  double* sums = dynamic_shared<double>();
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  double sum = 0;
  for (int64_t n = thread; n < N; n += threads) sum += static_cast<double>(losses[n]);
  sums[thread] = sum;
  __syncthreads();
  if (thread != 0) return;
  for (int i = 1; i < threads; ++i) sum += sums[i];
  *loss = static_cast<float>(sum / static_cast<double>(N));  // 0 / 0 of an empty batch is NaN
}

__global__ void cross_entropy_backward_kernel(int64_t N, Target target, const float* dloss, const float* probabilities,
                                              const int32_t* labels, float* dlogits) {
  const int64_t n = row_of_warp();
  if (n >= N) return;
  const float scale = is_class(labels[n], target.K) ? *dloss / static_cast<float>(N) : 0.0F;
  for (int k = lane_of_warp(); k < target.K; k += kWarp) {
    dlogits[n * target.K + k] = scale * (probabilities[n * target.K + k] - target.of(labels[n], k));
  }
}

Target target_of(const CrossEntropyParams& p, int64_t K) {
  return {static_cast<float>(p.label_smoothing), static_cast<int>(K)};
}

}  // namespace

void SimtBackend::check_labels(const Input& labels, int64_t classes) {
  const Launch one_block = cooperative(1, kThreads, sizeof(int64_t) * kThreads);
  launch(one_block, stream(), check_labels_kernel, labels.elements(), classes, labels.as<int32_t>(), label_fault());
  labels_were_used();
}

void SimtBackend::cross_entropy_forward(const CrossEntropyParams& p, const Input& logits, const Input& labels,
                                        const Output& loss, const Output& probabilities) {
  const int64_t N = logits.shape[0], K = logits.shape[1];
  float* losses = partial_.floats(static_cast<size_t>(N));
  launch(by_row(N), stream(), cross_entropy_forward_kernel, N, target_of(p, K), logits.as<float>(),
         labels.as<int32_t>(), losses, probabilities.as<float>());
  launch(cooperative(1, kThreads, sizeof(double) * kThreads), stream(), cross_entropy_mean_kernel, N, losses,
         loss.as<float>());
  check_labels(labels, K);
}

void SimtBackend::cross_entropy_backward_input(const CrossEntropyParams& p, const Input& dloss,
                                               const Input& probabilities, const Input& labels, const Output& dlogits) {
  const int64_t N = probabilities.shape[0], K = probabilities.shape[1];
  launch(by_row(N), stream(), cross_entropy_backward_kernel, N, target_of(p, K), dloss.as<float>(),
         probabilities.as<float>(), labels.as<int32_t>(), dlogits.as<float>());
  check_labels(labels, K);
}

}  // namespace igcnet::simt
