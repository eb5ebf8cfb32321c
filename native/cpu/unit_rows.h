// Rows of one unit of a primary convolution, in the way that its plan has chosen, and the packing of its weights.
// Checked through conv2d and igc_block.
#pragma once

#include <cstdint>

#include "cpu/expanded_rows.h"
#include "cpu/group_conv_plan.h"
#include "cpu/thread_buffer.h"

namespace igcnet {

// Room for the pointers of the loops, one for each kernel row (of each half) or for each input row, and for a row of dy
// whose groups are split into halves, where weight gradients are made.
struct TapPointers {
  const float **x, **phase_x, **phase_w;
  const float** dy;
  float** dw;
  float* halves;

  TapPointers(int64_t kernel_rows, int64_t most_output_rows, int64_t half_floats, ThreadBuffer& memory)
      : x(memory.array<const float*>(kernel_rows + most_output_rows - 1)),
        phase_x(memory.array<const float*>(2 * kernel_rows)),
        phase_w(memory.array<const float*>(2 * kernel_rows)),
        dy(memory.array<const float*>(most_output_rows)),
        dw(memory.array<float*>(kernel_rows)),
        halves(memory.floats(half_floats)) {}
};

// Packs the weights of all units with the whole team, [unit][unit_weights()].
void pack_units(const CorrelationPlan& plan, const float* w, float* packed);
// Puts the gradients of all units where dw has them, likewise.
void unpack_units(const CorrelationPlan& plan, const float* sums, float* dw);

// How often the functions below ask for a share for `rows` output rows of all units, at least.
int64_t correlate_shares(const CorrelationPlan& plan, int64_t rows);
int64_t gradient_shares(const CorrelationPlan& plan, int64_t rows);

// Finds the input rows of the output rows [out_row, out_row + count), for all calls of the functions below for them.
void find_rows(const CorrelationPlan& plan, int64_t out_row, int64_t count, ExpandedRows& rows,
               const TapPointers& pointers);

// What becomes of outputs besides, for all channels.
struct OutputWork {
  MaskedSums mask{};     // where masks_rows()
  ShiftedSums sums{};    // where sums_rows()
  bool streams = false;  // likewise, and as in CorrelateRow
};
bool masks_rows(const CorrelationPlan& plan, const ChannelNorm& norm);
bool sums_rows(const CorrelationPlan& plan);

// Output rows [out_row, out_row + count) of all units. y is the first pixel of the first row, with y_step floats from
// pixel to pixel and rows one behind the other.
void correlate_rows(const CorrelationPlan& plan, int64_t out_row, int64_t count, ExpandedRows& rows,
                    const float* packed, float* y, int64_t y_step, const TapPointers& pointers, Prefetch& ahead,
                    const OutputWork& work = {});

// Adds the weight gradients of these rows to `sums`, which are in the order of the packed weights. dy likewise.
void add_gradient_rows(const CorrelationPlan& plan, int64_t out_row, int64_t count, ExpandedRows& rows, const float* dy,
                       int64_t dy_step, float* sums, const TapPointers& pointers, Prefetch& ahead);

}  // namespace igcnet
