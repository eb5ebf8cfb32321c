// cross_entropy: the batch mean of the cross-entropy between softmax(logits) and the (smoothed) labels.
//   logits [N, K], labels [N] i32 in [0, K), loss [] ; with smoothing e the target of label t is (1-e)*[k = t] + e/K
//   loss = -1/N * sum over n, k of target[n, k] * log softmax(logits)[n, k]
//   dlogits = dloss/N * (softmax(logits) - target)
// A label out of range is a DataError, reported when a result is next read; the loss is NaN then, and the example has
// no gradient.
#pragma once

#include <cstdint>

#include "core/tensor.h"

namespace igcnet {

struct CrossEntropyParams {
  double label_smoothing = 0;  // e, in [0, 1]
};

constexpr bool is_class(int32_t label, int64_t K) { return label >= 0 && label < K; }
// Throws DataError for the first label that is no class; the host devices ask it behind their results.
void check_labels(const Input& labels, int64_t K);

}  // namespace igcnet
