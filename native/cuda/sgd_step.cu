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

  __device__ void operator()(float g, float& w, float& v) const {
    const float d = g + weight_decay * w;
    v = momentum * v + d;
    w -= lr * (nesterov ? d + momentum * v : v);
  }
};

// Four neighbouring elements a thread.
__global__ void sgd_step_kernel(int64_t n, Step step, const float* g, float* w, float* v) {
  const int64_t i = 4 * global_thread();
  if (i + 4 <= n) {
    const float4 gs = *reinterpret_cast<const float4*>(g + i);
    float4 ws = *reinterpret_cast<const float4*>(w + i), vs = *reinterpret_cast<const float4*>(v + i);
    step(gs.x, ws.x, vs.x);
    step(gs.y, ws.y, vs.y);
    step(gs.z, ws.z, vs.z);
    step(gs.w, ws.w, vs.w);
    *reinterpret_cast<float4*>(w + i) = ws;
    *reinterpret_cast<float4*>(v + i) = vs;
  } else {
    for (int64_t j = i; j < n; ++j) step(g[j], w[j], v[j]);
  }
}

}  // namespace

void SimtBackend::sgd_step(const SgdParams& p, const Input& g, const Output& w, const Output& v) {
  const Step step = {static_cast<float>(p.lr), static_cast<float>(p.momentum), static_cast<float>(p.weight_decay),
                     p.nesterov};
  launch(by_four(w.elements()), stream(), sgd_step_kernel, w.elements(), step, g.as<float>(), w.as<float>(),
         v.as<float>());
}

}  // namespace igcnet::simt
