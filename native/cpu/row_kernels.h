// The inner loops of the grouped convolutions and of the secondary convolution of igc_block (Highway). A vector holds
// `lanes` neighbouring channels of the output, so any number of channels per group fills it. The callers bring
// weights and inputs in an order that makes these loops plain; docs/kernels/grouped-convolution.md has the picture.
// Checked through conv2d and igc_block.
#pragma once

#include <cstdint>

#include "cpu/channel_norm.h"
#include "cpu/prefetch.h"

namespace igcnet {

// What multiplies weight vector a at output t is read at x + t * step + a * element:
enum class Loader {
  kVector,  // as it is: `lanes` floats
  kTuple1,  // one float, repeated over the vector
  kTuple2,  // 2 floats, repeated
  kTuple4,
  kTuple8,
};

// f32 lanes of a vector on this machine.
int64_t simd_lanes();
// The loader that repeats a tuple of M floats, or kVector if there is none for M on this machine.
Loader tuple_loader(int64_t M);

inline constexpr int64_t kMaxVectors = 3;  // output vectors that share the loads of x in one call: 1, 2 or 3

// Sums over outputs y, for each channel: of y - shift and of its square. `starts`: shift becomes the mean of some
// outputs, near which the sums round little, and they start at 0. Null: not wanted.
struct ShiftedSums {
  float *shift = nullptr, *sum = nullptr, *square = nullptr;
  bool starts = false;

  ShiftedSums of(int64_t channel) const {
    return shift == nullptr ? *this : ShiftedSums{shift + channel, sum + channel, square + channel, starts};
  }
};

// For output t < count and vector v < vectors, y[t * y_step + v * y_vector + i] =
//   sum over rows r, a < depth of w[r][(a * vectors + v) * lanes + i] * x[r](t, a, i),  i < active.
struct CorrelateRow {
  Loader loader = Loader::kVector;
  int64_t rows = 1;
  const float* const* x = nullptr;
  const float* const* w = nullptr;
  int64_t vectors = 1;
  int64_t depth = 0, element = 0, step = 0;
  int64_t count = 0;
  float* y = nullptr;
  int64_t y_step = 0, y_vector = 0;
  int64_t active = 0;  // channels of each vector that are stored
  Prefetch* ahead = nullptr;
  ShiftedSums sums{};  // of y, if all channels are stored
  // Stores that go past the caches, where streams_outputs() and all vectors of y are on cache lines of their own.
  bool streams = false;
};
void correlate_row(const CorrelateRow& row);
// Whether a vector is a cache line, and there are such stores (cpu/streams.h).
bool streams_outputs();
// How many shares it asks for with one row.
int64_t correlate_shares(int64_t vectors, int64_t depth, int64_t count);

// dw[(a * vectors + v) * lanes + i] += sum over rows r and t < count of
//   dy[r][t * dy_step + v * dy_vector + i] * x[r](t, a, i), a < depth. Reads whole vectors of dy.
struct WeightGradientRows {
  Loader loader = Loader::kVector;
  int64_t rows = 1;
  const float* const* x = nullptr;
  float* dw = nullptr;
  int64_t vectors = 1;
  int64_t depth = 0, element = 0, step = 0;
  int64_t count = 0;
  const float* const* dy = nullptr;
  int64_t dy_step = 0, dy_vector = 0;
  Prefetch* ahead = nullptr;
};
void weight_gradient_rows(const WeightGradientRows& row);
// How many shares it asks for with one row.
int64_t gradient_shares(int64_t vectors, int64_t depth, int64_t count);

// A grouped convolution with as many inputs as outputs in a group (M), both in the same lanes: lane k of x belongs to
// the tuple of M lanes that lane k of y belongs to. Nothing is permuted before the sums are complete:
//   sum_j[k] = sum over rows r, columns s < columns of w[r][(s * M + j) * lanes + k] * x[r][t * step + s * column + k]
//   y[t * y_step + i] = sum over j < M of sum_j[rotation[j * lanes + i]],  i < active,
// where `rotation` turns the tuples by j: lane i of x meets lane i + j of y in each tuple, modulo M, or lane i xor j if
// M is a power of 2. Unit u of `units` has its inputs u * x_unit behind, its weights u * w_unit, its outputs u *
// y_unit. With `join` a unit has two vectors of such outputs, the second one by the weights w_half behind, which are
// put where
//   y[t * y_step + i] = both[join[i]],  i < 2 * active.
struct RotateRow {
  int64_t M = 1;  // below the lanes
  int64_t rows = 1;
  const float* const* x = nullptr;
  const float* const* w = nullptr;
  int64_t units = 1, x_unit = 0, w_unit = 0, y_unit = 0;
  int64_t columns = 0, column = 0, step = 0;
  int64_t count = 0;
  float* y = nullptr;
  int64_t y_step = 0, active = 0;
  const int32_t* rotation = nullptr;
  int64_t w_half = 0;
  const int32_t* join = nullptr;  // [2][lanes], entries below 2 * lanes
  Prefetch* ahead = nullptr;      // a share for each unit
};
void rotate_row(const RotateRow& row);

// dw[r][(s * M + j) * lanes + k] += sum over t < count of dy[t * dy_step + rotation[j * lanes + k]] *
// x[r][t * step + s * column + k]: here `rotation` turns the other way.
struct RotateGradientRow {
  int64_t M = 1;
  int64_t rows = 1;
  const float* const* x = nullptr;
  float* const* dw = nullptr;
  int64_t columns = 0, column = 0, step = 0;
  int64_t count = 0;
  const float* dy = nullptr;
  int64_t dy_step = 0;
  const int32_t* rotation = nullptr;
};
void rotate_gradient_row(const RotateGradientRow& row);

// What becomes of outputs that are the gradient of a norm with a ReLU, as of mask_and_sum_rows(): 0 where the ReLU was,
// and sums over them for each channel, which are added to. x lies as y does. Null: nothing.
struct MaskedSums {
  const float* x = nullptr;
  ChannelNorm norm;
  float *sum = nullptr, *product = nullptr;
};

// RotateRow for a 3x3 kernel at stride 1, over several output rows: row p reads the input rows x[p], x[p + 1], x[p + 2]
// with the weights w[0], w[1], w[2] of a kernel row each, [3][M][lanes]. From `offset` on a row of x has the lanes of
// a unit, pixel behind pixel. Groups of as many channels as lanes do not turn, and lanes of their weights stand for
// outputs:
//   y[t * y_step + i] = sum over r, s < 3, j < lanes of w[r][(s * lanes + j) * lanes + i] * x[r][(t + s) * lanes + j]
// Unit u of `units` has its lanes u * x_unit behind `offset`, its weights u * w_unit behind w, its outputs u * y_unit
// behind y.
struct Rotate3x3 {
  int64_t M = 1;  // at most the lanes
  int64_t rows = 0;
  int64_t units = 1, x_unit = 0, w_unit = 0, y_unit = 0;
  const float* const* x = nullptr;  // [rows + 2]
  int64_t offset = 0;
  const float* w[3] = {};
  const float* pair_w = nullptr;  // pair_weights_3x3(): pairs of rows take 12 multiply-adds for 18 with them
  int64_t count = 0;              // output columns
  float* y = nullptr;
  int64_t y_row = 0, y_step = 0, active = 0;
  const int32_t* rotation = nullptr;
  Prefetch* ahead = nullptr;  // a share for each block of columns; pair_shares_3x3() for those of a pair of rows
  MaskedSums mask{};          // where all lanes are active
};
void rotate_3x3(const Rotate3x3& task);
// The most columns that a block has.
int64_t most_outputs_3x3(int64_t M);

// The weights of pairs of rows (Winograd's F(2, 3)), [4][3][M][lanes], of those of three kernel rows, [3][M][lanes]
// each, as rotate_pairs_3x3() reads them.
void pair_weights_3x3(const float* const* w, int64_t M, const int32_t* rotation, float* out);
// The most columns of a block of two rows; 0 where rows are better worked on by themselves. What a block asks for.
int64_t most_pair_outputs_3x3(int64_t M);
int64_t pair_shares_3x3(int64_t M);
// The pairs of rows 0 and 1, 2 and 3, .. of rotate_3x3(); a last row without another one is left out.
void rotate_pairs_3x3(const Rotate3x3& task);
// Those that are worked on by rows of sums, likewise.
int64_t most_sum_row_outputs_3x3(int64_t M);
inline constexpr int64_t kSumRowShares = 4;
void rotate_sum_rows_3x3(const Rotate3x3& task);

// RotateGradientRow likewise, summed over all rows; dw[r] [3][M][lanes], in the order of the weights.
struct RotateGradient3x3 {
  int64_t M = 1;
  int64_t rows = 0;
  int64_t units = 1, x_unit = 0, w_unit = 0, y_unit = 0;  // of dw and dy
  const float* const* x = nullptr;                        // [rows + 2]
  int64_t offset = 0;
  float* dw[3] = {};
  int64_t count = 0;
  const float* dy = nullptr;
  int64_t dy_row = 0, dy_step = 0;
  const int32_t* rotation = nullptr;
  bool pairs = false;         // two rows at a time, where takes_gradient_pairs_3x3()
  Prefetch* ahead = nullptr;  // a share for each row, or more
};
void rotate_gradient_3x3(const RotateGradient3x3& task);
inline void next_unit(RotateGradient3x3& task) {
  task.offset += task.x_unit;
  for (float*& dw : task.dw) dw += task.w_unit;
  task.dy += task.y_unit;
}

// Its pairs of rows, likewise. They ask for a share every so many columns of each pass over a pair: a pass has the sums
// of so many turns, of the inner rows or of the outer ones.
inline constexpr int64_t kPairShareColumns = 12, kPairTurns = 3;
bool takes_gradient_pairs_3x3(int64_t M);
void rotate_gradient_pairs_3x3(const RotateGradient3x3& task);

// A run of neighbouring pixels: columns [column, column + count) of an image row, bound for the columns of a row buffer
// from `buffer` on.
struct PixelRun {
  int64_t buffer, column, count;
};

// For the pixels j of each run:
//   out[((buffer + j) * inputs + m) * lanes + i] = x[(column + j) * pixel + table[m * lanes + i]]
struct ExpandRow {
  const float* x = nullptr;
  const float* end = nullptr;  // of the memory that x lies in; nothing behind it is read
  int64_t pixel = 0;           // floats from one pixel to the next
  const PixelRun* runs = nullptr;
  int64_t run_count = 0, inputs = 0;
  const int32_t* table = nullptr;
  int64_t span = 0;  // 1 + the largest entry of the table
  float* out = nullptr;
};
void expand_row(const ExpandRow& row);

// expand_row() without a table: out[(buffer + j) * inputs + m] = x[(column + j) * pixel + m], m < inputs.
void gather_row(const ExpandRow& row);

}  // namespace igcnet
