// fill, copy and cast, by the rule of core/convert.h. Checked against `reference` over all pairs of dtypes.
#include "core/convert.h"

#include <algorithm>
#include <cstring>

#include "core/dispatch.h"
#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {

void CpuBackend::fill(double value, const Output& y) {
  dispatch_any(y.dtype, [&]<class T>() {
    parallel_ranges(y.elements(), kElementGrain, [&](int64_t begin, int64_t end) {
      std::fill_n(y.as<T>() + begin, end - begin, convert<T>(value));
    });
  });
}

void CpuBackend::copy(const Input& x, const Output& y) {
  parallel_ranges(static_cast<int64_t>(x.bytes()), kElementGrain * 4, [&](int64_t begin, int64_t end) {
    std::memcpy(y.as<char>() + begin, x.as<char>() + begin, static_cast<size_t>(end - begin));
  });
}

void CpuBackend::cast(const Input& x, const Output& y) {
  dispatch_any(x.dtype, [&]<class From>() {
    dispatch_any(y.dtype, [&]<class To>() {
      parallel_ranges(x.elements(), kElementGrain, [&](int64_t begin, int64_t end) {
        std::transform(x.as<From>() + begin, x.as<From>() + end, y.as<To>() + begin,
                       [](From value) { return convert<To>(value); });
      });
    });
  });
}

}  // namespace igcnet
