// reorder: y[.., i] = x[.., source[i]] with the table of the permutation, one gather per vector. Checked against
// `reference` bit for bit.
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/reorder.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

void ReorderKernel(const float* x, const int32_t* source, float* y, int64_t rows, int64_t C) {
  for (int64_t row = 0; row < rows; ++row, x += C, y += C) {
    for_each_vector(0, C, [&](auto d, int64_t i) HWY_ATTR {
      const hn::RebindToSigned<decltype(d)> di;
      hn::StoreU(hn::GatherIndex(d, x, hn::LoadU(di, source + i)), d, y + i);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {
namespace {

HWY_EXPORT(ReorderKernel);

void run(int64_t factor, const Input& x, const Output& y, Scratch& scratch) {
  if (x.elements() == 0) return;
  const int64_t C = x.shape[x.shape.rank() - 1], rows = x.elements() / C, quotient = C / factor;
  int32_t* source = scratch.take<int32_t>(static_cast<size_t>(C));
  for (int64_t q = 0; q < quotient; ++q) {
    for (int64_t p = 0; p < factor; ++p) source[q * factor + p] = static_cast<int32_t>(p * quotient + q);
  }
  parallel_map(rows, kElementGrain / C + 1, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(ReorderKernel)(x.as<float>() + begin * C, source, y.as<float>() + begin * C, end - begin, C);
  });
}

}  // namespace

void CpuBackend::reorder_forward(const ReorderParams& p, const Input& x, const Output& y) {
  run(p.factor, x, y, partial_);
}

void CpuBackend::reorder_backward_input(const ReorderParams& p, const Input& dy, const Output& dx) {
  if (dy.elements() > 0) run(dy.shape[dy.shape.rank() - 1] / p.factor, dy, dx, partial_);
}

}  // namespace igcnet
#endif  // HWY_ONCE
