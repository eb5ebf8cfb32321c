// fill, copy and cast. The rule of conversion is core/convert.h. Checked in test/kernels over all pairs of dtypes.
#include "core/convert.h"

#include <cstring>

#include "core/dispatch.h"
#include "reference/reference_backend.h"

namespace igcnet {

void ReferenceBackend::fill(double value, const Output& y) {
  dispatch_any(y.dtype, [&]<class T>() {
    for (int64_t i = 0; i < y.elements(); ++i) y.as<T>()[i] = convert<T>(value);
  });
}

void ReferenceBackend::copy(const Input& x, const Output& y) {
  if (x.bytes() > 0) std::memcpy(y.data, x.data, x.bytes());
}

void ReferenceBackend::cast(const Input& x, const Output& y) {
  dispatch_any(x.dtype, [&]<class From>() {
    dispatch_any(y.dtype, [&]<class To>() {
      for (int64_t i = 0; i < x.elements(); ++i) y.as<To>()[i] = convert<To>(x.as<From>()[i]);
    });
  });
}

}  // namespace igcnet
