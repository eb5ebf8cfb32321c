// sgd_step: the formula of core/sgd.h, element by element; w and v are updated. Checked in
// test/kernels/sgd-step.test.ts.
#include "core/sgd.h"
#include "cuda/four.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

struct Step {
  float lr, momentum, weight_decay;
  bool nesterov;

  // inverse: of the gradients' scale
  __device__ void operator()(float inverse, float g, float& w, float& v) const {
    const float d = g * inverse + weight_decay * w;
    v = momentum * v + d;
    w -= lr * (nesterov ? d + momentum * v : v);
  }
};

// Four neighbouring elements a thread.
__global__ void sgd_step_kernel(int64_t n, Step step, const float* scale, const float* found, const float* g, float* w,
                                float* v) {
  begin_early();
  if (found != nullptr && *found != 0) return;
  const float inverse = scale == nullptr ? 1.0F : 1 / *scale;
  const int64_t i = 4 * global_thread();
  if (i + 4 <= n) {
    const float4 gs = *reinterpret_cast<const float4*>(g + i);
    float4 ws = *reinterpret_cast<const float4*>(w + i), vs = *reinterpret_cast<const float4*>(v + i);
    step(inverse, gs.x, ws.x, vs.x);
    step(inverse, gs.y, ws.y, vs.y);
    step(inverse, gs.z, ws.z, vs.z);
    step(inverse, gs.w, ws.w, vs.w);
    *reinterpret_cast<float4*>(w + i) = ws;
    *reinterpret_cast<float4*>(v + i) = vs;
  } else {
    for (int64_t j = i; j < n; ++j) step(inverse, g[j], w[j], v[j]);
  }
}

// All that find something write the same.
__global__ void note_non_finite_kernel(int64_t n, const float* x, float* found) {
  const int64_t i = global_thread();
  if (i < n && !isfinite(x[i])) *found = 1;
}

}  // namespace

void SimtBackend::note_non_finite(const Input& x, const Output& found) {
  launch(independent(x.elements()), stream(), note_non_finite_kernel, x.elements(), x.as<float>(), found.as<float>());
}

void SimtBackend::sgd_step(const SgdParams& p, const Input& g, const Output& w, const Output& v,
                           const GradientScale* scaling) {
  const float* scale = scaling == nullptr ? nullptr : scaling->scale.as<float>();
  const float* found = scaling == nullptr ? nullptr : scaling->found.as<float>();
  const Step step = {static_cast<float>(p.lr), static_cast<float>(p.momentum), static_cast<float>(p.weight_decay),
                     p.nesterov};
  launch_early(by_four(w.elements()), stream(), sgd_step_kernel, w.elements(), step, scale, found, g.as<float>(),
               w.as<float>(), v.as<float>());
}

}  // namespace igcnet::simt
