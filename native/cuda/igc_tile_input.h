// How the fused igc_block kernels (igc_tile.h) bring a tile's input to shared memory, and what belongs to its channels
// to registers. Every function is called by all threads of a block; barriers between them are the caller's.
#pragma once

#include <type_traits>

#include "cuda/igc_tile.h"
#include "cuda/norm_view.h"

namespace igcnet::simt {

// How threads share out a map: a thread keeps V channels while it goes through places (pixels, quads), so that what
// belongs to the channels is read once. body(c, first, step): places first, first + step, ... of channels c to c + V;
// threads_side_by_side() is that step. Neighbouring threads have neighbouring channels.
__device__ inline int threads_side_by_side(int vectors) {
  const int threads = static_cast<int>(blockDim.x);
  return vectors < threads ? threads / vectors : 1;
}
template <int V, class Body>
__device__ void for_channels(int channels, Body&& body) {
  const int vectors = channels / V, threads = static_cast<int>(blockDim.x), thread = static_cast<int>(threadIdx.x);
  const int lanes = vectors < threads ? vectors : threads, step = threads_side_by_side(vectors), first = thread / lanes;
  if (first >= step) return;
  for (int vector = thread - first * lanes; vector < vectors; vector += lanes) body(vector * V, first, step);
}

// The norm of V channels, held in registers.
template <int V>
struct ChannelNorm {
  float mean[V], inv_std[V], gamma[V], beta[V];
  bool present, relu;

  __device__ ChannelNorm(const NormView& norm, int c) : present(norm.present()), relu(norm.relu) {
    if (!present) return;
    for (int v = 0; v < V; ++v) {
      mean[v] = __ldg(norm.mean + c + v), inv_std[v] = __ldg(norm.inv_std + c + v);
      gamma[v] = __ldg(norm.gamma + c + v), beta[v] = __ldg(norm.beta + c + v);
    }
  }
  __device__ float standardised(float x, int v) const { return simt::standardised(x, mean[v], inv_std[v]); }
  __device__ float before_relu(float x, int v) const {
    return simt::before_relu(standardised(x, v), gamma[v], beta[v]);
  }
  __device__ float applied(float x, int v) const {
    if (!present) return x;
    const float value = before_relu(x, v);
    return relu ? relu_of(value) : value;
  }
  __device__ float behind_relu(float dy, float x, int v) const { return !relu || before_relu(x, v) > 0.0F ? dy : 0.0F; }
};

// The gradient that passes a norm, for V channels held in registers: through_norm() of norm_view.h, with its divisions
// before the pixels.
template <class T, int V>
struct ChannelGradient {
  ChannelNorm<V> norm;
  float scale[V], mean_dbeta[V], mean_dgamma[V];
  bool present, training;

  __device__ ChannelGradient(const NormGradientView<T>& g, int c)
      : norm(g.norm, c), present(g.present()), training(g.training) {
    if (!present) return;
    const float share = 1 / g.count;
    for (int v = 0; v < V; ++v) {
      scale[v] = norm.gamma[v] * norm.inv_std[v];
      mean_dbeta[v] = divided(__ldg(g.dbeta + c + v), g.count, share);
      mean_dgamma[v] = divided(__ldg(g.dgamma + c + v), g.count, share);
    }
  }
  // sum / count with a remainder: an error here would be that of all pixels.
  static __device__ float divided(float sum, float count, float share) {
    const float about = sum * share;
    return fmaf(fmaf(-about, count, sum), share, about);
  }
  __device__ float through(float dy, float x, int v) const {
    const float dv = norm.behind_relu(dy, x, v);
    if (!training) return scale[v] * dv;
    return scale[v] * (dv - (mean_dbeta[v] + norm.standardised(x, v) * mean_dgamma[v]));
  }
};

// Lines of a tile's input.
struct Lines {
  int begin, end;
};

// Calls cell(place, source, inside) for the cells of these lines that one thread cares for, `step` threads side by
// side: how many elements lie before a cell in shared memory, and in the map from the corner of the tile's input;
// inside: of the image.
template <class Cell>
__device__ void for_input_cells(const TileConv& t, const TilePlace& at, Lines lines, int first, int step, Cell&& cell) {
  const int top = t.first_line(at.row), left = t.first_column(at.column);
  const int down = step / t.in_w, across = step - down * t.in_w, begin = first / t.in_w;
  int line = lines.begin + begin, column = first - begin * t.in_w;
  // Unsigned: what lies behind the last line may not fit in 32 bits.
  const unsigned C = static_cast<unsigned>(t.C), W = static_cast<unsigned>(t.W), in_w = static_cast<unsigned>(t.in_w);
  const unsigned next_place = static_cast<unsigned>(step) * C, next_line = (W - in_w) * C;
  const unsigned next = (static_cast<unsigned>(down) * W + static_cast<unsigned>(across)) * C;
  unsigned place = (static_cast<unsigned>(line) * in_w + static_cast<unsigned>(column)) * C;
  unsigned source = (static_cast<unsigned>(line) * W + static_cast<unsigned>(column)) * C;
#pragma unroll 4
  while (line < lines.end) {
    cell(static_cast<int>(place), static_cast<int>(source),
         static_cast<unsigned>(top + line) < static_cast<unsigned>(t.H) &&
             static_cast<unsigned>(left + column) < static_cast<unsigned>(t.W));
    line += down, column += across, place += next_place, source += next;
    if (column >= t.in_w) column -= t.in_w, ++line, source += next_line;
  }
}

// The input of a tile on its way to shared memory: begin_lines() and then finish_lines(), by the same thread. What can
// be copied behind the thread's back, is: of a map in f32 with a multiple of four channels.
template <class T>
struct TileInput {
  const TileConv& t;
  const TilePlace& at;
  const T* source;
  const NormView& norm;
  float* in;

  static constexpr bool kCopies = std::is_same_v<T, float>;

  // Where the tile's input begins in the map.
  __device__ const T* corner() const {
    const int64_t h = t.first_line(at.row), w = t.first_column(at.column);
    return source + ((at.n * t.H + h) * t.W + w) * t.C;
  }

  __device__ void begin_lines(Lines lines) const {
    if constexpr (kCopies) {
      if (t.C % 4 != 0) return;
      for_channels<4>(t.C, [&](int c, int first, int step) {
        const T* const from = corner() + c;
        float* const to = in + c;
        for_input_cells(t, at, lines, first, step,
                        [&](int place, int element, bool inside) { copy_async(to + place, from + element, inside); });
      });
      commit_copies();
    }
  }
  // left: how many begin_lines() came after that of these lines.
  template <int kLeft = 0>
  __device__ void finish_lines(Lines lines) const {
    if (t.C % 4 != 0) return finish_vectors<1, false>(lines);
    if constexpr (kCopies) {
      wait_for_copies<kLeft>();
      if (norm.present()) finish_vectors<4, true>(lines);
    } else {
      finish_vectors<4, false>(lines);
    }
  }

 private:
  // in <- the source, or what was copied of it, normalised.
  template <int V, bool kCopied>
  __device__ void finish_vectors(Lines lines) const {
    for_channels<V>(t.C, [&](int c, int first, int step) {
      const ChannelNorm<V> channels(norm, c);
      const T* const from = corner() + c;
      for_input_cells(t, at, lines, first, step, [&](int cell, int element, bool inside) {
        Lanes<V>& place = *reinterpret_cast<Lanes<V>*>(in + c + cell);
        if (kCopied && !inside) return;
        Lanes<V> values{};
        if (inside) {
          Neighbours<V, T> stored;
          if constexpr (kCopied) {
            for (int v = 0; v < V; ++v) stored.at[v] = place.at[v];
          } else {
            stored = read_neighbours<V>(from + element);
          }
#pragma unroll
          for (int v = 0; v < V; ++v) values.at[v] = channels.applied(value_of(stored.at[v]), v);
        }
        place = values;
      });
    });
  }
};
// in <- source, normalised.
template <class T>
__device__ void load_input(const TileConv& t, const TilePlace& at, const T* source, const NormView& norm, float* in) {
  const TileInput<T> input{t, at, source, norm, in};
  input.begin_lines({0, t.in_h});
  input.finish_lines({0, t.in_h});
}

}  // namespace igcnet::simt
