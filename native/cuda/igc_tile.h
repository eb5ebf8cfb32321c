// The parts of the fused igc_block kernels (igc_block.cu, igc_block_backward.cu). A block of threads works on one tile
// of the output map: tile_h rows of kRun pixels of one image, all channels, so that the map between the two
// convolutions stays in shared memory. Layouts in shared memory:
//   in  [in_h, in_w, C]         the tile's input with its border, 0 outside of the image
//   out [tile_h * kRun, K + 1]  a value a channel; the odd stride spreads pixels over the memory banks
// Weights are packed once a call (pack_weights) so that neighbouring threads read neighbouring numbers:
//   primary      [R, S, C/L, K]   from wp [K, R, S, C/L]
//   primary_back [R, S, M, C]     the same turned around, for the gradient of the input at stride 1
//   mix          [L, M, Lp]       ws[m*L + l', l] at (l, m, l'); Lp is L rounded up to 4, the rest is 0
//   mix_back     [L, M, Lp]       the same number at (l', m, l)
// Maps are f32, bf16 or f16 in global memory, f32 in shared memory. K = L*M. V channels of one group are a thread's
// vector: 4, 2 or 1, what divides C/L and M.
#pragma once

#include "core/igc_block.h"
#include "cuda/norm_view.h"
#include "cuda/partials.h"
#include "cuda/simt.h"
#include "cuda/tuning.h"

namespace igcnet::simt {

inline constexpr int kRun = 8;  // pixels in a row of a tile: a thread's accumulators

template <int V>
struct alignas(4 * V) Lanes {
  float at[V];
};
template <int V>
__device__ Lanes<V> load(const float* from) {
  return *reinterpret_cast<const Lanes<V>*>(from);
}

// A convolution over tiles: input [N, H, W, C] -> output [N, P, Q, K].
struct TileConv {
  int64_t N = 0, tiles = 0;
  int H = 0, W = 0, C = 0, P = 0, Q = 0, K = 0;
  int R = 0, S = 0, stride = 1, top = 0, left = 0;  // padding, which may be negative
  int in_group = 1, out_group = 1;                  // channels of a group
  int tile_h = 1, in_h = 1, in_w = 1, tiles_down = 1, tiles_across = 1;

  __host__ __device__ int in_floats() const { return (in_h * in_w * C + 3) / 4 * 4; }
  __host__ __device__ int out_floats(int channels) const { return (tile_h * kRun * (channels + 1) + 3) / 4 * 4; }
};

// The tile of this block: its image, first output row and column, and how many of them are inside of the map.
struct TilePlace {
  int64_t n;
  int row, column, rows, columns;
};
__device__ inline TilePlace tile_place(const TileConv& t, int64_t tile) {
  const int64_t line = tile / t.tiles_across;
  const int column = static_cast<int>(tile - line * t.tiles_across) * kRun;
  const int64_t n = line / t.tiles_down;
  const int row = static_cast<int>(line - n * t.tiles_down) * t.tile_h;
  const int rows = t.P - row < t.tile_h ? t.P - row : t.tile_h, columns = t.Q - column < kRun ? t.Q - column : kRun;
  return {n, row, column, rows, columns};
}

// in <- source, normalised; V divides C.
template <int V, class T>
__device__ void load_input_vectors(const TileConv& t, const TilePlace& at, const T* source, const NormView& norm,
                                   float* in) {
  const int vectors = t.C / V, count = t.in_h * t.in_w * vectors;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    const int pixel = i / vectors, c = (i - pixel * vectors) * V, line = pixel / t.in_w;
    const int h = at.row * t.stride - t.top + line, w = at.column * t.stride - t.left + pixel - line * t.in_w;
    Lanes<V> values{};
    if (h >= 0 && h < t.H && w >= 0 && w < t.W) {
      const auto stored = read_neighbours<V>(source + ((at.n * t.H + h) * t.W + w) * t.C + c);
      for (int v = 0; v < V; ++v) values.at[v] = value_of(stored.at[v]);
      if (norm.present()) {
        for (int v = 0; v < V; ++v) values.at[v] = applied(norm, values.at[v], c + v);
      }
    }
    *reinterpret_cast<Lanes<V>*>(in + pixel * t.C + c) = values;
  }
}
template <class T>
__device__ void load_input(const TileConv& t, const TilePlace& at, const T* source, const NormView& norm, float* in) {
  if (t.C % 4 == 0) {
    load_input_vectors<4>(t, at, source, norm, in);
  } else {
    load_input_vectors<1>(t, at, source, norm, in);
  }
}

// acc[p][v]: output channel k0 + v of pixel p of a row of the tile. kSliding: S = 3 and stride 1, where neighbouring
// pixels share their inputs; ten of them serve eight pixels and three taps.
template <int V, bool kSliding>
__device__ void conv_run(const TileConv& t, const float* in, const float* packed, int k0, int row,
                         float (&acc)[kRun][V]) {
  for (int p = 0; p < kRun; ++p) {
    for (int v = 0; v < V; ++v) acc[p][v] = 0;
  }
  const int first_c = k0 / t.out_group * t.in_group;
  // Loops over sizes that are known at run time only are not unrolled: registers are for pixels and channels.
#pragma unroll 1
  for (int r = 0; r < t.R; ++r) {
    const float* line = in + (row * t.stride + r) * t.in_w * t.C + first_c;
    const float* taps = packed + r * t.S * t.in_group * t.K + k0;
    if constexpr (kSliding) {
#pragma unroll 1
      for (int c = 0; c < t.in_group; c += V) {
        Lanes<V> window[kRun + 2];
#pragma unroll
        for (int i = 0; i < kRun + 2; ++i) window[i] = load<V>(line + i * t.C + c);
#pragma unroll
        for (int s = 0; s < 3; ++s) {
#pragma unroll
          for (int j = 0; j < V; ++j) {
            const Lanes<V> w = load<V>(taps + (s * t.in_group + c + j) * t.K);
#pragma unroll
            for (int p = 0; p < kRun; ++p) {
#pragma unroll
              for (int v = 0; v < V; ++v) acc[p][v] += window[p + s].at[j] * w.at[v];
            }
          }
        }
      }
    } else {
#pragma unroll 1
      for (int s = 0; s < t.S; ++s) {
#pragma unroll 1
        for (int c = 0; c < t.in_group; c += V) {
#pragma unroll
          for (int j = 0; j < V; ++j) {
            const Lanes<V> w = load<V>(taps + (s * t.in_group + c + j) * t.K);
#pragma unroll
            for (int p = 0; p < kRun; ++p) {
              const float x = line[(p * t.stride + s) * t.C + c + j];
#pragma unroll
              for (int v = 0; v < V; ++v) acc[p][v] += x * w.at[v];
            }
          }
        }
      }
    }
  }
}

// out <- the convolution of the whole tile. A task is V channels of a row.
template <int V, bool kSliding>
__device__ void conv_tile(const TileConv& t, const float* in, const float* packed, float* out) {
  const int units = t.K / V, tasks = units * t.tile_h;
  for (int task = static_cast<int>(threadIdx.x); task < tasks; task += static_cast<int>(blockDim.x)) {
    const int row = task / units, k0 = (task - row * units) * V;
    float acc[kRun][V];
    conv_run<V, kSliding>(t, in, packed, k0, row, acc);
#pragma unroll
    for (int p = 0; p < kRun; ++p) {
#pragma unroll
      for (int v = 0; v < V; ++v) out[(row * kRun + p) * (t.K + 1) + k0 + v] = acc[p][v];
    }
  }
}

// The partitions of the secondary convolution.
struct Mixing {
  int L = 1, M = 1, padded_L = 4;
};

// out[pixel][to*M + m] = sum over `from` of weights[from, m, to] * in[pixel][from*M + m]. A task is four values of `to`
// with one m, of a row.
__device__ inline void mix_tile(const Mixing& mixing, int tile_h, const float* weights, const float* in, float* out) {
  const int L = mixing.L, M = mixing.M, quads = mixing.padded_L / 4, stride = L * M + 1, tasks = quads * M * tile_h;
  for (int task = static_cast<int>(threadIdx.x); task < tasks; task += static_cast<int>(blockDim.x)) {
    const int to = task % quads * 4, m = task / quads % M, row = task / quads / M;
    float acc[kRun][4] = {};
    for (int from = 0; from < L; ++from) {
      const Lanes<4> w = load<4>(weights + (from * M + m) * mixing.padded_L + to);
      const float* cell = in + row * kRun * stride + from * M + m;
#pragma unroll
      for (int p = 0; p < kRun; ++p) {
        const float value = cell[p * stride];
#pragma unroll
        for (int v = 0; v < 4; ++v) acc[p][v] += value * w.at[v];
      }
    }
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      if (to + v >= L) continue;
#pragma unroll
      for (int p = 0; p < kRun; ++p) out[(row * kRun + p) * stride + (to + v) * M + m] = acc[p][v];
    }
  }
}

// Everything that the launches of one igc_block share.
struct IgcPlan {
  TileConv forward, back;  // back: of dz [N, P, Q, K] -> dx [N, H, W, C], at stride 1 only
  Mixing mixing;
  int V = 1;
  bool sliding = false;

  size_t forward_bytes() const;
  size_t backward_weight_bytes() const;
  size_t backward_input_bytes() const;
};

// Packed weights, in one piece of memory.
struct PackedWeights {
  float *primary = nullptr, *mix = nullptr, *primary_back = nullptr, *mix_back = nullptr;
};

// Whether the fused kernels take the block, with tiles that fit in `max_shared_bytes`; the plan if they do.
bool plan_igc_block(const IgcBlockParams& p, const Conv2dSizes& z, size_t max_shared_bytes, IgcPlan& plan);
size_t packed_floats(const IgcPlan& plan);
PackedWeights pack_weights(Stream stream, const IgcPlan& plan, const float* primary, const float* secondary,
                           float* memory);

// What makes two blocks alike for the choice between the fused kernels and the four operators (tuning.h).
inline Tuning::Key tuning_key(const IgcBlockParams& p, const Conv2dSizes& z, DType dtype) {
  return {static_cast<int64_t>(dtype), z.N, z.H, z.W, z.C, z.K, z.R, z.S, z.stride, z.padding, p.primary_partitions,
          p.secondary_partitions};
}

// Calls body.operator()<V, kSliding>() with those of the plan.
template <class Body>
void with_vector(const IgcPlan& plan, Body&& body) {
  const auto sliding = [&]<int V>() {
    if (plan.sliding) {
      body.template operator()<V, true>();
    } else {
      body.template operator()<V, false>();
    }
  };
  if (plan.V == 4) {
    sliding.template operator()<4>();
  } else if (plan.V == 2) {
    sliding.template operator()<2>();
  } else {
    sliding.template operator()<1>();
  }
}

}  // namespace igcnet::simt
