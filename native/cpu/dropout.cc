// dropout: each block of core/random.h decides on two neighbouring elements, so threads share the blocks. The generator
// takes about 50 ns a block and is what the time goes into: plain loops. Checked against `reference` bit for bit.
#include "core/dropout.h"

#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {
namespace {

constexpr int64_t kBlockGrain = 1 << 10;

void drop(const DropoutParams& p, const float* x, float* y, int64_t elements) {
  const float scale = static_cast<float>(1.0 / (1.0 - p.rate));
  parallel_ranges((elements + 1) / 2, kBlockGrain, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto kept = dropout_keeps(p, p.offset + static_cast<uint64_t>(block));
      const int64_t i = 2 * block;
      y[i] = kept[0] ? x[i] * scale : 0.0f;
      if (i + 1 < elements) y[i + 1] = kept[1] ? x[i + 1] * scale : 0.0f;
    }
  });
}

}  // namespace

void CpuBackend::dropout_forward(const DropoutParams& p, const Input& x, const Output& y) {
  drop(p, x.as<float>(), y.as<float>(), y.elements());
}

void CpuBackend::dropout_backward_input(const DropoutParams& p, const Input& dy, const Output& dx) {
  drop(p, dy.as<float>(), dx.as<float>(), dx.elements());
}

}  // namespace igcnet
