// igc_block forward in one kernel (igc_tile.h): the norm and ReLU of x on load, the primary convolution into shared
// memory, the secondary one from there, and mean and variance of y on the way out. The two permutations are index
// arithmetic. Checked in test/kernels/igc-block.test.ts against the four operators that define the block.
#include "core/igc_block.h"
#include "cuda/igc_tile.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

template <class T>
struct Forward {
  IgcPlan plan;
  const T* x;
  const float *primary, *mix;
  NormView x_norm;
  T* y;
  Moments moments;  // counts null: not wanted
};

// Mean of the tile's pixels and their squared distances to it, a channel a thread.
template <class T>
__device__ void tile_moments(const Forward<T>& f, const TilePlace& at, int64_t tile, const float* out) {
  const int K = f.plan.forward.K;
  const float count = static_cast<float>(at.rows * at.columns);
  for (int k = static_cast<int>(threadIdx.x); k < K; k += static_cast<int>(blockDim.x)) {
    float sum = 0, squares = 0;
    for (int row = 0; row < at.rows; ++row) {
      for (int p = 0; p < at.columns; ++p) sum += out[(row * kRun + p) * (K + 1) + k];
    }
    const float mean = sum / count;
    for (int row = 0; row < at.rows; ++row) {
      for (int p = 0; p < at.columns; ++p) {
        const float distance = out[(row * kRun + p) * (K + 1) + k] - mean;
        squares += distance * distance;
      }
    }
    f.moments.values[tile * 2 * K + k] = mean;
    f.moments.values[tile * 2 * K + K + k] = squares;
  }
  if (threadIdx.x == 0) f.moments.counts[tile] = count;
}

template <class T, int V, bool kSliding>
__global__ void __launch_bounds__(kThreads) igc_forward_kernel(Forward<T> f) {
  const TileConv& t = f.plan.forward;
  float* z = dynamic_shared<float>();
  float* in = z + t.out_floats(t.K);
  float* out = in;  // y takes the place of the input, which nobody needs any more
  const int64_t tile = blockIdx.x;
  const TilePlace at = tile_place(t, tile);
  load_input(t, at, f.x, f.x_norm, in);
  __syncthreads();
  conv_tile<V, kSliding>(t, in, f.primary, z);
  __syncthreads();
  mix_tile(f.plan.mixing, t.tile_h, f.mix, z, out);
  __syncthreads();
  const int count = at.rows * kRun * t.K;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    const int pixel = i / t.K, k = i - pixel * t.K, row = pixel / kRun, column = pixel % kRun;
    if (column >= at.columns) continue;
    const T stored = stored_as<T>(out[pixel * (t.K + 1) + k]);
    f.y[((at.n * t.P + at.row + row) * t.Q + at.column + column) * t.K + k] = stored;
    if constexpr (!std::is_same_v<T, float>)
      out[pixel * (t.K + 1) + k] = value_of(stored);  // the moments are those of y
  }
  if (f.moments.counts == nullptr) return;
  if constexpr (!std::is_same_v<T, float>) __syncthreads();
  tile_moments(f, at, tile, out);
}

}  // namespace

void SimtBackend::igc_block_forward(const IgcBlockParams& p, const Input& x, const Norm* x_norm,
                                    const Input& primary_weight, const Input& secondary_weight, const Output& y,
                                    const BatchStatistics* y_statistics, const Output*) {
  const Conv2dSizes z = igc_block_sizes("igcBlock", p, x.shape, primary_weight.shape, secondary_weight.shape);
  const auto composed = [&] {
    igc_block_composed_forward(*this, between_, p, x, x_norm, primary_weight, secondary_weight, y, y_statistics);
  };
  IgcPlan plan;
  if (!plans_fused(p, z, plan)) return composed();
  const auto fused = [&] {
    const int64_t tiles = plan.forward.tiles;
    const PackedWeights packed = pack_weights(stream(), plan, primary_weight.as<float>(), secondary_weight.as<float>(),
                                              packed_.floats(packed_floats(plan)));
    Moments moments;
    if (y_statistics != nullptr) moments = moments_of(partial_.floats(moments_floats(tiles, z.K)), tiles);
    dispatch_map(x.dtype, [&]<class T>() {
      const Forward<T> forward = {plan, x.as<T>(), packed.primary, packed.mix, view_of(x_norm), y.as<T>(), moments};
      with_vector(plan, [&]<int V, bool kSliding>() {
        launch(cooperative(tiles, kThreads, plan.forward_bytes()), stream(), igc_forward_kernel<T, V, kSliding>,
               forward);
      });
    });
    if (y_statistics == nullptr) return;
    merge_moments(stream(), moments, tiles, z.K, y_statistics->mean.as<float>(), y_statistics->var.as<float>());
  };
  Tuning::Key key = tuning_key(p, z, x.dtype);
  key.insert(key.end(), {0, x_norm != nullptr, y_statistics != nullptr});
  run_igc_block(key, fused, composed);
}

bool SimtBackend::plans_fused(const IgcBlockParams& p, const Conv2dSizes& z, IgcPlan& plan) const {
  return igc_path_ != IgcPath::kComposed && plan_igc_block(p, z, platform_->max_shared_bytes(), plan);
}

}  // namespace igcnet::simt
