// The second kernel of igc_block backward (igc_tile.h). It goes over tiles of the input map: dx is the convolution of
// dz with the weights turned around, and 0 where the ReLU of x's norm was 0; the sums for that norm come with it.
// Checked in test/kernels/igc-block.test.ts.
#include "cuda/igc_backward.h"
#include "cuda/igc_tile_steps.h"

namespace igcnet::simt {
namespace {

template <class T>
struct BackwardInput {
  IgcPlan plan;
  const T *dz, *x;
  const float* primary_back;
  NormView x_norm;
  T* dx;
  float* partial;  // [tiles][dgamma, dbeta]; null: not wanted
};

// dx <- the tile, 0 where the ReLU of x's norm was; and in `sums` [2][C] a row for each of the threads that share
// channels: sums of dx * (x - mean) * inv_std and of dx. In the letters of TileConv C is K.
template <int V, class T>
__device__ void store_gradient_vectors(const BackwardInput<T>& b, const TilePlace& at, const Planes& tile,
                                       float* sums) {
  const TileConv& t = b.plan.back;
  const bool adds = b.partial != nullptr, reads = b.x_norm.relu || adds;
  const T* const x_corner = b.x + first_element(t, at);
  T* const dx_corner = b.dx + first_element(t, at);
  for_channels<V>(t.K, [&](int c, int first, int step) {
    const ChannelNorm<V> norm(b.x_norm, c);
    float gamma_sum[V] = {}, beta_sum[V] = {};
#pragma unroll 1
    for (int quad = first; quad < tile.pixels / kQuad; quad += step) {
      const QuadPlace place = quad_place(t, at, quad);
      Neighbours<V, T> x[kQuad];
#pragma unroll
      for (int p = 0; p < kQuad; ++p) {
        if (reads && p < place.count) x[p] = read_neighbours<V>(x_corner + (place.pixel + p) * t.K + c);
      }
      Lanes<kQuad> values[V];
      for (int v = 0; v < V; ++v) values[v] = tile.quad(c + v, quad);
#pragma unroll
      for (int p = 0; p < kQuad; ++p) {
        if (p >= place.count) break;
        Neighbours<V, T> stored;
#pragma unroll
        for (int v = 0; v < V; ++v) {
          const float at_x = reads ? value_of(x[p].at[v]) : 0.0F;
          stored.at[v] = stored_as<T>(b.x_norm.relu ? norm.behind_relu(values[v].at[p], at_x, v) : values[v].at[p]);
          if (!adds) continue;
          const float dv = value_of(stored.at[v]);  // the sums are those of dx
          gamma_sum[v] += dv * norm.standardised(at_x, v);
          beta_sum[v] += dv;
        }
        write_neighbours(dx_corner + (place.pixel + p) * t.K + c, stored);
      }
    }
    if (!adds) return;
    for (int v = 0; v < V; ++v) {
      sums[first * 2 * t.K + c + v] = gamma_sum[v];
      sums[first * 2 * t.K + t.K + c + v] = beta_sum[v];
    }
  });
}

// out <- the convolution of `in`, whose pixels lie `up` apart, with the weights turned around: of eight pixels that are
// `up` apart in a row of dx each sees the same taps, and neighbours see neighbours. A task is V channels of those.
template <int V>
__device__ void conv_up(const TileConv& t, const TilePlace& at, const float* in, const float* packed,
                        const Planes& out) {
  const int units = t.K / V, across = t.tile_w() / kRun, tasks = units * across * t.tile_h;
#pragma unroll 1
  for (int task = static_cast<int>(threadIdx.x); task < tasks; task += static_cast<int>(blockDim.x)) {
    const int place = task / units, k0 = (task - place * units) * V, row = place / across, run = place - row * across;
    const int column = run / t.up * (kRun * t.up) + run % t.up;
    // The first taps that meet a pixel of `in` and no zero between two of them.
    const int h = at.row + row - t.top, w = at.column + column - t.left;
    const int r0 = (t.up - h % t.up) % t.up, s0 = (t.up - w % t.up) % t.up;
    float acc[kRun][V] = {};
#pragma unroll 1
    for (int r = r0; r < t.R; r += t.up) {
#pragma unroll 1
      for (int s = s0; s < t.S; s += t.up) {
        const int line = (h + r) / t.up - t.first_line(at.row), first = (w + s) / t.up - t.first_column(at.column);
        const float* cells = in + (line * t.in_w + first) * t.C + k0 / t.out_group * t.in_group;
        const float* taps = packed + (r * t.S + s) * t.in_group * t.K + k0;
#pragma unroll 1
        for (int c = 0; c < t.in_group; c += V, cells += V) {
          Lanes<V> window[kRun];
#pragma unroll
          for (int p = 0; p < kRun; ++p) window[p] = load<V>(cells + p * t.C);
#pragma unroll
          for (int j = 0; j < V; ++j, taps += t.K) {
            const Lanes<V> weights = load<V>(taps);
#pragma unroll
            for (int p = 0; p < kRun; ++p) {
#pragma unroll
              for (int v = 0; v < V; ++v) acc[p][v] += window[p].at[j] * weights.at[v];
            }
          }
        }
      }
    }
#pragma unroll
    for (int p = 0; p < kRun; ++p) {
      const int pixel = row * t.tile_w() + column + p * t.up;
#pragma unroll
      for (int v = 0; v < V; ++v) out.quad(k0 + v, pixel / kQuad).at[pixel % kQuad] = acc[p][v];
    }
  }
}

// In the letters of TileConv the output [P, Q, K] is dx [H, W, C]. kSliding: at stride 1; else at any.
template <class T, int V, bool kSliding>
__global__ void __launch_bounds__(kMostThreads, kLeastBlocks) igc_backward_input_kernel(BackwardInput<T> b) {
  const TileConv& t = b.plan.back;
  float* const memory = dynamic_shared<float>();
  const Planes out(memory, t.pixels());
  float* const in = memory + t.plane_floats();  // and then the sums
  const unsigned tile = blockIdx.x;
  const TilePlace at = tile_place(t, tile);
  begin_early();
  const NormView none;
  const TileInput<T> input{t, at, b.dz, none, in};
  if (!kSliding && t.up > 1) {
    input.begin_lines({0, t.in_h});
    input.finish_lines({0, t.in_h});
    __syncthreads();
    conv_up<V>(t, at, in, b.primary_back, out);
  } else {
    conv_as_it_comes<V, kSliding>(input, b.primary_back, out, [] {});
  }
  __syncthreads();
  if (t.K % 4 == 0) {
    store_gradient_vectors<4>(b, at, out, in);
  } else {
    store_gradient_vectors<1>(b, at, out, in);
  }
  if (b.partial == nullptr) return;
  __syncthreads();
  const int threads = static_cast<int>(blockDim.x), rows = threads_side_by_side(t.K % 4 == 0 ? t.K / 4 : t.K);
  for (int i = static_cast<int>(threadIdx.x); i < 2 * t.K; i += threads) {
    float sum = 0;
    for (int row = 0; row < rows; ++row) sum += in[row * 2 * t.K + i];
    b.partial[static_cast<int64_t>(tile) * 2 * t.K + i] = sum;
  }
}

}  // namespace

void igc_backward_input(Stream stream, const IgcPlan& plan, const IgcBackwardInput& b) {
  dispatch_map(b.x.dtype, [&]<class T>() {
    const BackwardInput<T> arguments = {
        plan, b.dz.as<T>(), b.x.as<T>(), b.packed.primary_back, view_of(b.x_norm), b.dx.as<T>(), b.partial};
    const Launch size = cooperative(plan.back.tiles, plan.back.threads, backward_input_bytes(plan.back));
    with_vector(plan, [&]<int V, bool kSliding>() {
      launch_early(size, stream, igc_backward_input_kernel<T, V, kSliding>, arguments);
    });
  });
}

}  // namespace igcnet::simt
