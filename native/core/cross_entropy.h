// cross_entropy: the batch mean of the cross-entropy between softmax(logits) and the (smoothed) labels.
//   logits [N, K], labels [N] i32 in [0, K), loss [] ; with smoothing e the target of label t is (1-e)*[k = t] + e/K
//   loss = -1/N * sum over n, k of target[n, k] * log softmax(logits)[n, k]
//   dlogits = dloss/N * (softmax(logits) - target)
// A label out of range is a DataError, reported when the result is read.
#pragma once

namespace igcnet {

struct CrossEntropyParams {
  double label_smoothing = 0;  // e, in [0, 1]
};

}  // namespace igcnet
