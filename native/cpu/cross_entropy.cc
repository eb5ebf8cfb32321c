// cross_entropy: log softmax(x)[k] = x[k] - max - log(sum of exp(x[j] - max)). The examples are summed in order, in
// double, whatever the number of threads. The loss of an empty batch is NaN. Checked against `reference`.
#include "core/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {
namespace {

constexpr int64_t kExpGrain = 1 << 11;  // elements, as in softmax

// The smoothed target of class k for an example with this label.
double target_of(const CrossEntropyParams& p, int32_t label, int64_t k, int64_t K) {
  return (k == label ? 1 - p.label_smoothing : 0.0) + p.label_smoothing / static_cast<double>(K);
}

double example_loss(const CrossEntropyParams& p, const float* logits, int32_t label, int64_t K) {
  if (!is_class(label, K)) return std::numeric_limits<double>::quiet_NaN();
  const double largest = *std::max_element(logits, logits + K);
  double sum = 0, loss = 0;
  for (int64_t k = 0; k < K; ++k) sum += std::exp(logits[k] - largest);
  const double log_sum = std::log(sum);
  for (int64_t k = 0; k < K; ++k) {
    const double target = target_of(p, label, k, K);
    // A target of 0 counts for nothing, even where the logit is -infinity.
    if (target != 0) loss -= target * (logits[k] - largest - log_sum);
  }
  return loss;
}

}  // namespace

void CpuBackend::cross_entropy_forward(const CrossEntropyParams& p, const Input& logits, const Input& labels,
                                       const Output& loss, const Output& probabilities) {
  const int64_t N = logits.shape[0], K = logits.shape[1];
  softmax_forward(logits, probabilities);
  double* losses = partial_.take<double>(static_cast<size_t>(N));
  parallel_ranges(N, kExpGrain / std::max<int64_t>(K, 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      losses[n] = example_loss(p, logits.as<float>() + n * K, labels.as<int32_t>()[n], K);
    }
  });
  double total = 0;
  for (int64_t n = 0; n < N; ++n) total += losses[n];
  *loss.as<float>() = static_cast<float>(total / static_cast<double>(N));
  check_labels(labels, K);
}

void CpuBackend::cross_entropy_backward_input(const CrossEntropyParams& p, const Input& dloss,
                                              const Input& probabilities, const Input& labels, const Output& dlogits) {
  const int64_t N = probabilities.shape[0], K = probabilities.shape[1];
  const double scale = static_cast<double>(*dloss.as<float>()) / static_cast<double>(N);
  parallel_ranges(N, kElementGrain / std::max<int64_t>(K, 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const int32_t label = labels.as<int32_t>()[n];
      float* gradient = dlogits.as<float>() + n * K;
      if (!is_class(label, K)) {
        std::fill_n(gradient, K, 0.0f);
        continue;
      }
      for (int64_t k = 0; k < K; ++k) {
        const double target = target_of(p, label, k, K);
        gradient[k] = static_cast<float>(scale * (probabilities.as<float>()[n * K + k] - target));
      }
    }
  });
  check_labels(labels, K);
}

}  // namespace igcnet
