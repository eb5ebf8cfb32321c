// The shape rule of reorder. Checked in test/unit with its error texts.
#include "core/reorder.h"

#include <string>

#include "core/error.h"
#include "core/window.h"

namespace igcnet {

void reorder_check(const char* op, const ReorderParams& params, const Shape& x) {
  if (x.rank() < 1 || x[x.rank() - 1] < 1) {
    throw Error(ErrorCode::kShape,
                std::string(op) + ": expected x [.., C] with 1 channel or more but received x " + x.to_string());
  }
  check_parameter(op, "factor", params.factor, 1);
  const int64_t C = x[x.rank() - 1];
  if (C % params.factor != 0) {
    throw Error(ErrorCode::kShape, std::string(op) + ": expected channels divisible by " +
                                       std::to_string(params.factor) + " (factor) but received " + std::to_string(C) +
                                       " in x " + x.to_string());
  }
}

}  // namespace igcnet
