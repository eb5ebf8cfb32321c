// One row of one unit of a primary convolution, in the way that its plan has chosen, and the packing of its weights.
// Checked through conv2d and igc_block.
#pragma once

#include <cstdint>

#include "cpu/expanded_rows.h"
#include "cpu/group_conv_plan.h"
#include "cpu/thread_buffer.h"

namespace igcnet {

// Room for the pointers of the loops, one for each kernel row.
struct TapPointers {
  const float **x, **phase_x, **phase_w;
  float** dw;

  TapPointers(int64_t kernel_rows, ThreadBuffer& memory)
      : x(memory.array<const float*>(kernel_rows)),
        phase_x(memory.array<const float*>(kernel_rows)),
        phase_w(memory.array<const float*>(kernel_rows)),
        dw(memory.array<float*>(kernel_rows)) {}
};

// Packs the weights of all units with the whole team, [unit][unit_weights()].
void pack_units(const CorrelationPlan& plan, const float* w, float* packed);
// Puts the gradients of all units where dw has them, likewise.
void unpack_units(const CorrelationPlan& plan, const float* sums, float* dw);

// Output row `out_row` of unit u. y is the row's first pixel, with y_step floats from pixel to pixel.
void correlate_unit_row(const CorrelationPlan& plan, size_t u, int64_t out_row, ExpandedRows& rows, const float* packed,
                        float* y, int64_t y_step, const TapPointers& pointers);

// Adds the weight gradient of output row `out_row` of unit u to `sums`, which are in the order of the packed weights.
// dy is the row's first pixel, with dy_step floats from pixel to pixel.
void add_unit_gradient_row(const CorrelationPlan& plan, size_t u, int64_t out_row, ExpandedRows& rows, const float* dy,
                           int64_t dy_step, float* sums, const TapPointers& pointers);

}  // namespace igcnet
