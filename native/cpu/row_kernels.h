// The inner loops of the grouped convolutions and of the secondary convolution of igc_block (Highway). One vector holds
// `lanes` neighbouring channels of the output, so any number of channels per group fills it. The callers bring
// weights and inputs in an order that makes these loops plain. Checked through conv2d and igc_block.
#pragma once

#include <cstdint>

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

// y[t * y_step + i] = sum over rows r, a < depth of w[r][a * lanes + i] * x[r](t, a, i), t < count, i < active.
struct CorrelateRow {
  Loader loader = Loader::kVector;
  int64_t rows = 1;
  const float* const* x = nullptr;
  const float* const* w = nullptr;
  int64_t depth = 0, element = 0, step = 0;
  int64_t count = 0;
  float* y = nullptr;
  int64_t y_step = 0, active = 0;
};
void correlate_row(const CorrelateRow& row);

// dw[a * lanes + i] += sum over t < count of dy[t * lanes + i] * x(t, a, i), a < depth.
struct WeightGradientRow {
  Loader loader = Loader::kVector;
  const float* x = nullptr;
  int64_t depth = 0, element = 0, step = 0;
  int64_t count = 0;
  const float* dy = nullptr;
  float* dw = nullptr;
};
void weight_gradient_row(const WeightGradientRow& row);

// A run of neighbouring pixels: columns [column, column + count) of an image row, bound for the columns of a row buffer
// from `buffer` on.
struct PixelRun {
  int64_t buffer, column, count;
};

// For the pixels j of each run: out[((buffer + j) * inputs + m) * lanes + i] = x[(column + j) * pixel + table[m * lanes
// + i]]
struct ExpandRow {
  const float* x = nullptr;
  const float* end = nullptr;  // of the tensor that x lies in; nothing behind it is read
  int64_t pixel = 0;           // floats from one pixel to the next
  const PixelRun* runs = nullptr;
  int64_t run_count = 0, inputs = 0;
  const int32_t* table = nullptr;
  int64_t span = 0;  // 1 + the largest entry of the table
  float* out = nullptr;
};
void expand_row(const ExpandRow& row);

// Likewise without a table: out[(buffer + j) * inputs + m] = x[(column + j) * pixel + m], m < inputs.
void gather_row(const ExpandRow& row);

// out[t * lanes + i] = x[t * pixel + i] for i < active, else 0; t < count.
void pack_row(const float* x, int64_t pixel, int64_t count, int64_t active, float* out);

}  // namespace igcnet
