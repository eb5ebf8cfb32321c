// Which loop of row_kernels.h a row takes.
#include "cpu/unit_rows.h"

#include <algorithm>

#include "cpu/parallel.h"
#include "cpu/row_kernels.h"

namespace igcnet {
namespace {

template <class Body>
void for_each_unit(const CorrelationPlan& plan, const Body& body) {
  constexpr int64_t kGrain = 1 << 14;  // weights: below this a team is slower than one thread
  const int64_t units = static_cast<int64_t>(plan.units.size());
  parallel_ranges(units, kGrain / plan.unit_weights() + 1, [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; ++u) body(plan.units[static_cast<size_t>(u)], u * plan.unit_weights());
  });
}

}  // namespace

void pack_units(const CorrelationPlan& plan, const float* w, float* packed) {
  for_each_unit(plan, [&](const Unit& unit, int64_t place) { plan.pack_weights(unit, w, packed + place); });
}

void unpack_units(const CorrelationPlan& plan, const float* sums, float* dw) {
  for_each_unit(plan, [&](const Unit& unit, int64_t place) { plan.unpack_gradient(unit, sums + place, dw); });
}

namespace {

void correlate_unit_row(const CorrelationPlan& plan, size_t u, int64_t out_row, ExpandedRows& rows, const float* packed,
                        float* y, int64_t y_step, const TapPointers& pointers) {
  const Unit& unit = plan.units[u];
  packed += static_cast<int64_t>(u) * plan.unit_weights();
  const RowTap* taps = plan.taps_of(out_row);
  const int64_t count = plan.taps_of(out_row + 1) - taps;
  for (int64_t i = 0; i < count; ++i) pointers.x[i] = rows.row(unit, taps[i].in_row);
  for (const Phase& phase : plan.phases) {
    const int64_t columns = static_cast<int64_t>(phase.kernel_column.size());
    for (int64_t i = 0; i < count; ++i) {
      pointers.phase_x[i] = pointers.x[i] + phase.first_in * plan.column;
      pointers.phase_w[i] = packed + (taps[i].kernel_row * plan.S + phase.slot) * plan.inputs * plan.unit_lanes();
    }
    float* first = y + phase.first_out * y_step + unit.channel;
    if (plan.way == Way::kRotate) {
      rotate_row({.M = plan.inputs,
                  .rows = columns == 0 ? 0 : count,
                  .x = pointers.phase_x,
                  .w = pointers.phase_w,
                  .columns = columns,
                  .column = plan.column,
                  .step = phase.in_step * plan.column,
                  .count = phase.count,
                  .y = first,
                  .y_step = phase.out_step * y_step,
                  .active = unit.active,
                  .rotation = plan.rotation.data()});
    } else {
      correlate_row({.loader = plan.way == Way::kWide ? Loader::kTuple1 : Loader::kVector,
                     .rows = columns == 0 ? 0 : count,
                     .x = pointers.phase_x,
                     .w = pointers.phase_w,
                     .vectors = plan.vectors,
                     .depth = columns * plan.inputs,
                     .element = plan.element,
                     .step = phase.in_step * plan.column,
                     .count = phase.count,
                     .y = first,
                     .y_step = phase.out_step * y_step,
                     .y_vector = plan.lanes,
                     .active = std::min(unit.active, plan.lanes)});
    }
  }
}

void rotate_unit_gradient_row(const CorrelationPlan& plan, size_t u, int64_t out_row, ExpandedRows& rows,
                              const float* dy, int64_t dy_step, float* sums, const TapPointers& pointers) {
  const Unit& unit = plan.units[u];
  const RowTap* taps = plan.taps_of(out_row);
  const int64_t count = plan.taps_of(out_row + 1) - taps;
  for (int64_t i = 0; i < count; ++i) {
    pointers.x[i] = rows.row(unit, taps[i].in_row);
    pointers.dw[i] = sums + taps[i].kernel_row * plan.S * plan.inputs * plan.lanes;
  }
  rotate_gradient_row({.M = plan.inputs,
                       .rows = count,
                       .x = pointers.x,
                       .dw = pointers.dw,
                       .columns = plan.S,
                       .column = plan.column,
                       .step = plan.phases[0].in_step * plan.column,
                       .count = plan.out_columns,
                       .dy = dy + unit.channel,
                       .dy_step = dy_step,
                       .rotation = plan.inverse_rotation.data()});
}

// Of kExpand and kWide: a kernel row meets all output rows at a time.
void expand_unit_gradient_rows(const CorrelationPlan& plan, size_t u, int64_t out_row, int64_t count,
                               ExpandedRows& rows, const float* dy, int64_t dy_step, float* sums,
                               const TapPointers& pointers) {
  const Unit& unit = plan.units[u];
  for (int64_t kernel_row = 0; kernel_row < plan.R; ++kernel_row) {
    int64_t met = 0;
    for (int64_t row = 0; row < count; ++row) {
      for (const RowTap* tap = plan.taps_of(out_row + row); tap < plan.taps_of(out_row + row + 1); ++tap) {
        if (tap->kernel_row != kernel_row) continue;
        pointers.x[met] = rows.row(unit, tap->in_row);
        pointers.dy[met++] = dy + row * plan.out_columns * dy_step + unit.channel;
      }
    }
    weight_gradient_rows({.loader = plan.way == Way::kWide ? Loader::kTuple1 : Loader::kVector,
                          .rows = met,
                          .x = pointers.x,
                          .dw = sums + kernel_row * plan.S * plan.inputs * plan.unit_lanes(),
                          .vectors = plan.vectors,
                          .depth = plan.S * plan.inputs,
                          .element = plan.element,
                          .step = plan.phases[0].in_step * plan.column,
                          .count = plan.out_columns,
                          .dy = pointers.dy,
                          .dy_step = dy_step,
                          .dy_vector = plan.lanes});
  }
}

}  // namespace

int64_t correlate_shares(const CorrelationPlan& plan, int64_t rows) {
  constexpr int64_t kMostOutputs = 8;  // that a block of rotate_3x3() has
  const int64_t units = static_cast<int64_t>(plan.units.size());
  return plan.rotates_3x3() ? units * rows * ((plan.out_columns + kMostOutputs - 1) / kMostOutputs) : units * rows;
}

int64_t gradient_shares(const CorrelationPlan& plan, int64_t rows) {
  return static_cast<int64_t>(plan.units.size()) * rows;
}

void find_rows(const CorrelationPlan& plan, int64_t out_row, int64_t count, ExpandedRows& rows,
               const TapPointers& pointers) {
  if (!plan.rotates_3x3()) return;
  const int64_t first = plan.first_in_row(out_row);
  for (int64_t i = 0; i < count + 2; ++i) pointers.x[i] = rows.row_or_padding(plan.units[0], first + i);
}

void correlate_unit_rows(const CorrelationPlan& plan, size_t u, int64_t out_row, int64_t count, ExpandedRows& rows,
                         const float* packed, float* y, int64_t y_step, const TapPointers& pointers, Prefetch& ahead) {
  const int64_t y_row = plan.out_columns * y_step;
  if (!plan.rotates_3x3()) {
    for (int64_t r = 0; r < count; ++r) {
      ahead.share();
      correlate_unit_row(plan, u, out_row + r, rows, packed, y + r * y_row, y_step, pointers);
    }
    return;
  }
  const Unit& unit = plan.units[u];
  packed += static_cast<int64_t>(u) * plan.unit_weights();
  Rotate3x3 task{.M = plan.inputs,
                 .rows = count,
                 .x = pointers.x,
                 .offset = unit.slab * rows.slab_floats(),
                 .count = plan.out_columns,
                 .y = y + unit.channel,
                 .y_row = y_row,
                 .y_step = y_step,
                 .active = unit.active,
                 .rotation = plan.rotation.data(),
                 .ahead = &ahead};
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t kernel_row = plan.direction == Direction::kForward ? i : 2 - i;
    task.w[i] = packed + kernel_row * 3 * plan.inputs * plan.lanes;
  }
  rotate_3x3(task);
}

void add_unit_gradient_rows(const CorrelationPlan& plan, size_t u, int64_t out_row, int64_t count, ExpandedRows& rows,
                            const float* dy, int64_t dy_step, float* sums, const TapPointers& pointers,
                            Prefetch& ahead) {
  const int64_t dy_row = plan.out_columns * dy_step;
  sums += static_cast<int64_t>(u) * plan.unit_weights();
  if (plan.way != Way::kRotate) {
    for (int64_t r = 0; r < count; ++r) ahead.share();
    return expand_unit_gradient_rows(plan, u, out_row, count, rows, dy, dy_step, sums, pointers);
  }
  if (!plan.rotates_3x3()) {
    for (int64_t r = 0; r < count; ++r) {
      ahead.share();
      rotate_unit_gradient_row(plan, u, out_row + r, rows, dy + r * dy_row, dy_step, sums, pointers);
    }
    return;
  }
  const Unit& unit = plan.units[u];
  RotateGradient3x3 task{.M = plan.inputs,
                         .rows = count,
                         .x = pointers.x,
                         .offset = unit.slab * rows.slab_floats(),
                         .count = plan.out_columns,
                         .dy = dy + unit.channel,
                         .dy_row = dy_row,
                         .dy_step = dy_step,
                         .rotation = plan.inverse_rotation.data(),
                         .ahead = &ahead};
  for (int64_t r = 0; r < 3; ++r) task.dw[r] = sums + r * 3 * plan.inputs * plan.lanes;
  rotate_gradient_3x3(task);
}

}  // namespace igcnet
