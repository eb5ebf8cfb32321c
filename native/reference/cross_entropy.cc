// cross_entropy: the formulas of core/cross_entropy.h, with log softmax(x)[k] = x[k] - max - log(sum of exp(x[j] -
// max)). A term whose target is 0 is left out, so that a probability of 0 costs nothing where it is right. The loss of
// an empty batch is 0/0 = NaN, as in PyTorch. Checked against PyTorch (test/golden) and finite differences
// (test/gradcheck).
#include "core/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/dispatch.h"
#include "reference/array.h"
#include "reference/reference_backend.h"

namespace igcnet {
namespace {

// The smoothed target of class k for an example with this label.
template <class T>
T target_of(const CrossEntropyParams& p, int32_t label, int64_t k, int64_t K) {
  const T e = static_cast<T>(p.label_smoothing);
  return (k == label ? 1 - e : T{0}) + e / static_cast<T>(K);
}

}  // namespace

void ReferenceBackend::cross_entropy_forward(const CrossEntropyParams& p, const Input& logits, const Input& labels,
                                             const Output& loss, const Output& probabilities) {
  const int64_t N = logits.shape[0], K = logits.shape[1];
  softmax_forward(logits, probabilities);
  dispatch_floating(logits.dtype, [&]<class T>() {
    const auto input = array2<T>(logits);
    T total = 0;
    for (int64_t n = 0; n < N; ++n) {
      if (!is_class(labels.as<int32_t>()[n], K)) {
        total = std::numeric_limits<T>::quiet_NaN();
        continue;
      }
      T largest = input(n, 0), sum = 0;
      for (int64_t k = 1; k < K; ++k) largest = std::max(largest, input(n, k));
      for (int64_t k = 0; k < K; ++k) sum += std::exp(input(n, k) - largest);
      const T log_sum = std::log(sum);
      for (int64_t k = 0; k < K; ++k) {
        const T target = target_of<T>(p, labels.as<int32_t>()[n], k, K);
        if (target != 0) total -= target * (input(n, k) - largest - log_sum);
      }
    }
    *loss.as<T>() = total / static_cast<T>(N);
  });
  check_labels(labels, K);
}

void ReferenceBackend::cross_entropy_backward_input(const CrossEntropyParams& p, const Input& dloss,
                                                    const Input& probabilities, const Input& labels,
                                                    const Output& dlogits) {
  const int64_t N = probabilities.shape[0], K = probabilities.shape[1];
  dispatch_floating(probabilities.dtype, [&]<class T>() {
    const auto probability = array2<T>(probabilities);
    const auto gradient = array2<T>(dlogits);
    for (int64_t n = 0; n < N; ++n) {  // never entered when N is 0
      const bool learns = is_class(labels.as<int32_t>()[n], K);
      const T scale = learns ? *dloss.as<T>() / static_cast<T>(N) : T{0};
      for (int64_t k = 0; k < K; ++k) {
        gradient(n, k) = scale * (probability(n, k) - target_of<T>(p, labels.as<int32_t>()[n], k, K));
      }
    }
  });
  check_labels(labels, K);
}

}  // namespace igcnet
