// The geometry of a grouped convolution, made plain for the loops of row_kernels.h: which input row and which weights
// each output row needs, and how the output channels are cut into vectors. The forward direction and the backward
// direction by input are both a "correlation" here: an output pixel is a sum over taps of input pixels.
// Checked through conv2d over all strides, paddings and channels per group.
#pragma once

#include <cstdint>
#include <vector>

#include "core/conv2d.h"
#include "cpu/row_kernels.h"

namespace igcnet {

enum class Direction { kForward, kBackwardInput };

// A set of output columns that read their inputs in the same way: first_out + t * out_step for t < count. Output t
// reads the buffer columns first_in + t * in_step + i, i < taps, with the weights of kernel column kernel_column[i].
// Forward there is one phase; backwards one for each remainder of the column by the stride.
struct Phase {
  int64_t first_out, out_step, count;
  int64_t first_in, in_step;
  int64_t slot;                        // of tap 0 in the packed weights
  std::vector<int64_t> kernel_column;  // [taps]
};

// A vector of output channels [channel, channel + active).
struct Unit {
  int64_t channel, active;
  int64_t input;  // the first input channel that it reads
};

// An input row under an output row, its place in the ring of row buffers, and the kernel row that meets it.
struct RowTap {
  int64_t in_row, slot, kernel_row;
};

struct CorrelationPlan {
  Direction direction;
  int64_t N, in_rows, in_columns, in_channels, out_rows, out_columns, out_channels;
  int64_t R, S, stride, padding;
  int64_t inputs, outputs;  // channels per group
  int64_t lanes;
  // Wide groups fill vectors by themselves: a unit lies within one group and repeats single inputs over the vector.
  // In narrow groups a vector spans several groups: inputs are first expanded, one vector for each input of a group.
  bool wide;
  int64_t element;  // floats of one input in the row buffer: 1 or lanes

  std::vector<Phase> phases;
  int64_t width;               // columns of a row buffer, padding included
  std::vector<PixelRun> runs;  // where they come from; what no run reaches is padding and stays 0
  std::vector<RowTap> taps;    // of all output rows, kernel rows ascending: see taps_of()
  std::vector<int64_t> first_tap;
  std::vector<Unit> units;

  int64_t ring() const { return R < in_rows ? R : in_rows; }  // rows that are alive at a time
  int64_t row_floats() const { return (width * inputs * element + lanes - 1) / lanes * lanes; }
  int64_t unit_weights() const { return R * S * inputs * lanes; }

  // The taps of output row p end where those of p + 1 begin.
  const RowTap* taps_of(int64_t p) const { return taps.data() + first_tap[static_cast<size_t>(p)]; }
  // The expansion table of a narrow unit (row_kernels.h): [inputs][lanes]. Returns its span.
  int64_t expansion_table(const Unit& unit, int32_t* table) const;
  // w [K, R, S, C/G] in the order [R][slot][inputs][lanes] for one unit, 0 in lanes that are not active.
  void pack_weights(const Unit& unit, const float* w, float* packed) const;
};

CorrelationPlan plan_correlation(Direction direction, const Conv2dSizes& sizes);

// The output rows of the batch are cut into this number of blocks, which are worth a task each: short enough that the
// input of a block stays in the L2 cache for all units, and enough for any number of threads. A function of the sizes
// alone, at least 1.
int64_t row_blocks(const CorrelationPlan& plan);

}  // namespace igcnet
