// Phases: backwards, dx[w] takes dy[q] * w[s] where w + padding - s = q * stride, so w and s have the same remainder
// (shifted by the padding). For the columns w = first + t * stride the taps s_max, s_max - stride, .. meet the
// columns q, q + 1, .. which lie side by side.
#include "cpu/group_conv_plan.h"

#include <algorithm>

#include "cpu/row_kernels.h"

namespace igcnet {
namespace {

// The run of columns [first, first + count) of the padded image, bound for `buffer`, as far as it is inside.
void add_run(CorrelationPlan& plan, int64_t buffer, int64_t first, int64_t count) {
  const int64_t begin = std::max<int64_t>(first, 0), end = std::min(first + count, plan.in_columns);
  if (begin < end) plan.runs.push_back({buffer + begin - first, begin, end - begin});
}

void plan_forward_columns(CorrelationPlan& plan) {
  // Columns that no tap reads (stride > S) are left out of the buffer.
  const int64_t step = std::min(plan.stride, plan.S);
  Phase phase{0, 1, plan.out_columns, 0, step, 0, {}};
  for (int64_t s = 0; s < plan.S; ++s) phase.kernel_column.push_back(s);
  plan.phases.push_back(std::move(phase));
  plan.width = (plan.out_columns - 1) * step + plan.S;
  if (step == plan.stride) return add_run(plan, 0, -plan.padding, plan.width);
  for (int64_t q = 0; q < plan.out_columns; ++q) add_run(plan, q * plan.S, q * plan.stride - plan.padding, plan.S);
}

void plan_backward_columns(CorrelationPlan& plan) {
  int64_t slot = 0, lowest = 0, highest = -1;  // the buffer's columns of dy
  for (int64_t first = 0; first < std::min(plan.stride, plan.out_columns); ++first) {
    const int64_t count = (plan.out_columns - first + plan.stride - 1) / plan.stride;
    Phase phase{first, plan.stride, count, 0, 1, slot, {}};
    for (int64_t s = plan.S - 1; s >= 0; --s) {
      if ((first + plan.padding - s) % plan.stride == 0) phase.kernel_column.push_back(s);
    }
    const int64_t taps = static_cast<int64_t>(phase.kernel_column.size());
    if (taps > 0) {
      phase.first_in = (first + plan.padding - phase.kernel_column[0]) / plan.stride;
      const int64_t last = phase.first_in + count - 1 + taps - 1;
      lowest = slot == 0 ? phase.first_in : std::min(lowest, phase.first_in);
      highest = slot == 0 ? last : std::max(highest, last);
    }
    slot += taps;
    plan.phases.push_back(std::move(phase));
  }
  plan.width = highest - lowest + 1;
  add_run(plan, 0, lowest, plan.width);
  for (Phase& phase : plan.phases) phase.first_in -= lowest;
}

void plan_rows(CorrelationPlan& plan) {
  for (int64_t row = 0; row < plan.out_rows; ++row) {
    plan.first_tap.push_back(static_cast<int64_t>(plan.taps.size()));
    for (int64_t r = 0; r < plan.R; ++r) {
      if (plan.direction == Direction::kForward) {
        const int64_t in_row = row * plan.stride + r - plan.padding;
        if (in_row >= 0 && in_row < plan.in_rows) plan.taps.push_back({in_row, in_row % plan.ring(), r});
      } else {
        const int64_t scaled = row + plan.padding - r, in_row = scaled / plan.stride;
        if (scaled >= 0 && scaled % plan.stride == 0 && in_row < plan.in_rows)
          plan.taps.push_back({in_row, in_row % plan.ring(), r});
      }
    }
  }
  plan.first_tap.push_back(static_cast<int64_t>(plan.taps.size()));
}

void plan_units(CorrelationPlan& plan) {
  const int64_t lanes = plan.lanes;
  if (!plan.wide) {
    for (int64_t k = 0; k < plan.out_channels; k += lanes) {
      plan.units.push_back({k, std::min(lanes, plan.out_channels - k), k / plan.outputs * plan.inputs});
    }
    return;
  }
  for (int64_t k = 0; k < plan.out_channels; k += plan.outputs) {
    for (int64_t i = 0; i < plan.outputs; i += lanes) {
      plan.units.push_back({k + i, std::min(lanes, plan.outputs - i), k / plan.outputs * plan.inputs});
    }
  }
}

}  // namespace

CorrelationPlan plan_correlation(Direction direction, const Conv2dSizes& z) {
  const bool forward = direction == Direction::kForward;
  CorrelationPlan plan{};
  plan.direction = direction;
  plan.N = z.N;
  plan.in_rows = forward ? z.H : z.P;
  plan.in_columns = forward ? z.W : z.Q;
  plan.in_channels = forward ? z.C : z.K;
  plan.out_rows = forward ? z.P : z.H;
  plan.out_columns = forward ? z.Q : z.W;
  plan.out_channels = forward ? z.K : z.C;
  plan.R = z.R;
  plan.S = z.S;
  plan.stride = z.stride;
  plan.padding = z.padding;
  plan.inputs = plan.in_channels / z.G;
  plan.outputs = plan.out_channels / z.G;
  plan.lanes = simd_lanes();
  constexpr int64_t kMaxNarrowInputs = 16;  // the expanded rows of a vector then still fit in the L2 cache
  plan.wide = plan.outputs >= plan.lanes || plan.inputs > kMaxNarrowInputs;
  plan.element = plan.wide ? 1 : plan.lanes;
  if (forward) {
    plan_forward_columns(plan);
  } else {
    plan_backward_columns(plan);
  }
  plan_rows(plan);
  plan_units(plan);
  return plan;
}

int64_t CorrelationPlan::expansion_table(const Unit& unit, int32_t* table) const {
  int64_t largest = 0;
  for (int64_t j = 0; j < inputs; ++j) {
    for (int64_t i = 0; i < lanes; ++i) {
      const int64_t channel = unit.channel + std::min(i, unit.active - 1);
      const int64_t entry = channel / outputs * inputs + j - unit.input;
      table[j * lanes + i] = static_cast<int32_t>(entry);
      largest = std::max(largest, entry);
    }
  }
  return largest + 1;
}

void CorrelationPlan::pack_weights(const Unit& unit, const float* w, float* packed) const {
  const bool forward = direction == Direction::kForward;
  // Weight (lane i, input j, kernel row r, kernel column s) lies at w[start[i] + j * input_step + (r * S + s) *
  // in_group].
  const int64_t in_group = forward ? inputs : outputs;  // C/G
  const int64_t input_step = forward ? 1 : R * S * in_group;
  std::vector<int64_t> start;
  for (int64_t i = 0; i < unit.active; ++i) {
    const int64_t channel = unit.channel + i, group = channel / outputs;
    start.push_back(forward ? channel * R * S * in_group : group * inputs * R * S * in_group + channel % outputs);
  }
  for (int64_t r = 0; r < R; ++r) {
    for (const Phase& phase : phases) {
      float* target = packed + (r * S + phase.slot) * inputs * lanes;
      for (const int64_t s : phase.kernel_column) {
        for (int64_t j = 0; j < inputs; ++j, target += lanes) {
          const float* source = w + j * input_step + (r * S + s) * in_group;
          for (int64_t i = 0; i < unit.active; ++i) target[i] = source[start[static_cast<size_t>(i)]];
          std::fill(target + unit.active, target + lanes, 0.0f);
        }
      }
    }
  }
}

int64_t row_blocks(const CorrelationPlan& plan) {
  constexpr int64_t kTasks = 64, kBlockFloats = 1 << 16;  // 256 KiB
  const int64_t rows = plan.N * plan.out_rows, units = static_cast<int64_t>(plan.units.size());
  const int64_t cached = rows * plan.in_columns * plan.in_channels / kBlockFloats;
  const int64_t wanted = std::max((kTasks + units - 1) / units, cached);
  const int64_t shortest = 4 * plan.R;  // rows; at the border of two blocks up to R - 1 rows are expanded twice
  return std::max<int64_t>(1, std::min(wanted, rows / shortest));
}

}  // namespace igcnet
