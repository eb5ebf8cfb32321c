// What the fused igc_block kernels do with a tile (igc_tile.h): convolve it, mix its channels, store it. Every function
// is called by all threads of a block; barriers between them are the caller's.
#pragma once

#include "cuda/igc_tile_input.h"

namespace igcnet::simt {

// Where the pixels of a quad lie in the output map, from the tile's first pixel, and how many of them are in it.
struct QuadPlace {
  int pixel, count;
};
__device__ inline QuadPlace quad_place(const TileConv& t, const TilePlace& at, int quad) {
  const int row = (quad * kQuad) >> t.log_w, column = (quad * kQuad) & (t.tile_w() - 1);
  const int left = row < at.rows ? at.columns - column : 0;
  return {row * t.Q + column, left < 0 ? 0 : left < kQuad ? left : kQuad};
}
// The first element of the tile in an output map.
__device__ inline int64_t first_element(const TileConv& t, const TilePlace& at) {
  return ((at.n * t.P + at.row) * t.Q + at.column) * t.K;
}

// Eight pixels of kRows rows, V channels: accumulators of a thread.
template <int kRows, int V>
struct Strip {
  float at[kRows][kRun][V];
};

// acc += a row of a 3x3 kernel over ten pixels, which serve eight pixels and three taps: V inputs, those of `window`.
template <int V, class Weight>
__device__ void add_row(const Lanes<V> (&window)[kRun + 2], Weight&& weight_of, float (&acc)[kRun][V]) {
#pragma unroll
  for (int s = 0; s < 3; ++s) {
#pragma unroll
    for (int j = 0; j < V; ++j) {
      const Lanes<V> w = weight_of(s, j);
#pragma unroll
      for (int p = 0; p < kRun; ++p) {
#pragma unroll
        for (int v = 0; v < V; ++v) acc[p][v] += window[p + s].at[j] * w.at[v];
      }
    }
  }
}
template <int V>
__device__ void load_window(const TileConv& t, const float* line, Lanes<V> (&window)[kRun + 2]) {
#pragma unroll
  for (int i = 0; i < kRun + 2; ++i) window[i] = load<V>(line + i * t.C);
}

// acc += a 3x3 kernel over V inputs: a row of them serves up to three rows of outputs.
template <int V, int kRows>
__device__ void add_strip_3x3(const TileConv& t, const float* in, const Lanes<V> (&weights)[9][V],
                              Strip<kRows, V>& acc) {
#pragma unroll
  for (int from = 0; from < kRows + 2; ++from) {
    Lanes<V> window[kRun + 2];
    load_window(t, in + from * t.in_w * t.C, window);
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      const int r = from - row;
      if (r < 0 || r > 2) continue;
      add_row(
          window, [&](int s, int j) { return weights[3 * r + s][j]; }, acc.at[row]);
    }
  }
}

// A 3x3 kernel at stride 1. With V <= 2 the weights of V inputs stay in registers.
template <int V, int kRows>
__device__ void conv_strip_3x3(const TileConv& t, const float* in, const float* packed, Strip<kRows, V>& acc) {
  const int tap = t.in_group * t.K;  // from one tap to the next
  if constexpr (V > 2) {
    static_assert(kRows == 1);
    Lanes<V> window[kRun + 2];
#pragma unroll 1
    for (int r = 0; r < 3; ++r) {
#pragma unroll 1
      for (int c = 0; c < t.in_group; c += V) {
        load_window(t, in + r * t.in_w * t.C + c, window);
        const float* const taps = packed + 3 * r * tap + c * t.K;
        add_row(
            window, [&](int s, int j) { return load<V>(taps + s * tap + j * t.K); }, acc.at[0]);
      }
    }
  } else {
#pragma unroll 1
    for (int c = 0; c < t.in_group; c += V) {
      Lanes<V> weights[9][V];
#pragma unroll
      for (int i = 0; i < 9; ++i) {
#pragma unroll
        for (int j = 0; j < V; ++j) weights[i][j] = load<V>(packed + i * tap + (c + j) * t.K);
      }
      add_strip_3x3(t, in + c, weights, acc);
    }
  }
}

// Any kernel at any stride, one row.
template <int V>
__device__ void conv_strip(const TileConv& t, const float* in, const float* packed, Strip<1, V>& acc) {
#pragma unroll 1
  for (int r = 0; r < t.R; ++r) {
#pragma unroll 1
    for (int s = 0; s < t.S; ++s) {
      const float *cells = in + (r * t.in_w + s) * t.C, *taps = packed + (r * t.S + s) * t.in_group * t.K;
#pragma unroll 1
      for (int c = 0; c < t.in_group; c += V, cells += V) {
#pragma unroll
        for (int j = 0; j < V; ++j, taps += t.K) {
          const Lanes<V> w = load<V>(taps);
#pragma unroll
          for (int p = 0; p < kRun; ++p) {
            const float x = cells[p * t.stride * t.C + j];
#pragma unroll
            for (int v = 0; v < V; ++v) acc.at[0][p][v] += x * w.at[v];
          }
        }
      }
    }
  }
}

template <int V, int kRows, class Out>
__device__ void store_strip(const TileConv& t, int row, int column, int k0, const Strip<kRows, V>& acc,
                            const Out& out) {
  const int quad = ((row << t.log_w) + column) / kQuad;
#pragma unroll
  for (int v = 0; v < V; ++v) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const auto& a = acc.at[r];
      const int first = quad + r * (t.tile_w() / kQuad);
      out.write(k0 + v, first, a[0][v], a[1][v], a[2][v], a[3][v]);
      out.write(k0 + v, first + 1, a[4][v], a[5][v], a[6][v], a[7][v]);
    }
  }
}

template <int V, bool kSliding, int kRows>
__device__ void conv_strips(const TileConv& t, Lines rows, const float* in, const float* packed, const Planes& out) {
  const int units = t.K / V, across = t.tile_w() / kRun, tasks = units * across * ((rows.end - rows.begin) / kRows);
#pragma unroll 1
  for (int task = static_cast<int>(threadIdx.x); task < tasks; task += static_cast<int>(blockDim.x)) {
    const int place = task / units, k0 = (task - place * units) * V;
    const int strip = place / across, column = (place - strip * across) * kRun, row = rows.begin + strip * kRows;
    const float* cells = in + (row * t.in_w + column) * t.stride * t.C + k0 / t.out_group * t.in_group;
    Strip<kRows, V> acc{};
    if constexpr (kSliding) {
      conv_strip_3x3<V, kRows>(t, cells, packed + k0, acc);
    } else {
      conv_strip<V>(t, cells, packed + k0, acc);
    }
    store_strip(t, row, column, k0, acc, out);
  }
}

// out <- the convolution, in these rows of the tile. A task is V channels of a strip.
template <int V, bool kSliding>
__device__ void conv_tile(const TileConv& t, Lines rows, const float* in, const float* packed, const Planes& out) {
  constexpr int kRows = strip_rows(V, kSliding);
  if ((rows.end - rows.begin) % kRows == 0) {
    conv_strips<V, kSliding, kRows>(t, rows, in, packed, out);
  } else {
    conv_strips<V, kSliding, 1>(t, rows, in, packed, out);
  }
}

// out <- the convolution of the whole tile: the upper half while the lower one is on its way. before_weights() is
// called when the first of the input is there, before weights are read.
template <int V, bool kSliding, class T, class Before>
__device__ void conv_as_it_comes(const TileInput<T>& input, const float* packed, const Planes& out,
                                 Before&& before_weights) {
  const TileConv& t = input.t;
  const int half = t.tile_h / 2, upper_in = half == 0 ? 0 : (half - 1) * t.stride + t.R;
  input.begin_lines({0, upper_in});
  input.begin_lines({upper_in, t.in_h});
  input.template finish_lines<1>({0, upper_in});
  before_weights();
  __syncthreads();
  conv_tile<V, kSliding>(t, {0, half}, input.in, packed, out);
  input.finish_lines({upper_in, t.in_h});
  __syncthreads();
  conv_tile<V, kSliding>(t, {half, t.tile_h}, input.in, packed, out);
}

// What a thread has mixed, `to` and the next kTo - 1 with one m, as T stores it: two quads, `pairs` apart.
template <class T, int kTo>
__device__ void write_mixed(const Planes& out, int M, int m, int to, int end, int pair, int pairs,
                            const float (&acc)[2][kTo][kQuad]) {
#pragma unroll
  for (int v = 0; v < kTo; ++v) {
    if (to + v >= end) break;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const auto value = [&](int p) { return value_of(stored_as<T>(acc[half][v][p])); };
      out.write((to + v) * M + m, pair + half * pairs, value(0), value(1), value(2), value(3));
    }
  }
}

// out[to*M + m][pixel] = sum over `from` of weights[from, m, to] * in[from*M + m][pixel], as T stores it. A task is kTo
// values of `to`, eight or four, with one m, of two quads.
template <class T, int kTo>
__device__ void mix_tasks(const Mixing& mixing, const float* weights, const Planes& in, const Planes& out) {
  const int L = mixing.L, M = mixing.M, groups = mixing.padded_L / kTo, pairs = in.pixels / kRun;
  const int tasks = groups * M * pairs;
#pragma unroll 1
  for (int task = static_cast<int>(threadIdx.x); task < tasks; task += static_cast<int>(blockDim.x)) {
    const int rest = task / pairs, pair = task - rest * pairs, m = rest / groups, to = (rest - m * groups) * kTo;
    const float* row = weights + m * mixing.padded_L + to;
    float acc[2][kTo][kQuad] = {};
#pragma unroll 2
    for (int channel = m; channel < L * M; channel += M, row += M * mixing.padded_L) {
      Lanes<4> w[kTo / 4];
#pragma unroll
      for (int i = 0; i < kTo / 4; ++i) w[i] = load<4>(row + i * 4);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const Lanes<kQuad> values = in.quad(channel, pair + half * pairs);
#pragma unroll
        for (int v = 0; v < kTo; ++v) {
#pragma unroll
          for (int p = 0; p < kQuad; ++p) acc[half][v][p] += values.at[p] * w[v / 4].at[v % 4];
        }
      }
    }
    write_mixed<T, kTo>(out, M, m, to, L, pair, pairs, acc);
  }
}

// With as many values of `to` as leave each thread a task.
template <class T>
__device__ void mix_tile(const Mixing& mixing, const float* weights, const Planes& in, const Planes& out) {
  if (mixes_eight(mixing, in.pixels, static_cast<int>(blockDim.x))) {
    mix_tasks<T, 8>(mixing, weights, in, out);
  } else {
    mix_tasks<T, 4>(mixing, weights, in, out);
  }
}

// target <- the tile.
template <int V, class T>
__device__ void store_vectors(const TileConv& t, const TilePlace& at, const Planes& tile, T* target) {
  T* const corner = target + first_element(t, at);
  for_channels<V>(t.K, [&](int k, int first, int step) {
#pragma unroll 1
    for (int quad = first; quad < tile.pixels / kQuad; quad += step) {
      const QuadPlace place = quad_place(t, at, quad);
      T* const to = corner + place.pixel * t.K + k;
      Lanes<kQuad> values[V];
#pragma unroll
      for (int v = 0; v < V; ++v) values[v] = tile.quad(k + v, quad);
#pragma unroll
      for (int p = 0; p < kQuad; ++p) {
        if (p >= place.count) break;
        Neighbours<V, T> stored;
#pragma unroll
        for (int v = 0; v < V; ++v) stored.at[v] = stored_as<T>(values[v].at[p]);
        write_neighbours(to + p * t.K, stored);
      }
    }
  });
}
template <class T>
__device__ void store_tile(const TileConv& t, const TilePlace& at, const Planes& tile, T* target) {
  if (t.K % 4 == 0) {
    store_vectors<4>(t, at, tile, target);
  } else {
    store_vectors<1>(t, at, tile, target);
  }
}

}  // namespace igcnet::simt
