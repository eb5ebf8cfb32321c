// random_uniform and random_normal: a thread makes the two numbers of one block of the generator (core/random.h), in
// double, by the code that every device shares. Checked in test/kernels/random.test.ts.
#include "core/random.h"
#include "cuda/four.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

// A uniform, which stays below high in T too.
template <class T>
__device__ T stored_uniform(const RandomParams& p, float rounded) {
  if constexpr (std::is_same_v<T, float>) {
    return rounded;
  } else {
    const T stored = stored_as<T>(rounded), high = stored_as<T>(static_cast<float>(p.b));
    if (value_of(stored) < value_of(high) || static_cast<float>(p.a) >= value_of(high)) return stored;
    const bool is_zero = (high.bits & 0x7FFF) == 0, is_negative = (high.bits & 0x8000) != 0;
    return {static_cast<uint16_t>(is_zero ? 0x8001 : high.bits + (is_negative ? 1 : -1))};
  }
}

template <bool kNormal, class T>
__global__ void random_kernel(RandomParams p, int64_t n, T* y) {
  const int64_t pair = global_thread();
  if (2 * pair >= n) return;
  const uint64_t block = p.offset + static_cast<uint64_t>(pair);
  const auto values = kNormal ? random_normal_pair<float>(p, block) : random_uniform_pair<float>(p, block);
  for (int i = 0; i < 2 && 2 * pair + i < n; ++i) {
    const float value = values[static_cast<size_t>(i)];
    y[2 * pair + i] = kNormal ? stored_as<T>(value) : stored_uniform<T>(p, value);
  }
}

}  // namespace

void SimtBackend::random_uniform(const RandomParams& p, const Output& y) {
  dispatch_map(y.dtype, [&]<class T>() {
    launch(independent((y.elements() + 1) / 2), stream(), random_kernel<false, T>, p, y.elements(), y.as<T>());
  });
}

void SimtBackend::random_normal(const RandomParams& p, const Output& y) {
  dispatch_map(y.dtype, [&]<class T>() {
    launch(independent((y.elements() + 1) / 2), stream(), random_kernel<true, T>, p, y.elements(), y.as<T>());
  });
}

}  // namespace igcnet::simt
