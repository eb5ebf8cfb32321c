// avg_pool2d: 1/kernel^2 times the sum over the window; padding counts as 0. One task per image, the vector over
// channels, sums in the order of `reference`, which it equals bit for bit. Our own loops rather than oneDNN's:
// they take every geometry (oneDNN counts in 32 bits) and were measured to be as fast.
#include <cstdint>

#include "core/pool2d.h"
#include "cpu/pool_window.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/avg_pool2d.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

// One image: x [H, W, C], y [P, Q, C].
void AvgPoolKernel(const Pool2dSizes& z, const float* x, float* y) {
  const float area = static_cast<float>(z.kernel * z.kernel);
  for (int64_t p = 0; p < z.P; ++p) {
    const WindowRange rows = window_range(p, z.stride, z.padding, z.kernel, z.H);
    for (int64_t q = 0; q < z.Q; ++q, y += z.C) {
      const WindowRange columns = window_range(q, z.stride, z.padding, z.kernel, z.W);
      for_each_vector(0, z.C, [&](auto d, int64_t c) HWY_ATTR {
        auto sum = hn::Zero(d);
        for (int64_t h = rows.begin; h < rows.end; ++h) {
          for (int64_t w = columns.begin; w < columns.end; ++w) {
            sum = hn::Add(sum, hn::LoadU(d, x + (h * z.W + w) * z.C + c));
          }
        }
        hn::StoreU(hn::Div(sum, hn::Set(d, area)), d, y + c);
      });
    }
  }
}

// dx [H, W, C] is 0 before.
void AvgPoolBackwardKernel(const Pool2dSizes& z, const float* dy, float* dx) {
  const float area = static_cast<float>(z.kernel * z.kernel);
  for (int64_t p = 0; p < z.P; ++p) {
    const WindowRange rows = window_range(p, z.stride, z.padding, z.kernel, z.H);
    for (int64_t q = 0; q < z.Q; ++q, dy += z.C) {
      const WindowRange columns = window_range(q, z.stride, z.padding, z.kernel, z.W);
      for_each_vector(0, z.C, [&](auto d, int64_t c) HWY_ATTR {
        const auto share = hn::Div(hn::LoadU(d, dy + c), hn::Set(d, area));
        for (int64_t h = rows.begin; h < rows.end; ++h) {
          for (int64_t w = columns.begin; w < columns.end; ++w) {
            float* target = dx + (h * z.W + w) * z.C + c;
            hn::StoreU(hn::Add(hn::LoadU(d, target), share), d, target);
          }
        }
      });
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {

HWY_EXPORT(AvgPoolKernel);
HWY_EXPORT(AvgPoolBackwardKernel);

void CpuBackend::avg_pool2d_forward(const Pool2dParams& p, const Input& x, const Output& y) {
  const Pool2dSizes z = pool2d_sizes("avgPool2d", p, x.shape);
  const int64_t x_image = z.H * z.W * z.C, y_image = z.P * z.Q * z.C;
  parallel_tasks(z.N, [&](int64_t n) {
    HWY_DYNAMIC_DISPATCH(AvgPoolKernel)(z, x.as<float>() + n * x_image, y.as<float>() + n * y_image);
  });
}

void CpuBackend::avg_pool2d_backward_input(const Pool2dParams& p, const Input& dy, const Output& dx) {
  const Pool2dSizes z = pool2d_sizes("avgPool2d", p, dx.shape);
  const int64_t x_image = z.H * z.W * z.C, y_image = z.P * z.Q * z.C;
  parallel_tasks(z.N, [&](int64_t n) {
    std::fill_n(dx.as<float>() + n * x_image, x_image, 0.0f);
    HWY_DYNAMIC_DISPATCH(AvgPoolBackwardKernel)(z, dy.as<float>() + n * y_image, dx.as<float>() + n * x_image);
  });
}

}  // namespace igcnet
#endif  // HWY_ONCE
