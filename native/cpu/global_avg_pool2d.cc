// global_avg_pool2d: the mean over H and W of each channel, one task per image, in the order of `reference`, which it
// equals bit for bit. An image without pixels has the mean NaN.
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/global_avg_pool2d.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

// One image: x [H, W, C], y [C].
void GlobalAvgPoolKernel(const float* x, int64_t H, int64_t W, int64_t C, float* y) {
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    auto sum = hn::Zero(d);
    for (int64_t h = 0; h < H; ++h) {
      auto row = hn::Zero(d);
      for (int64_t w = 0; w < W; ++w) row = hn::Add(row, hn::LoadU(d, x + (h * W + w) * C + c));
      sum = hn::Add(sum, row);
    }
    hn::StoreU(hn::Div(sum, hn::Set(d, static_cast<float>(H * W))), d, y + c);
  });
}

void GlobalAvgPoolBackwardKernel(const float* dy, int64_t pixels, int64_t C, float* dx) {
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    const auto share = hn::Div(hn::LoadU(d, dy + c), hn::Set(d, static_cast<float>(pixels)));
    for (int64_t pixel = 0; pixel < pixels; ++pixel) hn::StoreU(share, d, dx + pixel * C + c);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {

HWY_EXPORT(GlobalAvgPoolKernel);
HWY_EXPORT(GlobalAvgPoolBackwardKernel);

void CpuBackend::global_avg_pool2d_forward(const Input& x, const Output& y) {
  const int64_t N = x.shape[0], H = x.shape[1], W = x.shape[2], C = x.shape[3];
  parallel_tasks(N, [&](int64_t n) {
    HWY_DYNAMIC_DISPATCH(GlobalAvgPoolKernel)(x.as<float>() + n * H * W * C, H, W, C, y.as<float>() + n * C);
  });
}

void CpuBackend::global_avg_pool2d_backward_input(const Input& dy, const Output& dx) {
  const int64_t N = dx.shape[0], pixels = dx.shape[1] * dx.shape[2], C = dx.shape[3];
  parallel_tasks(N, [&](int64_t n) {
    HWY_DYNAMIC_DISPATCH(GlobalAvgPoolBackwardKernel)
    (dy.as<float>() + n * C, pixels, C, dx.as<float>() + n * pixels * C);
  });
}

}  // namespace igcnet
#endif  // HWY_ONCE
