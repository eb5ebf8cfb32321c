// The two convolutions of a tile (igc_tile_steps.h) with weights as they are, not packed: IgcPlan::direct. The primary
// kernel is 3x3 at stride 1, its groups have V channels on both sides, and V = M, one or two; L is a multiple of four,
// a tile has 64, 128 or 256 pixels.
#pragma once

#include "cuda/igc_tile_steps.h"

namespace igcnet::simt {

// The map between the two: planes are shuffled by l, so that neither the threads that write groups beside each other
// meet in a memory bank, nor those that read pixels beside each other.
template <int M>
using DirectPlanes = ShuffledPlanes<M - 1>;

// Rows that a thread convolves together: four, where that leaves no thread without a task.
constexpr int kDirectRows = 4;
__device__ inline bool takes_direct_rows(const TileConv& t, int V) {
  const int tasks = t.K / V * (t.tile_h / kDirectRows) * (t.tile_w() / kRun);
  return t.tile_h % kDirectRows == 0 && tasks >= t.threads;
}

// out <- the primary convolution. Weights wait in the memory of `out`, and are read before it is written, behind a
// barrier of its own: threads keep their channels. Neighbours have strips below each other.
template <int V, int kRows, class Out>
__device__ void conv_strips_direct(const TileConv& t, const float* in, const Out& out) {
  const int units = t.K / V, strips = t.tile_h / kRows, places = t.tile_w() / kRun * strips;
  const int thread = static_cast<int>(threadIdx.x), step = static_cast<int>(blockDim.x) / units;
  const int first = thread / units, k0 = (thread - first * units) * V;
  Lanes<V> weights[9][V];
#pragma unroll
  for (int v = 0; v < V; ++v) {
#pragma unroll
    for (int i = 0; i < 9; ++i) {
      const Lanes<V> of_inputs = load<V>(out.data + (k0 + v) * 9 * V + i * V);
#pragma unroll
      for (int j = 0; j < V; ++j) weights[i][j].at[v] = of_inputs.at[j];
    }
  }
  __syncthreads();
#pragma unroll 1
  for (int place = first; place < places; place += step) {
    const int across = place / strips, column = across * kRun, row = (place - across * strips) * kRows;
    Strip<kRows, V> acc{};
    add_strip_3x3(t, in + (row * t.in_w + column) * t.C + k0, weights, acc);
    store_strip(t, row, column, k0, acc, out);
  }
}
template <int V>
__device__ void conv_tile_direct(const TileConv& t, const float* in, const DirectPlanes<V>& out) {
  if (takes_direct_rows(t, V)) {
    conv_strips_direct<V, kDirectRows>(t, in, out);
  } else {
    conv_strips_direct<V, strip_rows(V, true)>(t, in, out);
  }
}

// out[to*M + m][pixel] = sum over `from` of ws[m*L + to, from] * in[from*M + m][pixel], as T stores it: mix_tasks()
// with all that is known beforehand. Four inputs at a time, whose weights are one access.
template <class T, int M, int kTo, int kPixels>
__device__ void mix_tasks_direct(const Mixing& mixing, const float* weights, const DirectPlanes<M>& in,
                                 const Planes& out) {
  constexpr int kFrom = 4, kPairs = kPixels / kRun;
  const int L = mixing.L, groups = L / kTo, tasks = groups * M * kPairs;
#pragma unroll 1
  for (int task = static_cast<int>(threadIdx.x); task < tasks; task += static_cast<int>(blockDim.x)) {
    const int rest = task / kPairs, pair = task % kPairs, m = rest < groups ? 0 : 1, to = (rest - m * groups) * kTo;
    const float *row = weights + (m * L + to) * L, *plane = in.data + m * kPixels;
    float acc[2][kTo][kQuad] = {};
#pragma unroll 1
    for (int from = 0; from < L; from += kFrom, row += kFrom, plane += kFrom * M * kPixels) {
      Lanes<kFrom> w[kTo];
#pragma unroll
      for (int v = 0; v < kTo; ++v) w[v] = load<kFrom>(row + v * L);
      const int shuffled = pair ^ (from & 7);
#pragma unroll
      for (int j = 0; j < kFrom; ++j) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int quad = (shuffled ^ j) + half * kPairs;
          const Lanes<kQuad> values = load<kQuad>(plane + j * M * kPixels + quad * kQuad);
#pragma unroll
          for (int v = 0; v < kTo; ++v) {
#pragma unroll
            for (int p = 0; p < kQuad; ++p) acc[half][v][p] += values.at[p] * w[v].at[j];
          }
        }
      }
    }
    write_mixed<T, kTo>(out, M, m, to, L, pair, kPairs, acc);
  }
}
template <class T, int M, int kTo>
__device__ void mix_pixels_direct(const Mixing& mixing, const float* weights, const DirectPlanes<M>& in,
                                  const Planes& out) {
  if (in.pixels == 256) return mix_tasks_direct<T, M, kTo, 256>(mixing, weights, in, out);
  if (in.pixels == 128) return mix_tasks_direct<T, M, kTo, 128>(mixing, weights, in, out);
  mix_tasks_direct<T, M, kTo, 64>(mixing, weights, in, out);
}
template <class T, int M>
__device__ void mix_tile_direct(const Mixing& mixing, const float* weights, const DirectPlanes<M>& in,
                                const Planes& out) {
  if (mixes_eight(mixing, in.pixels, static_cast<int>(blockDim.x))) {
    mix_pixels_direct<T, M, 8>(mixing, weights, in, out);
  } else {
    mix_pixels_direct<T, M, 4>(mixing, weights, in, out);
  }
}

}  // namespace igcnet::simt
