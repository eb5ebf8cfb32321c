// igc_block backward: the weights' kernel and then, where dx is wanted, that of the input (igc_backward.h); at a stride
// that the latter does not know it is the plain conv2d_backward_input. Checked in test/kernels/igc-block.test.ts.
#include <algorithm>

#include "core/igc_block.h"
#include "cuda/four.h"
#include "cuda/igc_backward.h"
#include "cuda/norm_view.h"
#include "cuda/partials.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

constexpr int64_t kMaxPartials = int64_t{8} << 20;  // floats: sums of the weights, a row a block

struct ReluMask {
  NormView norm;
  int C;
  __device__ float operator()(float dx, float x, int64_t i) const {
    return behind_relu(norm, dx, x, remainder_of(i, C));
  }
};

}  // namespace

void SimtBackend::igc_block_backward(const IgcBlockParams& p, const Input& dy, const NormGradient* dy_norm,
                                     const Input& x, const Norm* x_norm, const Input& primary_weight,
                                     const Input& secondary_weight, const Output& dx, const Output& primary_dw,
                                     const Output& secondary_dw, const NormWeights* x_norm_gradients, const Input*) {
  const Conv2dSizes sizes = igc_block_sizes("igcBlock", p, x.shape, primary_weight.shape, secondary_weight.shape);
  const auto composed = [&] {
    igc_block_composed_backward(*this, between_, p, dy, dy_norm, x, x_norm, primary_weight, secondary_weight, dx,
                                primary_dw, secondary_dw, x_norm_gradients);
  };
  IgcPlan plan;
  if (!plans_fused(p, sizes, plan)) return composed();
  const auto fused = [&] {
    const PackedWeights packed = pack_weights(stream(), plan, primary_weight.as<float>(), secondary_weight.as<float>(),
                                              packed_.floats(packed_floats(plan)));
    const int64_t weights = primary_weight.elements() + secondary_weight.elements();
    const int64_t blocks = std::min(plan.weight_blocks, std::max<int64_t>(1, kMaxPartials / weights));
    const Output dz = dx.data == nullptr ? Output{} : dz_.tensor(dy.shape, dy.dtype);
    float* weight_partial = partial_.floats(static_cast<size_t>(blocks * weights));
    igc_backward_weight(stream(), plan,
                        {dy, dy_norm, x, x_norm, packed, primary_dw.data != nullptr, secondary_dw.data != nullptr, dz,
                         weight_partial, blocks});
    if (primary_dw.data != nullptr || secondary_dw.data != nullptr) {
      sum_partials(stream(), weight_partial, blocks, weights,
                   {primary_dw.as<float>(), primary_weight.elements(), secondary_dw.as<float>()});
    }
    if (dx.data == nullptr) return;
    const bool sums = x_norm != nullptr && x_norm_gradients != nullptr;
    if (!plan.has_back) {
      conv2d_backward_input({p.stride, p.padding, p.primary_partitions}, dz, primary_weight, dx);
      if (x_norm != nullptr && x_norm->relu) {
        map2(stream(), dx, x, dx, ReluMask{view_of(x_norm), plan.forward.C});
      }
      if (sums) batch_norm2d_backward_weight(dx, x, *x_norm, *x_norm_gradients);
      return;
    }
    const int64_t tiles = plan.back.tiles, C = sizes.C;
    float* partial = sums ? partial_.floats(static_cast<size_t>(tiles * 2 * C)) : nullptr;
    igc_backward_input(stream(), plan, {dz, x, packed, x_norm, dx, partial});
    if (!sums) return;
    sum_partials(stream(), partial, tiles, 2 * C,
                 {x_norm_gradients->dgamma.as<float>(), C, x_norm_gradients->dbeta.as<float>()});
  };
  Tuning::Key key = tuning_key(p, sizes, x.dtype);
  const bool needs_dx = dx.data != nullptr, needs_primary = primary_dw.data != nullptr;
  key.insert(key.end(), {1, x_norm != nullptr, dy_norm != nullptr, needs_dx, needs_primary,
                         secondary_dw.data != nullptr, x_norm_gradients != nullptr});
  run_igc_block(key, fused, composed);
}

}  // namespace igcnet::simt
