// random_uniform and random_normal: a thread makes the two numbers of one block of the generator (core/random.h), in
// double, by the code that every device shares. Checked in test/kernels/random.test.ts.
#include "core/random.h"
#include "cuda/four.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

template <bool kNormal, class T>
__global__ void random_kernel(RandomParams p, int64_t n, T* y) {
  const int64_t pair = global_thread();
  if (2 * pair >= n) return;
  const uint64_t block = p.offset + static_cast<uint64_t>(pair);
  const auto values = kNormal ? random_normal_pair(p, block) : random_uniform_pair(p, block);
  write(y + 2 * pair, static_cast<float>(values[0]));
  if (2 * pair + 1 < n) write(y + 2 * pair + 1, static_cast<float>(values[1]));
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
