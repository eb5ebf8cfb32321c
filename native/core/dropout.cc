// The parameter rule of dropout. Checked in test/unit with its error text.
#include "core/dropout.h"

#include <string>

#include "core/error.h"

namespace igcnet {

void dropout_check(const char* op, const DropoutParams& params) {
  if (params.rate >= 0 && params.rate < 1) return;
  throw Error(ErrorCode::kRange, std::string(op) + ": expected a rate of 0 or more and below 1 but received " +
                                     std::to_string(params.rate));
}

}  // namespace igcnet
