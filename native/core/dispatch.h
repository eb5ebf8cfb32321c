// From a run-time DType to a C++ type, in one place:
//   dispatch_floating(x.dtype, [&]<class T>() { relu(x.as<T>(), y.as<T>(), x.elements()); });
// Checked by every op test in f32 and f64, and by the cast test over all pairs of dtypes.
#pragma once

#include <string>

#include "core/dtype.h"
#include "core/error.h"

namespace igcnet {

// Calls body.operator()<T>() with the T of `dtype`: float or double. Another dtype is an InternalError, because
// dtypes are checked before a backend is called.
template <class Body>
decltype(auto) dispatch_floating(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::kF32:
      return body.template operator()<float>();
    case DType::kF64:
      return body.template operator()<double>();
    default:
      throw Error(ErrorCode::kInternal, "dispatch: expected f32 or f64 but received " + std::string(name_of(dtype)));
  }
}

// The same for the dtypes of maps on a GPU: float, BF16 or F16.
template <class Body>
decltype(auto) dispatch_map(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::kF32:
      return body.template operator()<float>();
    case DType::kBF16:
      return body.template operator()<BF16>();
    case DType::kF16:
      return body.template operator()<F16>();
    default:
      throw Error(ErrorCode::kInternal,
                  "dispatch: expected f32, bf16 or f16 but received " + std::string(name_of(dtype)));
  }
}

// The same for every dtype: float, double, int32_t, uint8_t, BF16 or F16.
template <class Body>
decltype(auto) dispatch_any(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::kF32:
      return body.template operator()<float>();
    case DType::kF64:
      return body.template operator()<double>();
    case DType::kI32:
      return body.template operator()<int32_t>();
    case DType::kU8:
      return body.template operator()<uint8_t>();
    case DType::kBF16:
      return body.template operator()<BF16>();
    case DType::kF16:
      return body.template operator()<F16>();
  }
  throw Error(ErrorCode::kInternal,
              "dispatch: expected a known dtype but received " + std::to_string(static_cast<int>(dtype)));
}

}  // namespace igcnet
