// Which loop of row_kernels.h a row takes.
#include "cpu/unit_rows.h"

#include <algorithm>

#include "cpu/equal_blocks.h"
#include "cpu/parallel.h"
#include "cpu/row_kernels.h"

namespace igcnet {
namespace {

template <class Body>
void for_each_unit(const CorrelationPlan& plan, const Body& body) {
  constexpr int64_t kGrain = 1 << 14;  // weights: below this a team is slower than one thread
  const int64_t units = static_cast<int64_t>(plan.units.size());
  parallel_ranges(units, kGrain / plan.unit_weights() + 1, [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; ++u) body(plan.units[static_cast<size_t>(u)], u);
  });
}

// The packed weights of the kernel rows, from the first input row on.
struct KernelRows {
  const float* w[3];
};
KernelRows kernel_rows(const CorrelationPlan& plan, const float* packed) {
  const int64_t row = 3 * plan.inputs * plan.lanes;
  if (plan.direction == Direction::kForward) return {{packed, packed + row, packed + 2 * row}};
  return {{packed + 2 * row, packed + row, packed}};
}

}  // namespace

void pack_units(const CorrelationPlan& plan, const float* w, float* packed) {
  for_each_unit(plan, [&](const Unit& unit, int64_t u) {
    float* place = packed + u * plan.packed_unit();
    plan.pack_weights(unit, w, place);
    if (plan.takes_pairs()) {
      pair_weights_3x3(kernel_rows(plan, place).w, plan.inputs, plan.rotation.data(), place + plan.unit_weights());
    }
  });
}

void unpack_units(const CorrelationPlan& plan, const float* sums, float* dw) {
  for_each_unit(plan,
                [&](const Unit& unit, int64_t u) { plan.unpack_gradient(unit, sums + u * plan.unit_weights(), dw); });
}

namespace {

// body(u, units) for runs of units that take the same loop: all that are as full, then a last one.
template <class Body>
void for_equal_units(const CorrelationPlan& plan, const Body& body) {
  const int64_t units = static_cast<int64_t>(plan.units.size());
  const int64_t whole = plan.units.back().active == plan.units[0].active ? units : units - 1;
  body(int64_t{0}, whole);
  if (whole < units) body(whole, int64_t{1});
}

// Of kExpand and kWide.
void correlate_unit_row(const CorrelationPlan& plan, const Unit& unit, const RowTap* taps, int64_t count,
                        const float* packed, float* y, int64_t y_step, const TapPointers& pointers,
                        const OutputWork& work) {
  for (const Phase& phase : plan.phases) {
    const int64_t columns = static_cast<int64_t>(phase.kernel_column.size());
    for (int64_t i = 0; i < count; ++i) {
      pointers.phase_x[i] = pointers.x[i] + phase.first_in * plan.column;
      pointers.phase_w[i] = packed + (taps[i].kernel_row * plan.S + phase.slot) * plan.inputs * plan.unit_lanes();
    }
    correlate_row({.loader = plan.way == Way::kWide ? Loader::kTuple1 : Loader::kVector,
                   .rows = columns == 0 ? 0 : count,
                   .x = pointers.phase_x,
                   .w = pointers.phase_w,
                   .vectors = plan.vectors,
                   .depth = columns * plan.inputs,
                   .element = plan.element,
                   .step = phase.in_step * plan.column,
                   .count = phase.count,
                   .y = y + phase.first_out * y_step + unit.channel,
                   .y_step = phase.out_step * y_step,
                   .y_vector = plan.lanes,
                   .active = std::min(unit.active, plan.lanes),
                   .sums = work.sums.of(unit.channel),
                   .streams = work.streams});
  }
}

// Of kRotate, all units. Both halves of the inputs meet in one sum.
void rotate_units_row(const CorrelationPlan& plan, const RowTap* taps, int64_t count, ExpandedRows& rows,
                      const float* packed, float* y, int64_t y_step, const TapPointers& pointers, Prefetch& ahead) {
  const int64_t half_weights = plan.R * plan.S * plan.M * plan.lanes;
  for (int64_t i = 0; i < count; ++i) {
    pointers.x[i] = rows.row(plan.units[0], taps[i].in_row);
    if (plan.cuts_rows()) continue;
    for (const Unit& unit : plan.units) rows.row(unit, taps[i].in_row);
  }
  for (const Phase& phase : plan.phases) {
    const int64_t columns = static_cast<int64_t>(phase.kernel_column.size());
    for_equal_units(plan, [&](int64_t u, int64_t units) {
      const Unit& first = plan.units[static_cast<size_t>(u)];
      const RotateRow row{.M = plan.M,
                          .rows = columns == 0 ? 0 : count * plan.input_halves,
                          .x = pointers.phase_x,
                          .w = pointers.phase_w,
                          .units = units,
                          .x_unit = rows.slab_floats(),
                          .w_unit = plan.packed_unit(),
                          .y_unit = plan.output_halves * first.active,
                          .columns = columns,
                          .column = plan.column,
                          .step = phase.in_step * plan.column,
                          .count = phase.count,
                          .y = y + phase.first_out * y_step + first.channel,
                          .y_step = phase.out_step * y_step,
                          .active = first.active,
                          .rotation = plan.rotation.data(),
                          .w_half = half_weights,
                          .join = plan.output_halves == 2 ? plan.join.data() : nullptr,
                          .ahead = &phase == plan.phases.data() ? &ahead : nullptr};
      for (int64_t i = 0; i < row.rows; ++i) {
        const int64_t tap = i % count, half = i / count;
        pointers.phase_x[i] =
            pointers.x[tap] + u * rows.slab_floats() + phase.first_in * plan.column + half * plan.lanes;
        pointers.phase_w[i] = packed + u * plan.packed_unit() + half * half_weights +
                              (taps[tap].kernel_row * plan.S + phase.slot) * plan.M * plan.lanes;
      }
      rotate_row(row);
    });
  }
}

void rotate_unit_gradient_row(const CorrelationPlan& plan, size_t u, int64_t out_row, ExpandedRows& rows,
                              const float* dy, int64_t dy_step, float* sums, const TapPointers& pointers) {
  const Unit& unit = plan.units[u];
  const RowTap* taps = plan.taps_of(out_row);
  const int64_t count = plan.taps_of(out_row + 1) - taps;
  RotateGradientRow row{.M = plan.M,
                        .rows = count,
                        .x = pointers.x,
                        .dw = pointers.dw,
                        .columns = plan.S,
                        .column = plan.column,
                        .step = plan.phases[0].in_step * plan.column,
                        .count = plan.out_columns,
                        .dy = dy + unit.channel,
                        .dy_step = dy_step,
                        .rotation = plan.inverse_rotation.data()};
  if (plan.output_halves == 2) {
    const PixelRun all{0, 0, plan.out_columns};
    expand_row({.x = row.dy,
                .end = row.dy + (plan.out_columns - 1) * dy_step + 2 * plan.lanes,
                .pixel = dy_step,
                .runs = &all,
                .run_count = 1,
                .inputs = 2,
                .table = plan.split.data(),
                .span = 2 * plan.lanes,
                .out = pointers.halves});
    row.dy_step = 2 * plan.lanes;
  }
  for (int64_t half = 0; half < plan.input_halves * plan.output_halves; ++half) {
    for (int64_t i = 0; i < count; ++i) {
      pointers.x[i] = rows.row(unit, taps[i].in_row) + (plan.input_halves == 2 ? half * plan.lanes : 0);
      pointers.dw[i] = sums + ((half * plan.R + taps[i].kernel_row) * plan.S) * plan.M * plan.lanes;
    }
    if (plan.output_halves == 2) row.dy = pointers.halves + half * plan.lanes;
    rotate_gradient_row(row);
  }
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
  const int64_t units = static_cast<int64_t>(plan.units.size());
  if (!plan.takes_rows()) return units * rows;
  const int64_t single = EqualBlocks(plan.out_columns, most_outputs_3x3(plan.inputs)).blocks;
  if (!plan.takes_pairs()) return units * rows * single;
  const int64_t pair = EqualBlocks(plan.out_columns, plan.pair_outputs).blocks;
  return units * (rows / 2 * pair * pair_shares_3x3(plan.inputs) + rows % 2 * single);
}

int64_t gradient_shares(const CorrelationPlan& plan, int64_t rows) {
  const int64_t units = static_cast<int64_t>(plan.units.size());
  if (plan.pair_gradients) {
    const int64_t passes = 2 * ((plan.M + kPairTurns - 1) / kPairTurns);
    return units * (rows / 2) * passes * (plan.out_columns / kPairShareColumns);
  }
  constexpr int64_t kMostTurns = 4;  // of a pass over the rows
  return units * rows * (plan.takes_rows() ? std::max<int64_t>(plan.inputs / kMostTurns, 1) : 1);
}

void find_rows(const CorrelationPlan& plan, int64_t out_row, int64_t count, ExpandedRows& rows,
               const TapPointers& pointers) {
  if (!plan.takes_rows()) return;
  const int64_t first = plan.first_in_row(out_row);
  for (int64_t i = 0; i < count + 2; ++i) pointers.x[i] = rows.row_or_padding(plan.units[0], first + i);
}

void correlate_rows(const CorrelationPlan& plan, int64_t out_row, int64_t count, ExpandedRows& rows,
                    const float* packed, float* y, int64_t y_step, const TapPointers& pointers, Prefetch& ahead,
                    const OutputWork& work) {
  const int64_t y_row = plan.out_columns * y_step;
  if (plan.way == Way::kRotate && !plan.takes_rows()) {
    for (int64_t r = 0; r < count; ++r) {
      const RowTap* taps = plan.taps_of(out_row + r);
      rotate_units_row(plan, taps, plan.taps_of(out_row + r + 1) - taps, rows, packed, y + r * y_row, y_step, pointers,
                       ahead);
    }
    return;
  }
  if (!plan.takes_rows()) {
    for (const Unit& unit : plan.units) {
      OutputWork of_row = work;
      for (int64_t r = 0; r < count; ++r) {
        ahead.share();
        const RowTap* taps = plan.taps_of(out_row + r);
        const int64_t met = plan.taps_of(out_row + r + 1) - taps;
        for (int64_t i = 0; i < met; ++i) pointers.x[i] = rows.row(unit, taps[i].in_row);
        correlate_unit_row(plan, unit, taps, met, packed, y + r * y_row, y_step, pointers, of_row);
        of_row.sums.starts = false;
      }
      packed += plan.packed_unit();
    }
    return;
  }
  for_equal_units(plan, [&](int64_t u, int64_t units) {
    const Unit& first = plan.units[static_cast<size_t>(u)];
    const float* w = packed + u * plan.packed_unit();
    Rotate3x3 task{.M = plan.inputs,
                   .rows = count,
                   .units = units,
                   .x_unit = rows.slab_floats(),
                   .w_unit = plan.packed_unit(),
                   .y_unit = first.active,
                   .x = pointers.x,
                   .offset = first.slab * rows.slab_floats(),
                   .count = plan.out_columns,
                   .y = y + first.channel,
                   .y_row = y_row,
                   .y_step = y_step,
                   .active = first.active,
                   .rotation = plan.rotation.data(),
                   .ahead = &ahead,
                   .mask = work.mask};
    std::copy_n(kernel_rows(plan, w).w, 3, task.w);
    if (plan.takes_pairs()) task.pair_w = w + plan.unit_weights();
    rotate_3x3(task);
  });
}

bool masks_rows(const CorrelationPlan& plan, const ChannelNorm& norm) {
  return norm.relu && plan.takes_rows() && plan.units.back().active == plan.lanes;
}

bool sums_rows(const CorrelationPlan& plan) {
  return plan.direction == Direction::kForward && (plan.way == Way::kExpand || plan.way == Way::kWide) &&
         plan.units.back().active == plan.unit_lanes();
}

void add_gradient_rows(const CorrelationPlan& plan, int64_t out_row, int64_t count, ExpandedRows& rows, const float* dy,
                       int64_t dy_step, float* sums, const TapPointers& pointers, Prefetch& ahead) {
  if (plan.takes_rows()) {
    return for_equal_units(plan, [&](int64_t u, int64_t units) {
      const Unit& first = plan.units[static_cast<size_t>(u)];
      RotateGradient3x3 task{.M = plan.inputs,
                             .rows = count,
                             .units = units,
                             .x_unit = rows.slab_floats(),
                             .w_unit = plan.unit_weights(),
                             .y_unit = first.active,
                             .x = pointers.x,
                             .offset = first.slab * rows.slab_floats(),
                             .count = plan.out_columns,
                             .dy = dy + first.channel,
                             .dy_row = plan.out_columns * dy_step,
                             .dy_step = dy_step,
                             .rotation = plan.inverse_rotation.data(),
                             .pairs = plan.pair_gradients,
                             .ahead = &ahead};
      for (int64_t r = 0; r < 3; ++r) task.dw[r] = sums + u * plan.unit_weights() + r * 3 * plan.inputs * plan.lanes;
      rotate_gradient_3x3(task);
    });
  }
  for (size_t u = 0; u < plan.units.size(); ++u, sums += plan.unit_weights()) {
    if (plan.way == Way::kExpand || plan.way == Way::kWide) {
      for (int64_t r = 0; r < count; ++r) ahead.share();
      expand_unit_gradient_rows(plan, u, out_row, count, rows, dy, dy_step, sums, pointers);
      continue;
    }
    for (int64_t r = 0; r < count; ++r) {
      ahead.share();
      rotate_unit_gradient_row(plan, u, out_row + r, rows, dy + r * plan.out_columns * dy_step, dy_step, sums,
                               pointers);
    }
  }
}

}  // namespace igcnet
