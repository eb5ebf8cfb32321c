// igc_block forward in one kernel (igc_tile.h): the norm and ReLU of x on load, the primary convolution into shared
// memory, the secondary one from there, and mean and variance of y on the way out. The two permutations are index
// arithmetic. Checked in test/kernels/igc-block.test.ts against the four operators that define the block.
#include "core/igc_block.h"
#include "cuda/igc_tile_direct.h"
#include "cuda/partials.h"
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

// Mean of the tile's pixels and their squared distances to it, by channel: a thread looks at a part of the quads, so
// that all threads have work; the parts, whose values are in `scratch`, are then added in order.
template <class T>
__device__ void tile_moments(const Forward<T>& f, const TilePlace& at, int64_t tile, const Planes& y, float* scratch) {
  const TileConv& t = f.plan.forward;
  const int quads = y.pixels / kQuad, slices = quads < 8 ? quads : 8, threads = static_cast<int>(blockDim.x);
  float* const counts = scratch + 2 * slices * t.K;
  const bool whole = at.whole(t);
  for (int task = static_cast<int>(threadIdx.x); task < slices * t.K; task += threads) {
    const int k = task / slices, slice = task - k * slices;
    const auto for_values = [&](auto&& body) {
      for (int quad = slice; quad < quads; quad += slices) {
        const Lanes<kQuad> values = y.quad(k, quad);
        const int inside = whole ? kQuad : quad_place(t, at, quad).count;
#pragma unroll
        for (int p = 0; p < kQuad; ++p) {
          if (whole || p < inside) body(values.at[p]);
        }
      }
    };
    float count = static_cast<float>(y.pixels / slices), sum = 0, squares = 0;
    if (!whole) {
      count = 0;
      for (int quad = slice; quad < quads; quad += slices) count += static_cast<float>(quad_place(t, at, quad).count);
    }
    for_values([&](float value) { sum += value; });
    const float mean = count > 0 ? sum / count : 0.0F;
    for_values([&](float value) { squares += (value - mean) * (value - mean); });
    scratch[2 * task] = mean, scratch[2 * task + 1] = squares;
    if (k == 0) counts[slice] = count;
  }
  __syncthreads();
  const float all = static_cast<float>(at.rows * at.columns);
  for (int k = static_cast<int>(threadIdx.x); k < t.K; k += threads) {
    const float* const parts = scratch + 2 * slices * k;
    float sum = 0, squares = 0;
    for (int s = 0; s < slices; ++s) sum += counts[s] * parts[2 * s];
    const float mean = sum / all;
    for (int s = 0; s < slices; ++s) {
      const float distance = parts[2 * s] - mean;
      squares += parts[2 * s + 1] + counts[s] * (distance * distance);
    }
    f.moments.values[tile * 2 * t.K + k] = mean;
    f.moments.values[tile * 2 * t.K + t.K + k] = squares;
  }
  if (threadIdx.x == 0) f.moments.counts[tile] = all;
}

// z <- the primary convolution of the tile, with weights as they are (IgcPlan::direct), which wait in the memory of z.
template <class T, int V>
__device__ void primary_tile_direct(const Forward<T>& f, const TileInput<T>& input, const DirectPlanes<V>& z) {
  const TileConv& t = f.plan.forward;
  begin_early();
  const int count = static_cast<int>(f.plan.primary_count());  // a multiple of four
  for (int i = 4 * static_cast<int>(threadIdx.x); i < count; i += 4 * static_cast<int>(blockDim.x)) {
    copy_async(z.data + i, f.primary + i);
  }
  commit_copies();
  input.begin_lines({0, t.in_h});
  wait_for_copies<0>();
  input.finish_lines({0, t.in_h});
  __syncthreads();
  conv_tile_direct<V>(t, input.in, z);
}

template <class T, int V, bool kSliding, bool kDirect>
__global__ void __launch_bounds__(kMostThreads, kLeastBlocks) igc_forward_kernel(Forward<T> f) {
  const TileConv& t = f.plan.forward;
  float* const memory = dynamic_shared<float>();
  float* const in = memory + t.plane_floats();
  const Planes y(in, t.pixels());  // takes the place of the input, which nobody needs any more
  const unsigned tile = blockIdx.x;
  const TilePlace at = tile_place(t, tile);
  const TileInput<T> input{t, at, f.x, f.x_norm, in};
  if constexpr (kDirect) {
    const DirectPlanes<V> z(memory, t.pixels());
    primary_tile_direct<T, V>(f, input, z);
    __syncthreads();
    mix_tile_direct<T, V>(f.plan.mixing, f.mix, z, y);
  } else {
    const Planes z(memory, t.pixels());
    conv_as_it_comes<V, kSliding>(input, f.primary, z, [] { begin_early(); });  // so far before the weights are packed
    __syncthreads();
    mix_tile<T>(f.plan.mixing, f.mix, z, y);
  }
  __syncthreads();
  store_tile(t, at, y, f.y);
  if (f.moments.counts != nullptr) tile_moments(f, at, tile, y, memory);
}

// The kernel for a plan, by what it has been compiled for.
template <class T>
void launch_forward(Stream stream, const Forward<T>& f) {
  const Launch size = cooperative(f.plan.forward.tiles, f.plan.forward.threads, forward_bytes(f.plan.forward));
  with_vector(f.plan, [&]<int V, bool kSliding>() {
    if constexpr (kSliding && V <= 2) {
      if (f.plan.direct) return launch_early(size, stream, igc_forward_kernel<T, V, kSliding, true>, f);
    }
    launch_early(size, stream, igc_forward_kernel<T, V, kSliding, false>, f);
  });
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
    const float *primary = primary_weight.as<float>(), *mix = secondary_weight.as<float>();
    if (!plan.direct) {
      const PackedWeights packed = pack_weights(stream(), plan, primary, mix, packed_.floats(packed_floats(plan)));
      primary = packed.primary, mix = packed.mix;
    }
    Moments moments;
    if (y_statistics != nullptr) moments = moments_of(partial_.floats(moments_floats(tiles, z.K)), tiles);
    dispatch_map(x.dtype, [&]<class T>() {
      launch_forward<T>(stream(), {plan, x.as<T>(), primary, mix, view_of(x_norm), y.as<T>(), moments});
    });
    if (y_statistics == nullptr) return;
    merge_moments(stream(), moments, tiles, z.K, y_statistics->mean.as<float>(), y_statistics->var.as<float>());
  };
  Tuning::Key key = tuning_key(p, z, x.dtype);
  key.insert(key.end(), {0, x_norm != nullptr, y_statistics != nullptr});
  run_igc_block(key, fused, composed);
}

bool SimtBackend::plans_fused(const IgcBlockParams& p, const Conv2dSizes& z, IgcPlan& plan) const {
  return igc_path_ != IgcPath::kComposed &&
         plan_igc_block(p, z, {platform_->max_shared_bytes(), platform_->multiprocessors()}, plan);
}

}  // namespace igcnet::simt
