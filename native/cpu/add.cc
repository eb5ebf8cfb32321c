// add: y = a + b, element by element, and add_relu, whose inputs may each be given with a norm that is applied on the
// way. Checked against `reference`, add bit for bit.
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/add.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"
#include "cpu/vector_norm-inl.h"

#ifndef IGCNET_CPU_ADD_OPERAND_
#define IGCNET_CPU_ADD_OPERAND_
namespace igcnet {

// An input of add_relu: rows of C, and its norm; mean is null when there is none.
struct AddOperand {
  const float* data;
  const float *mean, *scale, *beta;
  bool relu;
};

}  // namespace igcnet
#endif

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

void AddKernel(const float* a, const float* b, float* y, int64_t begin, int64_t end) {
  for_each_vector(begin, end, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  });
}

// The vector at `i`, channel c, behind its norm.
template <class D>
HWY_INLINE hn::Vec<D> load(D d, const AddOperand& x, int64_t i, int64_t c) {
  const auto value = hn::LoadU(d, x.data + i);
  if (x.mean == nullptr) return value;
  const auto result =
      normalised(d, value, hn::LoadU(d, x.mean + c), hn::LoadU(d, x.scale + c), hn::LoadU(d, x.beta + c));
  return x.relu ? rectified(d, result) : result;
}

// `streams`: y goes past the caches (cpu/streams.h).
void AddReluKernel(const AddOperand& a, const AddOperand& b, int64_t C, float* y, int64_t begin_row, int64_t end_row,
                   bool streams) {
  for (int64_t row = begin_row; row < end_row; ++row) {
    for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
      const int64_t i = row * C + c;
      const auto sum = rectified(d, hn::Add(load(d, a, i, c), load(d, b, i, c)));
      streams ? hn::Stream(sum, d, y + i) : hn::StoreU(sum, d, y + i);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/cpu_backend.h"
#include "cpu/norm.h"
#include "cpu/parallel.h"
#include "cpu/streams.h"

namespace igcnet {
namespace {

HWY_EXPORT(AddKernel);
HWY_EXPORT(AddReluKernel);

AddOperand operand(const Input& x, const Norm* norm, float* scale) {
  if (norm == nullptr) return {x.as<float>(), nullptr, nullptr, nullptr, false};
  norm_scales(*norm, scale);
  return {x.as<float>(), norm->mean.as<float>(), scale, norm->beta.as<float>(), norm->relu};
}

}  // namespace

void CpuBackend::add_forward(const Input& a, const Input& b, const Output& y) {
  parallel_map(y.elements(), kElementGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(AddKernel)(a.as<float>(), b.as<float>(), y.as<float>(), begin, end);
  });
}

void CpuBackend::add_relu_forward(const Input& a, const Norm* a_norm, const Input& b, const Norm* b_norm,
                                  const Output& y) {
  if (y.elements() == 0) return;
  // Without a norm rows have no meaning: the tensor is one row of all elements, cut below.
  const Norm* norm = a_norm != nullptr ? a_norm : b_norm;
  if (norm == nullptr) {
    parallel_map(y.elements(), kElementGrain, [&](int64_t begin, int64_t end) {
      const AddOperand left = operand({a.as<float>() + begin, a.dtype, {}}, nullptr, nullptr);
      const AddOperand right = operand({b.as<float>() + begin, b.dtype, {}}, nullptr, nullptr);
      HWY_DYNAMIC_DISPATCH(AddReluKernel)(left, right, end - begin, y.as<float>() + begin, 0, 1, false);
    });
    return;
  }
  const int64_t C = norm->mean.elements();
  float* scales = coefficients_.take<float>(static_cast<size_t>(2 * C));
  constexpr int64_t kLine = 16;  // floats
  const bool streams = C % kLine == 0 && worth_streaming(y.as<float>(), y.elements());
  const AddOperand left = operand(a, a_norm, scales), right = operand(b, b_norm, scales + C);
  parallel_map(y.elements() / C, kElementGrain / C + 1, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(AddReluKernel)(left, right, C, y.as<float>(), begin, end, streams);
    if (streams) flush_streams();
  });
}

}  // namespace igcnet
#endif  // HWY_ONCE
