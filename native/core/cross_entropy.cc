#include "core/cross_entropy.h"

#include <string>

#include "core/error.h"

namespace igcnet {

void check_labels(const Input& labels, int64_t K) {
  for (int64_t n = 0; n < labels.elements(); ++n) {
    const int32_t label = labels.as<int32_t>()[n];
    if (is_class(label, K)) continue;
    throw Error(ErrorCode::kData, "crossEntropy: expected labels from 0 to " + std::to_string(K - 1) +
                                      " but received " + std::to_string(label) + " at index " + std::to_string(n));
  }
}

}  // namespace igcnet
