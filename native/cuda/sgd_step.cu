// sgd_step: the formula of core/sgd.h, element by element, of many parameters in one launch; w and v are updated.
// Checked in test/kernels/sgd-step.test.ts.
#include <limits>

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

// Parameters of one launch. As an argument of the kernel it must stay below 4 KiB.
struct Parameters {
  static constexpr int kMost = 96;
  const float* g[kMost];
  float *w[kMost], *v[kMost];
  int64_t n[kMost];
  int end[kMost];  // of the parameter's blocks, from the first parameter's first on
};
static_assert(sizeof(Parameters) + sizeof(Step) < 4000);

// Four neighbouring elements a thread; a block works on one parameter.
__global__ void sgd_step_kernel(Parameters all, Step step, const float* scale, const float* found) {
  begin_early();
  if (found != nullptr && *found != 0) return;
  const float inverse = scale == nullptr ? 1.0F : 1 / *scale;
  const int block = static_cast<int>(blockIdx.x);
  int which = 0;
  while (block >= all.end[which]) ++which;
  const int first = which == 0 ? 0 : all.end[which - 1];
  const int64_t n = all.n[which], i = 4 * (static_cast<int64_t>(block - first) * blockDim.x + threadIdx.x);
  const float* g = all.g[which];
  float *w = all.w[which], *v = all.v[which];
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

void SimtBackend::sgd_step(const SgdParams& p, const std::vector<SgdParameter>& parameters,
                           const GradientScale* scaling) {
  const float* scale = scaling == nullptr ? nullptr : scaling->scale.as<float>();
  const float* found = scaling == nullptr ? nullptr : scaling->found.as<float>();
  const Step step = {static_cast<float>(p.lr), static_cast<float>(p.momentum), static_cast<float>(p.weight_decay),
                     p.nesterov};
  Parameters some{};
  int count = 0;
  int64_t blocks = 0;
  const auto flush = [&] {
    launch_early({blocks, kThreads, 0, false}, stream(), sgd_step_kernel, some, step, scale, found);
    count = 0, blocks = 0;
  };
  for (const auto& [g, w, v] : parameters) {
    const int64_t needed = by_four(w.elements()).blocks;
    if (count == Parameters::kMost || blocks + needed > std::numeric_limits<int>::max()) flush();
    blocks += needed;
    some.g[count] = g.as<float>(), some.w[count] = w.as<float>(), some.v[count] = v.as<float>();
    some.n[count] = w.elements(), some.end[count] = static_cast<int>(blocks);
    ++count;
  }
  flush();
}

}  // namespace igcnet::simt
