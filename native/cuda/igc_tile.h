// The tiles of the fused igc_block kernels (igc_block.cu, igc_backward_weight.cu, igc_backward_input.cu). A block of
// threads works on one tile of the output map: tile_h rows of 8, 16 or 32 pixels of one image, all channels, so that
// the map between the two convolutions stays in shared memory. Layouts in shared memory:
//   in      [in_h, in_w, C]    the tile's input with its border, 0 outside of the image
//   Planes  [channel][pixels]  four neighbouring pixels are one access of 16 bytes, a quad
// Weights are packed once a call (pack_weights), but for IgcPlan::direct, so that neighbouring threads read
// neighbouring numbers:
//   primary      [R, S, C/L, K]   from wp [K, R, S, C/L]
//   primary_back [R, S, M, C]     the same turned around, for the gradient of the input
//   mix          [L, M, Lp]       ws[m*L + l', l] at (l, m, l'); Lp is L rounded up to 4, the rest is 0
//   mix_back     [L, M, Lp]       the same number at (l', m, l)
// Maps are f32, bf16 or f16 in global memory, f32 in shared memory. K = L*M. V channels of one group are a thread's
// vector: 4, 2 or 1, what divides C/L and M. What the kernels do with a tile: igc_tile_steps.h.
#pragma once

#include "core/igc_block.h"
#include "cuda/simt.h"
#include "cuda/tuning.h"

namespace igcnet::simt {

inline constexpr int kRun = 8;   // pixels of a row that a thread works on: its accumulators
inline constexpr int kQuad = 4;  // pixels of one access
// Of the three kernels, for the compiler: threads of a block, and how many blocks find registers on a multiprocessor.
inline constexpr int kMostThreads = 192, kLeastBlocks = 2;

template <int V>
struct alignas(4 * V) Lanes {
  float at[V];
};
template <int V>
__device__ Lanes<V> load(const float* from) {
  return *reinterpret_cast<const Lanes<V>*>(from);
}

// A map of a tile, a plane of pixels a channel. The quads of 2^kAlike neighbouring channels are shuffled alike,
// otherwise than those of the next ones: so eight threads that access the same quad of channels that lie so far apart
// find them in other memory banks, and with kAlike = 2 also those of neighbouring channels. pixels: a power of two, 8
// or more.
template <int kAlike>
struct ShuffledPlanes {
  float* data;
  int pixels, mask;

  __device__ ShuffledPlanes(float* memory, int count)
      : data(memory), pixels(count), mask(count / kQuad < 8 ? count / kQuad - 1 : 7) {}
  __device__ Lanes<kQuad>& quad(int channel, int index) const {
    return *reinterpret_cast<Lanes<kQuad>*>(data + channel * pixels + (index ^ ((channel >> kAlike) & mask)) * kQuad);
  }
  __device__ void write(int channel, int index, float a, float b, float c, float d) const {
    write_shared(quad(channel, index).at, a, b, c, d);
  }
};
using Planes = ShuffledPlanes<2>;

// A convolution over tiles: input [N, H, W, C] -> output [N, P, Q, K]. `up`, not 1 for the gradient of the input at a
// stride: the input's pixels lie up - 1 zeros apart from each other.
struct TileConv {
  int64_t N = 0, tiles = 0;
  int H = 0, W = 0, C = 0, P = 0, Q = 0, K = 0;
  int R = 0, S = 0, stride = 1, up = 1;
  int top = 0, left = 0;            // padding, which may be negative
  int in_group = 1, out_group = 1;  // channels of a group
  int tile_h = 1, log_w = 3;        // tile_h is a power of two, too
  int in_h = 1, in_w = 1, tiles_down = 1, tiles_across = 1;
  int threads = 1;  // of a block

  __host__ __device__ int tile_w() const { return 1 << log_w; }
  // The line of the input where a tile at this row of the output begins, likewise of columns.
  __host__ __device__ int first_line(int row) const { return first(row, top); }
  __host__ __device__ int first_column(int column) const { return first(column, left); }
  __host__ __device__ int pixels() const { return tile_h << log_w; }
  __host__ __device__ int in_floats() const { return (in_h * in_w * C + 3) / 4 * 4; }
  __host__ __device__ int plane_floats() const { return pixels() * K; }

 private:
  __host__ __device__ int first(int place, int padding) const {
    const int begin = place * stride - padding;
    return begin > 0 ? (begin + up - 1) / up : begin / up;  // rounded up
  }
};

// The tile of this block: its image, first output row and column, and how many of them are inside of the map.
struct TilePlace {
  int64_t n;
  int row, column, rows, columns;

  // Whether the tile ends with the map or before, so that all of its pixels count.
  __device__ bool whole(const TileConv& t) const { return rows == t.tile_h && columns == t.tile_w(); }
};
__device__ inline TilePlace tile_place(const TileConv& t, unsigned tile) {
  const unsigned tiles_across = static_cast<unsigned>(t.tiles_across), tiles_down = static_cast<unsigned>(t.tiles_down);
  const unsigned line = tile / tiles_across, n = line / tiles_down;
  const int column = static_cast<int>(tile - line * tiles_across) * t.tile_w();
  const int row = static_cast<int>(line - n * tiles_down) * t.tile_h;
  return {n, row, column, t.P - row < t.tile_h ? t.P - row : t.tile_h,
          t.Q - column < t.tile_w() ? t.Q - column : t.tile_w()};
}

// The partitions of the secondary convolution.
struct Mixing {
  int L = 1, M = 1, padded_L = 4;
};

// Rows that a thread convolves together (where the tile has a multiple of that), and whether it mixes eight channels
// instead of four (forward): what fits in registers, and leaves no thread without a task.
constexpr int strip_rows(int V, bool sliding) { return sliding && V <= 2 ? 2 : 1; }
__host__ __device__ inline bool mixes_eight(const Mixing& mixing, int pixels, int threads) {
  return mixing.padded_L % 8 == 0 && mixing.padded_L / 8 * mixing.M * (pixels / kRun) >= threads;
}

// Everything that the launches of one igc_block share. The three kernels have tiles of their own.
struct IgcPlan {
  TileConv forward, weight;  // both of x -> z
  TileConv back;             // of dz [N, P, Q, K] -> dx [N, H, W, C]
  bool has_back = false;     // at the strides that its kernel knows
  bool direct = false;       // forward reads the weights as they are
  Mixing mixing;
  int V = 1;
  bool sliding = false;
  int64_t weight_blocks = 0;                     // that take the tiles of `weight` one after the other
  int primary_slices = 1, secondary_slices = 1;  // parts of a tile that threads add up side by side

  __host__ __device__ int64_t primary_count() const {
    return int64_t{1} * forward.R * forward.S * forward.in_group * forward.K;
  }
  __host__ __device__ int64_t secondary_count() const { return int64_t{1} * mixing.L * mixing.L * mixing.M; }
};

// Rows of the primary kernel whose gradient is one task, with V channels of both sides and a tap, or all three of a
// sliding kernel: what fits in registers.
constexpr int tap_rows(int V, bool sliding) { return sliding && V <= 2 ? 3 : 1; }
// Tasks of a block that adds up the gradient of the primary weights, before its pixels are divided among slices.
__host__ __device__ inline int primary_tasks(const IgcPlan& plan) {
  const TileConv& t = plan.weight;
  const int rows = tap_rows(plan.V, plan.sliding), groups = (t.R + rows - 1) / rows * (plan.sliding ? 1 : t.S);
  return t.K / plan.V * (t.in_group / plan.V) * groups;
}

// Packed weights, in one piece of memory.
struct PackedWeights {
  float *primary = nullptr, *mix = nullptr, *primary_back = nullptr, *mix_back = nullptr;
};

// What plans depend on.
struct IgcMachine {
  size_t max_shared_bytes;  // that a block may ask for
  int multiprocessors;
};

// Two sums for each channel and thread that works on it.
__host__ __device__ inline int norm_sum_floats(const TileConv& t) { return 2 * (t.K + kQuad * t.threads); }
// Bytes of shared memory of a block of the three kernels.
size_t forward_bytes(const TileConv& t);
size_t backward_weight_bytes(const TileConv& t);
size_t backward_input_bytes(const TileConv& t);

// Whether the fused kernels take the block; the plan if they do.
bool plan_igc_block(const IgcBlockParams& p, const Conv2dSizes& z, const IgcMachine& machine, IgcPlan& plan);
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
