// fill and cast: the rule of core/convert.h, one element a thread. Checked in test/kernels/cast.test.ts over all pairs
// of dtypes.
#include "core/convert.h"
#include "core/dispatch.h"
#include "cuda/four.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

template <class T>
__global__ void fill_kernel(int64_t n, T value, T* y) {
  const int64_t i = global_thread();
  if (i < n) y[i] = value;
}

template <class From, class To>
__global__ void cast_kernel(int64_t n, const From* x, To* y) {
  const int64_t i = global_thread();
  if (i < n) y[i] = convert<To>(x[i]);
}

}  // namespace

void SimtBackend::fill(double value, const Output& y) {
  dispatch_any(y.dtype, [&]<class T>() {
    launch(independent(y.elements()), stream(), fill_kernel<T>, y.elements(), convert<T>(value), y.as<T>());
  });
}

void SimtBackend::cast(const Input& x, const Output& y) {
  dispatch_any(x.dtype, [&]<class From>() {
    dispatch_any(y.dtype, [&]<class To>() {
      launch(independent(y.elements()), stream(), cast_kernel<From, To>, y.elements(), x.as<From>(), y.as<To>());
    });
  });
}

}  // namespace igcnet::simt
