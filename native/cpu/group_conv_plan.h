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

// How a vector of outputs meets its inputs:
enum class Way {
  kRotate,  // groups of M inputs and M outputs that a vector holds several of: sums of whole groups are turned. With
            // twice as many outputs, or inputs, these have two halves of M each, and a vector for each half
  kRepeat,  // groups of as many inputs and outputs as a vector has lanes, at 3x3 and stride 1: single inputs are
            // repeated over the vector
  kExpand,  // other groups below a vector: inputs are first expanded, one vector for each input of a group
  kWide,    // groups fill vectors by themselves: a unit lies within one group and repeats single inputs over the vector
};

// A set of output columns that read their inputs in the same way: first_out + t * out_step for t < count. Output t
// reads the buffer columns first_in + t * in_step + i, i < taps, with the weights of kernel column kernel_column[i].
// Forward there is one phase; backwards one for each remainder of the column by the stride.
struct Phase {
  int64_t first_out, out_step, count;
  int64_t first_in, in_step;
  int64_t slot;                        // of tap 0 in the packed weights
  std::vector<int64_t> kernel_column;  // [taps]
};

// A vector of output channels [channel, channel + active), or `vectors` whole ones; in kRotate both halves of
// [channel, channel + output_halves * active).
struct Unit {
  int64_t channel, active;
  int64_t input;  // the first input channel that it reads
  int64_t slab;   // the row buffer that it reads
};

// An input row under an output row, and the kernel row that meets it.
struct RowTap {
  int64_t in_row, kernel_row;
};

struct CorrelationPlan {
  Direction direction;
  int64_t N, in_rows, in_columns, in_channels, out_rows, out_columns, out_channels;
  int64_t R, S, stride, padding;
  int64_t inputs, outputs;  // channels per group
  int64_t lanes;
  int64_t vectors;  // of a unit: 2 or 3 where groups have as many (kWide), since they share the loads of the inputs,
                    // and output_halves in kRotate
  Way way;
  int64_t M;                            // kRotate: channels that turn, the fewer of inputs and outputs
  int64_t input_halves, output_halves;  // kRotate: 1 or 2
  int64_t pair_outputs;                 // the most columns of a block of two rows, 0: rows go by themselves
  bool pair_gradients;                  // whether those of the weights are summed over pairs of rows

  std::vector<Phase> phases;
  int64_t width;               // columns of a row buffer, padding included
  std::vector<PixelRun> runs;  // where they come from; what no run reaches is padding and stays 0
  std::vector<RowTap> taps;    // of all output rows, kernel rows ascending: see taps_of()
  std::vector<int64_t> first_tap;
  std::vector<Unit> units;

  // A row buffer consists of slabs: one for each unit, or for each group (kWide).
  int64_t slabs;
  int64_t column;               // floats of a column of a slab
  int64_t element;              // floats from one input to the next: lanes (kExpand) or 1 (kWide)
  std::vector<int32_t> tables;  // of the expansions (row_kernels.h), [slabs][inputs][lanes]
  std::vector<int64_t> spans;   // [slabs]
  // kRotate: lane i takes from lane rotation[j][i] of sum j; and the inverse. [M][lanes]
  std::vector<int32_t> rotation, inverse_rotation;
  // kRotate with halves: where both halves are in channels that lie as the tensor has them, and the other way round,
  // [2][lanes] as ExpandRow and RotateRow take them.
  std::vector<int32_t> split, join;

  bool is_3x3() const { return R == 3 && S == 3 && stride == 1; }
  // Whether the loops of Rotate3x3 take it, which go over several rows.
  bool takes_rows() const { return way == Way::kRepeat || (way == Way::kRotate && is_3x3() && inputs == outputs); }
  // Whether pairs of output rows are.
  bool takes_pairs() const { return pair_outputs > 0; }
  // Whether input rows are cut into a slab for each unit as they are.
  bool cuts_rows() const { return way == Way::kRepeat || (way == Way::kRotate && input_halves == 1); }
  // The first input row under output row p, padding included, at stride 1.
  int64_t first_in_row(int64_t p) const {
    return direction == Direction::kForward ? p - padding : p + padding - (R - 1);
  }

  // Of a row of dy of one unit that is split into halves for the weight gradient (forward only).
  int64_t half_floats() const { return way == Way::kRotate && output_halves == 2 ? out_columns * 2 * lanes : 0; }
  int64_t slab_floats() const { return (width * column + 2 * lanes - 1) / lanes * lanes; }
  int64_t unit_lanes() const { return vectors * lanes; }
  int64_t unit_weights() const { return R * S * inputs * unit_lanes(); }
  int64_t weight_floats() const { return static_cast<int64_t>(units.size()) * unit_weights(); }
  // The weights as the loops read them: behind those of a unit, those of its pairs of rows.
  int64_t packed_unit() const { return unit_weights() + (takes_pairs() ? 4 * S * inputs * lanes : 0); }
  int64_t packed_floats() const { return static_cast<int64_t>(units.size()) * packed_unit(); }
  // Input rows that the output rows [begin, begin + count) need, at most, for any begin.
  int64_t most_rows_under(int64_t count) const;

  // The taps of output row p end where those of p + 1 begin.
  const RowTap* taps_of(int64_t p) const { return taps.data() + first_tap[static_cast<size_t>(p)]; }
  // w [K, R, S, C/G] in the order [R][slot][inputs][unit_lanes()] for one unit, 0 in lanes that are not active. A lane
  // stands for an output channel, in kRotate for the input channel, and there the order is [half][R][slot][M][lanes].
  void pack_weights(const Unit& unit, const float* w, float* packed) const;
  // The sums of a weight gradient of one unit, in the same order, put where dw [K, R, S, C/G] has them (forward only).
  void unpack_gradient(const Unit& unit, const float* sums, float* dw) const;

  // Where the packed weights of the first unit are in w, -1 for lanes that have none: units that are as full have the
  // same order, from other places on. Empty where they don't (kExpand), or where it would be long.
  std::vector<int32_t> order;
  void plan_order();

 private:
  // Where the weights of output channel k begin in w.
  int64_t first_weight(int64_t k) const;
  bool has_order(const Unit& unit) const { return !order.empty() && unit.active == units[0].active; }
  // body(place in w, place in the packed weights) for every weight of a unit.
  template <class Body>
  void for_each_weight(const Unit& unit, const Body& body) const;
};

CorrelationPlan plan_correlation(Direction direction, const Conv2dSizes& sizes);

}  // namespace igcnet
