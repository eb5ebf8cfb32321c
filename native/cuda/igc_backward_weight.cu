// The first kernel of igc_block backward (igc_tile.h). It goes over tiles of the output map: carries out the batch norm
// that dy still has to pass, makes z again and dz from dy, adds up both weight gradients (each block in its own row of
// partial sums, over the tiles that it takes one after the other), and writes dz. Checked in
// test/kernels/igc-block.test.ts.
#include "cuda/igc_backward.h"
#include "cuda/igc_tile_steps.h"

namespace igcnet::simt {
namespace {

template <class T>
struct BackwardWeight {
  IgcPlan plan;
  const T *dy, *x;
  const float *primary, *mix_back;
  NormGradientView<T> dy_norm;
  NormView x_norm;
  bool needs_primary, needs_secondary;
  T* dz;           // null: not wanted
  float* partial;  // [blocks][primary_dw, secondary_dw]
};

// tile <- dy behind its norm, 0 outside of the map; V divides K. What belongs to four channels would take too many
// registers.
template <int V, class T>
__device__ void load_gradient_vectors(const BackwardWeight<T>& b, const TilePlace& at, const Planes& tile) {
  const TileConv& t = b.plan.weight;
  const T *const dy_corner = b.dy + first_element(t, at), *const y_corner = b.dy_norm.x + first_element(t, at);
  for_channels<V>(t.K, [&](int k, int first, int step) {
    const ChannelGradient<T, V> gradient(b.dy_norm, k);
#pragma unroll 1
    for (int quad = first; quad < tile.pixels / kQuad; quad += step) {
      const QuadPlace place = quad_place(t, at, quad);
      const int from = place.pixel * t.K + k;
      Neighbours<V, T> dy[kQuad] = {}, y[kQuad] = {};
#pragma unroll
      for (int p = 0; p < kQuad; ++p) {
        if (p < place.count) dy[p] = read_neighbours<V>(dy_corner + from + p * t.K);
      }
      if (gradient.present) {
#pragma unroll
        for (int p = 0; p < kQuad; ++p) {
          if (p < place.count) y[p] = read_neighbours<V>(y_corner + from + p * t.K);
        }
      }
#pragma unroll
      for (int v = 0; v < V; ++v) {
        Lanes<kQuad> values;
#pragma unroll
        for (int p = 0; p < kQuad; ++p) {
          const float value = value_of(dy[p].at[v]);
          values.at[p] = gradient.present ? gradient.through(value, value_of(y[p].at[v]), v) : value;
          if (p >= place.count) values.at[p] = 0;
        }
        tile.quad(k + v, quad) = values;
      }
    }
  });
}

// Where the threads of one slice leave a sum: with one slice in the block's row of partial sums, else, for
// add_slices(), in shared memory.
struct SumPlace {
  float* sums;
  bool adds;  // to what is there

  __device__ void put(int64_t i, float value) const { sums[i] = adds ? sums[i] + value : value; }
  // V neighbours, from a multiple of V on.
  template <int V>
  __device__ void put_neighbours(int64_t i, const float (&values)[V]) const {
    Lanes<V>& place = *reinterpret_cast<Lanes<V>*>(sums + i);
    Lanes<V> made = adds ? place : Lanes<V>{};
#pragma unroll
    for (int v = 0; v < V; ++v) made.at[v] += values[v];
    place = made;
  }
};
__device__ SumPlace sum_place(float* scratch, float* partial, int slices, int slice, int64_t count, bool first) {
  if (slices == 1) return {partial, !first};
  return {scratch + slice * count, false};
}

// The slices in `scratch`, in order, into the block's row.
__device__ void add_slices(const float* scratch, int slices, int64_t count, float* partial, bool first) {
  const int all = static_cast<int>(count), threads = static_cast<int>(blockDim.x);
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < all; i += threads) {
    const float* from = scratch + i;
    float sum = 0;
#pragma unroll 4
    for (int s = 0; s < slices; ++s, from += all) sum += *from;
    SumPlace{partial, !first}.put(i, sum);
  }
}

// secondary_dw[m*L + to, from] += sum over pixels of dy[to*M + m] * z[from*M + m]. A task is four `to`, four `from`,
// one m, and a slice of the quads. `scratch` may be z.
__device__ void add_secondary(const IgcPlan& plan, const Planes& dy, const Planes& z, float* scratch, float* partial,
                              bool first) {
  const auto [L, M, padded_L] = plan.mixing;
  const int quads = padded_L / 4, tasks = quads * quads * M, slices = plan.secondary_slices;
  const int all = tasks * slices, threads = static_cast<int>(blockDim.x);
  for (int start = 0; start < all; start += threads) {  // once where there are slices
    const int i = start + static_cast<int>(threadIdx.x), slice = i / tasks, task = i - slice * tasks;
    const int from = task % quads * 4, to = task / quads % quads * 4, m = task / quads / quads;
    float acc[4][4] = {};
    if (i < all) {
      int u_channel[4], v_channel[4];
      for (int j = 0; j < 4; ++j) {
        u_channel[j] = (to + j < L ? to + j : L - 1) * M + m;
        v_channel[j] = (from + j < L ? from + j : L - 1) * M + m;
      }
#pragma unroll 1
      for (int quad = slice; quad < dy.pixels / kQuad; quad += slices) {
        Lanes<kQuad> u[4], v[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) u[j] = dy.quad(u_channel[j], quad), v[j] = z.quad(v_channel[j], quad);
#pragma unroll
        for (int p = 0; p < kQuad; ++p) {
#pragma unroll
          for (int j = 0; j < 4; ++j) {
#pragma unroll
            for (int k = 0; k < 4; ++k) acc[j][k] += u[j].at[p] * v[k].at[p];
          }
        }
      }
    }
    if (slices > 1) __syncthreads();
    if (i >= all) continue;
    const SumPlace place = sum_place(scratch, partial, slices, slice, plan.secondary_count(), first);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        if (to + j < L && from + k < L) place.put((m * L + to + j) * static_cast<int64_t>(L) + from + k, acc[j][k]);
      }
    }
  }
  if (slices == 1) return;
  __syncthreads();
  add_slices(scratch, slices, plan.secondary_count(), partial, first);
}

// primary_dw[k, r, s, c] += sum over pixels of dz[p, q, k] * x[p*stride + r, q*stride + s, c]. A task is V channels k,
// V channels c, tap_rows() rows r of the kernel with three taps s (kSliding) or one, and a slice of the quads.
// `scratch` may be dz and `in`.
template <int V, bool kSliding>
__device__ void add_primary(const IgcPlan& plan, const Planes& dz, const float* in, float* scratch, float* partial,
                            bool first) {
  constexpr int kTaps = kSliding ? 3 : 1, kRows = tap_rows(V, kSliding);
  const TileConv& t = plan.weight;
  const int units = t.K / V, c_vectors = t.in_group / V;
  const int tasks = primary_tasks(plan), slices = plan.primary_slices, all = tasks * slices;
  const int threads = static_cast<int>(blockDim.x), quads = dz.pixels / kQuad;
  for (int start = 0; start < all; start += threads) {  // once where there are slices
    const int i = start + static_cast<int>(threadIdx.x), slice = i / tasks, task = i - slice * tasks;
    const int k0 = task % units * V, c0 = task / units % c_vectors * V, group = task / units / c_vectors;
    const int r0 = kSliding ? group * kRows : group / t.S, s0 = kSliding ? 0 : group - r0 * t.S;
    float acc[kRows][kTaps][V][V] = {};
    if (i < all) {
      const float* const cells = in + (r0 * t.in_w + s0) * t.C + k0 / t.out_group * t.in_group + c0;
#pragma unroll 1
      for (int quad = slice; quad < quads; quad += slices) {
        const int row = (quad * kQuad) >> t.log_w, column = (quad * kQuad) & (t.tile_w() - 1);
        const float* const corner = cells + (row * t.in_w + column) * t.stride * t.C;
        Lanes<kQuad> gradient[V];
#pragma unroll
        for (int k = 0; k < V; ++k) gradient[k] = dz.quad(k0 + k, quad);
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          if (r0 + r >= t.R) break;
          Lanes<V> window[kQuad + kTaps - 1];
#pragma unroll
          for (int w = 0; w < kQuad + kTaps - 1; ++w) {
            window[w] = load<V>(corner + (r * t.in_w + (kSliding ? w : w * t.stride)) * t.C);
          }
#pragma unroll
          for (int p = 0; p < kQuad; ++p) {
#pragma unroll
            for (int s = 0; s < kTaps; ++s) {
#pragma unroll
              for (int k = 0; k < V; ++k) {
#pragma unroll
                for (int c = 0; c < V; ++c) acc[r][s][k][c] += gradient[k].at[p] * window[p + s].at[c];
              }
            }
          }
        }
      }
    }
    if (slices > 1) __syncthreads();
    if (i >= all) continue;
    const SumPlace place = sum_place(scratch, partial, slices, slice, plan.primary_count(), first);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (r0 + r >= t.R) break;
#pragma unroll
      for (int s = 0; s < kTaps; ++s) {
#pragma unroll
        for (int k = 0; k < V; ++k) {
          const int64_t tap = (static_cast<int64_t>(k0 + k) * t.R + r0 + r) * t.S + s0 + s;
          place.template put_neighbours<V>(tap * t.in_group + c0, acc[r][s][k]);
        }
      }
    }
  }
  if (slices == 1) return;
  __syncthreads();
  add_slices(scratch, slices, plan.primary_count(), partial, first);
}

template <class T, int V, bool kSliding>
__global__ void __launch_bounds__(kMostThreads, kLeastBlocks) igc_backward_weight_kernel(BackwardWeight<T> b) {
  const TileConv& t = b.plan.weight;
  float* const memory = dynamic_shared<float>();
  float* const in = memory + 2 * t.plane_floats();
  const Planes dy(memory, t.pixels()), z(memory + t.plane_floats(), t.pixels());  // z, and then dz
  const int64_t primary_count = b.plan.primary_count();
  float* const partial = b.partial + blockIdx.x * (primary_count + b.plan.secondary_count());
  for (unsigned tile = blockIdx.x; tile < t.tiles; tile += gridDim.x) {
    const bool first = tile == blockIdx.x;
    const TilePlace at = tile_place(t, tile);
    if (t.K % 2 == 0) {
      load_gradient_vectors<2>(b, at, dy);
    } else {
      load_gradient_vectors<1>(b, at, dy);
    }
    if (b.needs_primary || b.needs_secondary) load_input(t, at, b.x, b.x_norm, in);
    __syncthreads();
    if (first) begin_early();  // so far before the weights are packed
    if (b.needs_secondary) {
      conv_tile<V, kSliding>(t, {0, t.tile_h}, in, b.primary, z);
      __syncthreads();
      add_secondary(b.plan, dy, z, z.data, partial + primary_count, first);
      __syncthreads();
    }
    if (b.needs_primary || b.dz != nullptr) {
      mix_tasks<float, 4>(b.plan.mixing, b.mix_back, dy, z);
      __syncthreads();
      if (b.dz != nullptr) store_tile(t, at, z, b.dz);
      if (b.needs_primary) add_primary<V, kSliding>(b.plan, z, in, memory, partial, first);
    }
    __syncthreads();
  }
}

}  // namespace

void igc_backward_weight(Stream stream, const IgcPlan& plan, const IgcBackwardWeight& b) {
  dispatch_map(b.x.dtype, [&]<class T>() {
    const BackwardWeight<T> arguments = {plan,
                                         b.dy.as<T>(),
                                         b.x.as<T>(),
                                         b.packed.primary,
                                         b.packed.mix_back,
                                         gradient_view_of<T>(b.dy_norm),
                                         view_of(b.x_norm),
                                         b.needs_primary,
                                         b.needs_secondary,
                                         b.dz.data == nullptr ? nullptr : b.dz.as<T>(),
                                         b.partial};
    const Launch size = cooperative(b.blocks, plan.weight.threads, backward_weight_bytes(plan.weight));
    with_vector(plan, [&]<int V, bool kSliding>() {
      launch_early(size, stream, igc_backward_weight_kernel<T, V, kSliding>, arguments);
    });
  });
}

}  // namespace igcnet::simt
